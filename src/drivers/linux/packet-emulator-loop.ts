/**
 * The loop of the link emulator (TRIM fig. 7, an access leg): two packet sockets, and between them one LinkEmulator machine per
 * direction. It runs in a worker thread of its own and blocks there in ppoll, so that a busy main thread delays no packet.
 *
 *   socket a ─▶ slots ─▶ LinkEmulator ─▶ socket b, and the same back. A packet stays in its slot from recvmmsg to sendmmsg.
 */
import { readSync } from 'node:fs';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { LinkCharacteristics } from '../../access-network/link-characteristics.ts';
import { LinkEmulator, type LinkInput, type LinkOutput } from '../../access-network/link-emulator.ts';
import type { Instant } from '../../base/instant.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { MessageBatch } from './message-batch.ts';
import { ethernetHeaderOctets, offloadHeaderOctets } from './packet-socket.ts';
import { allocateMemory, type NativeMemory, useExactTimeouts, waitReadable } from './system-calls.ts';

export interface EmulatorSettings {
  /** Packet sockets at the two ends. */
  readonly sockets: readonly [number, number];
  /** What packets from end 0 to end 1, and from end 1 to end 0, meet. */
  readonly characteristics: readonly [LinkCharacteristics, LinkCharacteristics];
  readonly seed: number;
  /** Raised after each message on the port. */
  readonly event: number;
  /** `emulatorCounters` per direction, one after the other. */
  readonly counters: SharedArrayBuffer;
}

export type EmulatorCommand =
  | { readonly kind: 'stop' }
  | { readonly kind: 'change'; readonly direction: 0 | 1; readonly input: LinkInput<never> };

export const emulatorCounters = ['delivered', 'deliveredOctets', 'lost', 'queue-full', 'link-down'] as const;

/** Packets in flight over both directions: 300,000 packets/s for 10 ms, twice, rounded up. */
const slotCount = 8192;
/** A segmentation-offload packet of 64 KiB with its headers; memory is touched only as far as packets reach. */
const slotOctets = 65_536 + 64;
const batchSize = 64;
/** Node can end a worker only between two system calls. */
const longestSleepMs = 100;

export function runPacketEmulator(settings: EmulatorSettings, port: MessagePort): void {
  useExactTimeouts();
  const loop = new PacketEmulatorLoop(settings);
  while (loop.turn(port));
}

class PacketEmulatorLoop {
  readonly #settings: EmulatorSettings;
  readonly #slots: NativeMemory = allocateMemory(slotCount * slotOctets);
  readonly #lengths = new Uint32Array(slotCount);
  /** The last one freed is the first one used again: few pages stay warm. */
  readonly #free: number[] = Array.from({ length: slotCount }, (_, slot) => slot);
  readonly #directions: readonly Direction[];
  readonly #incoming = new MessageBatch(batchSize);
  /** struct pollfd of the sockets and of the event, then struct timespec. */
  readonly #polls = new DataView(new ArrayBuffer(24));
  readonly #sleep = new DataView(new ArrayBuffer(16));

