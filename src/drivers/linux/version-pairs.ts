/**
 * Pairs of addresses of the other version of IP, numbered, in memory that the thread which writes them into packets reads without being told.
 * nftables writes the number into a packet of a flow that changes its version, as an address that is on no network. A pair keeps its number
 * and its place for as long as it is in use, and as long after as others are free, for packets that are still under way.
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';

/** 4,096 MN addresses with four of the home network's. */
export const pairCapacity = 16_384;
export const pairOctets = 32;

interface Pair {
  readonly number: number;
  uses: number;
}

export class VersionPairs {
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(pairCapacity * pairOctets);
  readonly #octets = new Uint8Array(this.memory);
  readonly #pairs = new Map<string, Pair>();
  readonly #names: (string | undefined)[] = new Array(pairCapacity);
  #next = 0;

  /** The number of the pair, once more in use; undefined when all numbers are. */
  acquire(source: string, destination: string): number | undefined {
    const name = nameOf(source, destination);
    const known = this.#pairs.get(name);
    if (known !== undefined) {
      known.uses++;
      return known.number;
    }
    const number = this.#freeNumber();
    if (number === undefined) return undefined;
    this.#pairs.delete(this.#names[number] ?? '');
    this.#names[number] = name;
    this.#pairs.set(name, { number, uses: 1 });
    const octets = [parseIpAddress(source), parseIpAddress(destination)].flatMap((one) => [...(one ?? [])]);
    this.#octets.set(octets, number * pairOctets);
    return number;
  }

  release(source: string, destination: string): void {
    const pair = this.#pairs.get(nameOf(source, destination));
    if (pair !== undefined) pair.uses--;
  }

  /** In turn, so that the one just given up is taken last. */
  #freeNumber(): number | undefined {
    for (let step = 0; step < pairCapacity; step++) {
      const number = (this.#next + step) % pairCapacity;
      const pair = this.#pairs.get(this.#names[number] ?? '');
      if (pair !== undefined && pair.uses > 0) continue;
      this.#next = number + 1;
      return number;
    }
    return undefined;
  }
}

function nameOf(source: string, destination: string): string {
  return `${source} ${destination}`;
}

/** How the names of gateways' devices begin: what comes from one is translated. */
export const gatewayDevice = 'trimaran-46-';

/** Several gateways of one network namespace have a part each of what is set aside for such addresses. */
export const gatewaySlots = 8;

/** 198.18.0.0/15 (RFC 2544) and 64:ff9b:1::/96 (RFC 8215), with prefix length. */
export function placeholderPrefix(family: 4 | 6, slot: number): string {
  return `${placeholder(family, slot, 0)}/${family === 4 ? 18 : 114}`;
}

export function placeholder(family: 4 | 6, slot: number, number: number): string {
  const octets = parseIpAddress(family === 4 ? '198.18.0.0' : '64:ff9b:1::') ?? new Uint8Array(4);
  const view = new DataView(octets.buffer);
  const at = octets.length - 4;
  view.setUint32(at, view.getUint32(at) + slot * pairCapacity + number);
  return formatIpAddress(octets);
}

/** Of a placeholder's last 32 bits. */
export function pairNumberOf(lowerBits: number): number {
  return lowerBits % pairCapacity;
}
