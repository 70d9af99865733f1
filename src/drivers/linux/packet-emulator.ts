/**
 * An access link between two network interfaces (TRIM fig. 7) by the project's own emulator, for kernels without netem. This is the
 * handle in the main thread; the packets pass in a worker thread (packet-emulator-loop.ts), which is this same file.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { LinkCharacteristics } from '../../access-network/link-characteristics.ts';
import type { LinkInput } from '../../access-network/link-emulator.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import {
  type EmulatorCommand,
  type EmulatorSettings,
  emulatorCounters,
  runPacketEmulator,
} from './packet-emulator-loop.ts';
import { openPacketSocket } from './packet-socket.ts';
import { closeDescriptor, openEvent, raiseEvent } from './system-calls.ts';

/** 0 is from the first interface to the second, 1 is back. */
export type LinkDirection = 0 | 1;

/** Packets and IP octets delivered, and packets dropped by reason, since the link was made. */
export type LinkCounters = Readonly<Record<(typeof emulatorCounters)[number], number>>;

/** What shapes an access link between two interfaces: this emulator or the kernel's (netem-link.ts). */
export interface LinkShaper {
  change(direction: LinkDirection, characteristics: LinkCharacteristics): void;
  /** Going down loses what is on the link, in both directions. The interfaces keep their state. */
  setUp(isUp: boolean): void;
  counters(direction: LinkDirection): LinkCounters;
  close(): Promise<void>;
}

export interface PacketEmulatorOptions {
  /** Where the two interfaces are. */
  readonly namespace: NetworkNamespace;
  readonly interfaces: readonly [string, string];
  readonly characteristics: readonly [LinkCharacteristics, LinkCharacteristics];
  /** Of losses and jitter. */
  readonly seed: number;
}

export class PacketEmulator implements LinkShaper {
  readonly #worker: Worker;
  readonly #descriptors: readonly number[];
  readonly #event: number = openEvent();
  readonly #counters: Float64Array;

  /** Starts at once. The worker does not keep the process alive. */
  constructor({ namespace, interfaces, characteristics, seed }: PacketEmulatorOptions) {
    const open = (link: string): number => namespace.run(() => openPacketSocket(link, { outgoing: false }));
    const sockets = [open(interfaces[0]), open(interfaces[1])] as const;
    const counters = new SharedArrayBuffer(2 * 8 * emulatorCounters.length);
    const settings: EmulatorSettings = { sockets, characteristics, seed, event: this.#event, counters };
    this.#counters = new Float64Array(counters);
    this.#descriptors = [...sockets, this.#event];
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { packetEmulator: settings } });
    this.#worker.unref();
  }

  /** Holds for every packet that has not left the queue yet. */
  change(direction: LinkDirection, characteristics: LinkCharacteristics): void {
    this.#input(direction, { kind: 'characteristics-changed', characteristics });
  }

  /** Going down drops what is queued and in flight, in both directions. The interfaces keep their state. */
  setUp(isUp: boolean): void {
    for (const direction of [0, 1] as const)
      this.#input(direction, { kind: isUp ? 'link-came-up' : 'link-went-down' });
  }

  counters(direction: LinkDirection): LinkCounters {
    const entries = emulatorCounters.map((name, index) => [
      name,
      this.#counters[direction * emulatorCounters.length + index] ?? 0,
    ]);
    return Object.fromEntries(entries) as LinkCounters;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.ref();
    this.#command({ kind: 'stop' });
    await ended;
    for (const fd of this.#descriptors) closeDescriptor(fd);
  }

  #input(direction: LinkDirection, input: LinkInput<never>): void {
    this.#command({ kind: 'change', direction, input });
  }

  #command(command: EmulatorCommand): void {
    this.#worker.postMessage(command);
    raiseEvent(this.#event);
  }
}

const settings = (workerData as { readonly packetEmulator?: EmulatorSettings } | null)?.packetEmulator;
if (!isMainThread && parentPort !== null && settings !== undefined) runPacketEmulator(settings, parentPort);
