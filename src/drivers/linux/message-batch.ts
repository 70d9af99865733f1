/**
 * The structures behind recvmmsg(2) and sendmmsg(2): up to a fixed number of messages, each in one piece of memory, so that one
 * system call moves many packets. Layout as on 64-bit Linux (struct mmsghdr of 64 octets, struct iovec of 16).
 */
import { allocateMemory, type NativeMemory, receiveMessages, sendMessages } from './system-calls.ts';

export class MessageBatch {
  readonly capacity: number;
  readonly #memory: NativeMemory;
  readonly #vectorsAt: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#vectorsAt = capacity * HEADER_OCTETS;
    this.#memory = allocateMemory(capacity * (HEADER_OCTETS + VECTOR_OCTETS));
    for (let index = 0; index < capacity; index++) {
      const vector = this.#memory.address + BigInt(this.#vectorsAt + index * VECTOR_OCTETS);
      this.#memory.view.setBigUint64(index * HEADER_OCTETS + IOV_OFFSET, vector, true);
      this.#memory.view.setBigUint64(index * HEADER_OCTETS + IOV_COUNT_OFFSET, 1n, true);
    }
  }

  /** Message `index` is (or, before a receive, may fill) the `length` octets at `address`. */
  place(index: number, address: bigint, length: number): void {
    const at = this.#vectorsAt + index * VECTOR_OCTETS;
    this.#memory.view.setBigUint64(at, address, true);
    this.setLength(index, length);
  }

  setLength(index: number, length: number): void {
    this.#memory.view.setUint32(this.#vectorsAt + index * VECTOR_OCTETS + 8, length, true);
  }

  /** The peer of message `index` is (or, before a receive, may fill) the struct sockaddr of `length` octets at `address`. */
  placeName(index: number, address: bigint, length: number): void {
    this.#memory.view.setBigUint64(index * HEADER_OCTETS, address, true);
    this.setNameLength(index, length);
  }

  /** A receive writes what the name took. */
  setNameLength(index: number, length: number): void {
    this.#memory.view.setUint32(index * HEADER_OCTETS + NAME_LENGTH_OFFSET, length, true);
  }

  /** Octets received into message `index`. */
  lengthOf(index: number): number {
    return this.#memory.view.getUint32(index * HEADER_OCTETS + LENGTH_OFFSET, true);
  }

  /** Receives what is there now into the first `count` messages; how many came. */
  receive(fd: number, count: number): number {
    return receiveMessages(fd, this.#memory.address, count, MSG_DONTWAIT) ?? 0;
  }

  /** Sends the first `count` messages from `from` on; how many went. Waits for room in the socket's queue; 0 when a non-blocking socket has none. */
  send(fd: number, from: number, count: number): number {
    return sendMessages(fd, this.#memory.address + BigInt(from * HEADER_OCTETS), count - from) ?? 0;
  }
}

const HEADER_OCTETS = 64;
const VECTOR_OCTETS = 16;
const NAME_LENGTH_OFFSET = 8;
const IOV_OFFSET = 16;
const IOV_COUNT_OFFSET = 24;
const LENGTH_OFFSET = 56;
const MSG_DONTWAIT = 0x40;
