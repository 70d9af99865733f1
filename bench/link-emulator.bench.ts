/**
 * The link emulator of the kernel lab beside a plain veth pair: what it adds to a packet's way, and how many small packets it passes
 * (the aim: 0.05 ms and 300,000 packets/s on an idle machine). Sender, emulator and receiver share the machine's cores.
 */
import { accessProfiles } from '../src/access-network/access-profiles.ts';
import { perfectLink } from '../src/access-network/link-characteristics.ts';
import { MessageBatch } from '../src/drivers/linux/message-batch.ts';
import { socketAddress } from '../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  allocateMemory,
  bindSocket,
  connectSocket,
  openSocket,
  receive,
  SOCK_DGRAM,
  SOL_SOCKET,
  send,
  setSocketOption,
  waitReadable,
} from '../src/drivers/linux/system-calls.ts';
import { KernelTopology } from '../src/testbed/kernel-topology.ts';
import { type Benchmark, medianOf } from './harness.ts';

interface Path {
  readonly topology: KernelTopology;
  readonly sender: number;
  readonly receiver: number;
}

const payloadOctets = 160;
const paths = new Map<string, Path>();

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'one packet over an idle link',
    unit: 'ms from send to receive',
    rounds: 5,
    variants: [
      { name: 'veth', sample: () => oneWayMs(path('veth')) },
      { name: 'emulator 0 ms', sample: () => oneWayMs(path('emulator 0 ms', 0)) },
      { name: 'emulator 20 ms', sample: () => oneWayMs(path('emulator 20 ms', 20)) },
    ],
    requirements: [
      {
        text: 'the emulator adds less than 0.05 ms',
        kind: 'goal',
        isMet: (median) => median('emulator 0 ms') < 0.05 + median('veth'),
      },
      {
        // An idle processor takes this long to wake up for a timer.
        text: 'a delayed packet is less than 0.3 ms late',
        kind: 'goal',
        isMet: (median) => median('emulator 20 ms') < 20.3 + median('veth'),
      },
    ],
    unavailable,
  },
  {
    name: `flood of ${payloadOctets}-octet packets over the emulator`,
    unit: 'packets/s delivered',
    rounds: 3,
    variants: [
      { name: 'emulator 0 ms', sample: () => deliveredPerSecond(path('emulator 0 ms', 0)) },
      { name: 'emulator 20 ms', sample: () => deliveredPerSecond(path('emulator 20 ms', 20)) },
    ],
    requirements: [
      { text: '300,000 at 0 ms', kind: 'goal', isMet: (median) => median('emulator 0 ms') >= 300_000 },
    ],
    unavailable,
    tearDown: async () => {
      for (const { topology } of paths.values()) await topology.close();
    },
  },
];

function unavailable(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'it makes network namespaces in its own process, as root';
}

/** Two nodes, a link, and a socket at each end; made once. */
function path(name: string, delayMs?: number): Path {
  const known = paths.get(name);
  if (known !== undefined) return known;
  const both = { ...perfectLink, delayMs: delayMs ?? 0, queueLimitOctets: 100_000_000 };
  const profile = { ...accessProfiles.wire, uplink: both, downlink: both };
  const end = (node: string, address: string) => ({ node, interface: 'eth0', addresses: [`${address}/24`] });
  const ends = [end('a', '10.0.0.1'), end('b', '10.0.0.2')] as const;
  const topology = new KernelTopology(
    {
      nodes: [{ name: 'a' }, { name: 'b' }],
      links: [{ name: 'link', ends, ...(delayMs !== undefined && { profile }) }],
    },
    { seed: 1 },
  );
  const open = (node: string): number =>
    topology.namespaceOf(node).run(() => openSocket(AF_INET, SOCK_DGRAM, 0));
  const [sender, receiver] = [open('a'), open('b')];
  const destination = socketAddress({ address: '10.0.0.2', port: 9000 });
  bindSocket(receiver, destination);
  // What overflows here was delivered: the link counts, not the receiver.
  setSocketOption(receiver, SOL_SOCKET, SO_RCVBUF, 4096);
  connectSocket(sender, destination);
  const made = { topology, sender, receiver };
  paths.set(name, made);
  return made;
}

function oneWayMs({ sender, receiver }: Path): number {
  const packet = new Uint8Array(payloadOctets);
  const times: number[] = [];
  for (let count = 0; count < 50; count++) {
    const sentAt = performance.now();
    send(sender, packet);
    receive(receiver, packet);
    times.push(performance.now() - sentAt);
  }
  return medianOf(times);
}

/** Sends for half a second as fast as it goes and lets the link finish. */
async function deliveredPerSecond({ topology, sender, receiver }: Path): Promise<number> {
  const batch = new MessageBatch(batchSize);
  for (let index = 0; index < batchSize; index++) batch.place(index, memory.address, payloadOctets);
  const delivered = (): number => topology.link('link').counters().uplink.delivered;
  const [before, startedAt] = [delivered(), performance.now()];
  while (performance.now() - startedAt < 500) batch.send(sender, 0, batchSize);
  const elapsedMs = performance.now() - startedAt;
  const count = delivered() - before;
  await new Promise((resolve) => setTimeout(resolve, 200));
  drain(receiver);
  return (count * 1000) / elapsedMs;
}

/** Takes what is left in the receiver, so that the next measurement does not hear it. */
function drain(receiver: number): void {
  const polls = new DataView(new ArrayBuffer(8));
  polls.setInt32(0, receiver, true);
  polls.setInt16(4, POLLIN, true);
  for (;;) {
    waitReadable(new Uint8Array(polls.buffer), 1, new Uint8Array(16));
    if (polls.getInt16(6, true) === 0) return;
    receive(receiver, new Uint8Array(payloadOctets));
  }
}

const batchSize = 64;
const memory = allocateMemory(payloadOctets);
const SO_RCVBUF = 8;
const POLLIN = 1;
