/**
 * Native memory for a packet path: read and written from JavaScript through one DataView, told to the kernel by address. Addresses are
 * numbers (those of user space have 47 bits), since a bigint per packet would cost more than the packet's header.
 */
import { allocateMemory } from './system-calls.ts';

export class PacketMemory {
  readonly view: DataView;
  readonly octets: Uint8Array;
  readonly #address: bigint;
  readonly #base: number;

  constructor(length: number) {
    const memory = allocateMemory(length);
    this.view = memory.view;
    this.octets = memory.octets;
    this.#address = memory.address;
    this.#base = Number(memory.address);
  }

  addressOf(offset: number): bigint {
    return this.#address + BigInt(offset);
  }

  /** Writes the address of what is at `offset` here as a pointer into `view` at `at`. */
  writePointer(view: DataView, at: number, offset: number): void {
    const address = this.#base + offset;
    view.setUint32(at, address >>> 0, true);
    view.setUint32(at + 4, address / 0x1_0000_0000, true);
  }
}

/** Of struct iovec. */
export const vectorOctets = 16;

/** Makes the struct iovec at `at` of `view` name `length` octets of `memory` from `offset` on. */
export function writeVector(
  view: DataView,
  at: number,
  memory: PacketMemory,
  offset: number,
  length: number,
): void {
  memory.writePointer(view, at, offset);
  view.setUint32(at + 8, length, true);
  view.setUint32(at + 12, 0, true);
}
