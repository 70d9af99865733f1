/**
 * What the two threads of a tunnel share: the commands that they obey between two batches of packets, what they report, what they count,
 * and the loop that waits for a descriptor or a command.
 */
import { readSync } from 'node:fs';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type {
  TunnelEncapsulation,
  TunnelPlacement,
  TunnelSelector,
} from '../../protocols/mobile-ip/tunnel-state.ts';
import type { Destination } from './segmented-datagrams.ts';
import { waitReadable } from './system-calls.ts';

/** TunnelEndpoint with numbers: IPv4 addresses, and the descriptor of the local socket. */
export interface LoopEndpoint extends Destination {
  readonly fd: number;
  readonly encapsulation: TunnelEncapsulation;
  readonly correspondentAddress: number | undefined;
}

export interface LoopBinding {
  readonly homeAddress: number;
  readonly homeAgent: number;
  /** Largest TCP segment that fits. */
  readonly segmentSize: number;
  readonly endpoints: readonly LoopEndpoint[];
  readonly rules: readonly {
    readonly selector: TunnelSelector<number>;
    readonly endpoints: readonly LoopEndpoint[];
  }[];
}

export type TunnelCommand =
  | { readonly kind: 'open' | 'close'; readonly fd: number }
  | { readonly kind: 'bind'; readonly binding: LoopBinding }
  | { readonly kind: 'unbind'; readonly homeAddress: number }
  | { readonly kind: 'stop' };

export type TunnelReport =
  /** The thread uses the descriptor no more. */
  | { readonly kind: 'closed'; readonly fd: number }
  | {
      readonly kind: 'datagram';
      readonly fd: number;
      readonly from: Destination;
      readonly payload: Uint8Array;
    }
  /** A path became narrower than the binding says. */
  | { readonly kind: 'too-big'; readonly destination: Destination };

export interface TunnelLoopSettings {
  readonly placement: TunnelPlacement;
  readonly tun: number;
  /** Raised after each command. */
  readonly event: number;
  /** A Float64Array, in the order of `tunnelCounters`. */
  readonly counters: SharedArrayBuffer;
}

/** Each is written by one thread. Octets are those of the inner packets. */
export const tunnelCounters = [
  'packetsSent',
  'octetsSent',
  /** From applications or the home link, but for no bound home address, or no rule has an endpoint for it. */
  'unbound',
  /** A socket's queue was full, or the path is too narrow or gone. */
  'unsent',
  'packetsReceived',
  'octetsReceived',
  /** From no endpoint of a binding, or with an inner address that is not that binding's, or not the correspondent's that the tunnel ends at. */
  'spoofed',
  'malformed',
  /** The TUN device took no more. */
  'undelivered',
] as const;

export type TunnelCounters = Readonly<Record<(typeof tunnelCounters)[number], number>>;

export class Counter {
  readonly #values: Float64Array;

  constructor(counters: SharedArrayBuffer) {
    this.#values = new Float64Array(counters);
  }

  add(name: (typeof tunnelCounters)[number], amount: number): void {
    const index = tunnelCounters.indexOf(name);
    this.#values[index] = (this.#values[index] ?? 0) + amount;
  }
}

export interface PacketThread {
  /** What to wait for. */
  readonly descriptors: readonly number[];
  /** Takes what a readable descriptor has, but not without end. */
  receive(fd: number): void;
  obey(command: TunnelCommand): void;
}

/** Runs until the command to stop. Commands come before packets: what was bound before a packet came holds for it. */
export function runPacketThread(thread: PacketThread, event: number, port: MessagePort): void {
  const sleep = octetsOf(BigInt64Array.of(0n, longestSleepNs));
  for (;;) {
    const descriptors = [event, ...thread.descriptors];
    const polls = new DataView(new ArrayBuffer(8 * descriptors.length));
    descriptors.forEach((fd, index) => {
      polls.setInt32(index * 8, fd, true);
      polls.setInt16(index * 8 + 4, POLLIN, true);
    });
    const octets = new Uint8Array(polls.buffer);
    while (polls.getInt16(6, true) === 0) {
      for (let index = 1; index < descriptors.length; index++)
        if (polls.getInt16(index * 8 + 6, true) !== 0) thread.receive(descriptors[index] ?? -1);
      waitReadable(octets, descriptors.length, sleep);
    }
    readSync(event, new Uint8Array(8));
    for (let message = receiveMessageOnPort(port); message; message = receiveMessageOnPort(port)) {
      const command = message.message as TunnelCommand;
      if (command.kind === 'stop') return;
      thread.obey(command);
    }
  }
}

/** Node can end a worker only between two system calls. */
const longestSleepNs = 100_000_000n;
const POLLIN = 1;

function octetsOf(array: BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer);
}
