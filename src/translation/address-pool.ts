/**
 * The addresses and ports that a home network's address translator hands out (TRIM Fig. 2). Ports are given in turn, so that the one just
 * returned comes last: packets still on their way to an ended session then meet nothing. RTP takes an even port with the next one for
 * RTCP (RFC 3550 §11; parity and contiguity as in RFC 4787 §4.2.2, §4.2.3).
 */
import { ipFamilyOf } from '../base/ip-address.ts';
import type { TransportAddress } from '../base/network.ts';
import type { TransportProtocol } from './translation-operation.ts';

export interface AddressPoolOptions {
  /** IPv4 and IPv6 addresses that belong to the translator alone. */
  readonly addresses: readonly string[];
  readonly firstPort: number;
  readonly lastPort: number;
}

export interface PortRequest {
  readonly family: 4 | 6;
  readonly protocol: TransportProtocol;
  /** Consecutive ports; two make an RTP/RTCP pair that begins with an even port. */
  readonly count: 1 | 2;
  /** Whether an address suits; by it the pool avoids addresses on which a flow key is taken already. */
  readonly suits?: (address: string) => boolean;
}

interface PortSpace {
  readonly address: string;
  readonly family: 4 | 6;
  readonly protocol: TransportProtocol;
  readonly taken: Set<number>;
  next: number;
}

export class AddressPool {
  readonly firstPort: number;
  readonly lastPort: number;
  readonly #spaces: PortSpace[] = [];

  constructor(options: AddressPoolOptions) {
    this.firstPort = options.firstPort;
    this.lastPort = options.lastPort;
    for (const protocol of ['udp', 'tcp'] as const) {
      for (const address of options.addresses) {
        const family = ipFamilyOf(address);
        if (family === undefined) throw new RangeError(`not an IP address: ${address}`);
        this.#spaces.push({ address, family, protocol, taken: new Set(), next: options.firstPort });
      }
    }
  }

  /** Ports in use, for choosing the least loaded of several translators. */
  get taken(): number {
    return this.#spaces.reduce((sum, space) => sum + space.taken.size, 0);
  }

  has(family: 4 | 6): boolean {
    return this.#spaces.some((space) => space.family === family);
  }

  /** An address with the first of `count` free ports; undefined when the pool is full or no address suits. */
  allocate(request: PortRequest): TransportAddress | undefined {
    // The emptiest address first: flows spread, and a port is reused as late as possible.
    const spaces = this.#spaces
      .filter(({ family, protocol }) => family === request.family && protocol === request.protocol)
      .filter(({ address }) => request.suits?.(address) ?? true)
      .sort((a, b) => a.taken.size - b.taken.size);
    for (const space of spaces) {
      const port = this.#findPort(space, request.count);
      if (port === undefined) continue;
      for (let i = 0; i < request.count; i++) space.taken.add(port + i);
      space.next = port + request.count;
      return { address: space.address, port };
    }
    return undefined;
  }

  /** Takes one given port, as after a restart; false when it is taken or not this pool's. */
  claim(protocol: TransportProtocol, { address, port }: TransportAddress): boolean {
    const space = this.#spaceOf(protocol, address);
    if (space === undefined || port < this.firstPort || port > this.lastPort || space.taken.has(port))
      return false;
    space.taken.add(port);
    return true;
  }

  release(protocol: TransportProtocol, { address, port }: TransportAddress, count: 1 | 2): void {
    const space = this.#spaceOf(protocol, address);
    for (let i = 0; i < count; i++) space?.taken.delete(port + i);
  }

  #spaceOf(protocol: TransportProtocol, address: string): PortSpace | undefined {
    return this.#spaces.find((space) => space.address === address && space.protocol === protocol);
  }

  #findPort(space: PortSpace, count: 1 | 2): number | undefined {
    const range = this.lastPort - this.firstPort + 1;
    for (let step = 0; step < range; step++) {
      const port = this.firstPort + ((space.next - this.firstPort + step) % range);
      if (space.taken.has(port)) continue;
      if (count === 1) return port;
      if (port % 2 === 0 && port < this.lastPort && !space.taken.has(port + 1)) return port;
    }
    return undefined;
  }
}