  constructor(settings: EmulatorSettings) {
    this.#settings = settings;
    const [a, b] = settings.sockets;
    const random = new SeededRandomSource(settings.seed);
    const width = emulatorCounters.length;
    this.#directions = [
      { from: a, to: b },
      { from: b, to: a },
    ].map(({ from, to }, index) => ({
      from,
      to,
      emulator: new LinkEmulator<number>(settings.characteristics[index as 0 | 1], random),
      outgoing: new MessageBatch(batchSize),
      pending: [],
      counters: new Float64Array(settings.counters, index * width * 8, width),
    }));
    [a, b, settings.event].forEach((fd, index) => {
      this.#polls.setInt32(index * 8, fd, true);
      this.#polls.setInt16(index * 8 + 4, POLLIN, true);
    });
  }

  /** One turn; false when told to stop. */
  turn(port: MessagePort): boolean {
    if (!this.#obey(port)) return false;
    for (const direction of this.#directions) this.#receive(direction);
    for (const direction of this.#directions) this.#deliver(direction);
    this.#wait();
    return true;
  }

  #obey(port: MessagePort): boolean {
    if (this.#polls.getInt16(EVENT_RESULT_AT, true) === 0) return true;
    this.#polls.setInt16(EVENT_RESULT_AT, 0, true);
    readSync(this.#settings.event, new Uint8Array(8));
    for (let message = receiveMessageOnPort(port); message; message = receiveMessageOnPort(port)) {
      const command = message.message as EmulatorCommand;
      if (command.kind === 'stop') return false;
      this.#directions[command.direction]?.emulator.handleInput(command.input, performance.now());
    }
    return true;
  }

  #receive(direction: Direction): void {
    const count = Math.min(batchSize, this.#free.length);
    for (let index = 0; index < count; index++) {
      const slot = this.#free[this.#free.length - 1 - index] ?? 0;
      this.#incoming.place(index, this.#addressOf(slot), slotOctets);
    }
    const received = count === 0 ? 0 : receiveUnlessDown(this.#incoming, direction.from, count);
    const now = performance.now();
    for (let index = 0; index < received; index++) {
      const slot = this.#free.pop() ?? 0;
      const length = this.#incoming.lengthOf(index);
      this.#lengths[slot] = length;
      const octets = length - offloadHeaderOctets - ethernetHeaderOctets;
      direction.emulator.handleInput({ kind: 'packet-offered', packet: slot, octets }, now);
    }
  }

  #deliver(direction: Direction): void {
    direction.emulator.handleTimeout(performance.now());
    for (let output = direction.emulator.pollOutput(); output; output = direction.emulator.pollOutput()) {
      this.#take(direction, output);
      if (direction.pending.length === batchSize) this.#flush(direction);
    }
    if (direction.pending.length > 0) this.#flush(direction);
  }

  #take(direction: Direction, output: LinkOutput<number>): void {
    const { counters, outgoing, pending } = direction;
    const slot = output.packet;
    if (output.kind === 'packet-dropped') {
      increase(counters, emulatorCounters.indexOf(output.reason), 1);
      this.#free.push(slot);
      return;
    }
    const length = this.#lengths[slot] ?? 0;
    increase(counters, 0, 1);
    increase(counters, 1, length - offloadHeaderOctets - ethernetHeaderOctets);
    outgoing.place(pending.length, this.#addressOf(slot), length);
    pending.push(slot);
  }

  #flush(direction: Direction): void {
    const count = direction.pending.length;
    for (let sent = 0; sent < count; ) {
      try {
        sent += direction.outgoing.send(direction.to, sent, count);
      } catch (error) {
        // The far end is down, or the packet does not fit it: what a line loses.
        if (!(error instanceof TrimaranError)) throw error;
        sent += 1;
      }
    }
    this.#free.push(...direction.pending);
    direction.pending.length = 0;
  }

  #wait(): void {
    const now = performance.now();
    let until: Instant = now + longestSleepMs;
    for (const { emulator } of this.#directions) until = Math.min(until, emulator.pollTimeout()?.at ?? until);
    this.#sleep.setBigInt64(8, BigInt(Math.round(Math.max(0, until - now) * 1e6)), true);
    waitReadable(octetsOf(this.#polls), 3, octetsOf(this.#sleep));
  }

  #addressOf(slot: number): bigint {
    return this.#slots.address + BigInt(slot * slotOctets);
  }
}

interface Direction {
  readonly from: number;
  readonly to: number;
  readonly emulator: LinkEmulator<number>;
  readonly outgoing: MessageBatch;
  /** Slots of the messages placed in `outgoing`. */
  readonly pending: number[];
  readonly counters: Float64Array;
}

/** A socket whose interface went down says so once. */
function receiveUnlessDown(batch: MessageBatch, fd: number, count: number): number {
  try {
    return batch.receive(fd, count);
  } catch (error) {
    if (error instanceof TrimaranError && error.code === 'ENETDOWN') return 0;
    throw error;
  }
}

function increase(counters: Float64Array, index: number, by: number): void {
  counters[index] = (counters[index] ?? 0) + by;
}

function octetsOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}

const POLLIN = 1;
/** revents of the third struct pollfd. */
const EVENT_RESULT_AT = 22;
