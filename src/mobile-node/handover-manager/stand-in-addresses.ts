/**
 * What applications are told in place of peers whose version of IP is not that of the internal address (TRIM §3.1: applications see addresses
 * that stay): an address beside the internal one for each address of the network, ports as they are. The node's translator takes packets to
 * it on to the peer, so it appears nowhere else.
 */
import { familyOf, formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';

/** Far more than the home network has addresses; then the one that was given first is given again. */
const maximumAddresses = 4096;

export class StandInAddresses {
  readonly #internalAddress: Uint8Array;
  readonly #family: 4 | 6;
  readonly #addresses = new Map<string, string>();
  #given = 0;

  constructor(internalAddress: string) {
    this.#internalAddress = parseIpAddress(internalAddress) ?? new Uint8Array(4);
    this.#family = familyOf(internalAddress);
  }

  /** Whether applications at the internal address cannot send to that one. */
  isNeededFor(address: string): boolean {
    return familyOf(address) !== this.#family;
  }

  /** The same for the same address. */
  of(address: string): string {
    const known = this.#addresses.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size >= maximumAddresses && oldest !== undefined) this.#addresses.delete(oldest);
    this.#given = (this.#given % maximumAddresses) + 1;
    const standIn = formatIpAddress(this.#behindInternal(this.#given));
    this.#addresses.set(address, standIn);
    return standIn;
  }

  /** The n-th address after the internal one; the last two octets turn round. */
  #behindInternal(n: number): Uint8Array {
    const octets = this.#internalAddress.slice();
    const low = octets.length - 2;
    const view = new DataView(octets.buffer);
    view.setUint16(low, view.getUint16(low) + n);
    return octets;
  }
}
