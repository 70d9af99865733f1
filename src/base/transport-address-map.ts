/** A map by transport address: a text to look each datagram's ports and routes up by would take longer than all else that is done with them. */
import type { TransportAddress } from './network.ts';

export class TransportAddressMap<Value> {
  /** By port, then by IP address. */
  readonly #ports = new Map<number, Map<string, Value>>();

  get({ address, port }: TransportAddress): Value | undefined {
    return this.#ports.get(port)?.get(address);
  }

  has({ address, port }: TransportAddress): boolean {
    return this.#ports.get(port)?.has(address) === true;
  }

  set({ address, port }: TransportAddress, value: Value): void {
    const known = this.#ports.get(port);
    if (known === undefined) this.#ports.set(port, new Map([[address, value]]));
    else known.set(address, value);
  }

  delete({ address, port }: TransportAddress): void {
    const known = this.#ports.get(port);
    known?.delete(address);
    if (known?.size === 0) this.#ports.delete(port);
  }

  /** Those of one port after the other. */
  *values(): IterableIterator<Value> {
    for (const addresses of this.#ports.values()) yield* addresses.values();
  }

  clear(): void {
    this.#ports.clear();
  }
}
