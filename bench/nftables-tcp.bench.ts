/**
 * TCP through both translators, the home network's and the mobile node's own, with and without handovers, beside the same transfer
 * forwarded plainly. Correspondent to mobile node, both ends and everything between on this machine. On a shared machine the speed
 * varies more from second to second than by translation, so rounds are short and many, and what counts is the ratio within a round.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { TransportAddress } from '../src/base/network.ts';
import { socketAddress } from '../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  acceptConnection,
  bindSocket,
  closeDescriptor,
  connectSocket,
  listenSocket,
  openSocket,
  SOCK_STREAM,
  SOL_SOCKET,
  setSocketOption,
} from '../src/drivers/linux/system-calls.ts';
import { BothTranslators } from '../test/linux/both-translators.ts';
import { addresses, bindingOf } from '../test/linux/translator-network.ts';
import type { Benchmark, Variant } from './harness.ts';
import type { StreamEnd, StreamReport } from './tcp-stream.ts';

const SAMPLE_MS = 200;
const SO_REUSEADDR = 2;
let both: BothTranslators | undefined;

/** Gbit per second, and per second of processor time of everything: ends, forwarding and translation. */
interface Speed {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

async function transfer(from: string, to: TransportAddress, handovers: boolean): Promise<Speed> {
  both ??= new BothTranslators(bindingOf(4, { protocol: 'tcp', activeEnd: 'mobile-node' }));
  const [sender, receiver] = connect(both, from, to);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const ends = [
    { fd: sender, role: 'send', stop },
    { fd: receiver, role: 'receive', stop },
  ] as const satisfies StreamEnd[];
  const workers = ends.map(
    (workerData) => new Worker(new URL('./tcp-stream.js', import.meta.url), { workerData }),
  );
  const [sending, receiving] = workers.map((worker) => once(worker, 'message') as Promise<StreamReport[]>);
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  const cpuBefore = process.cpuUsage();
  for (let elapsed = 0; elapsed < SAMPLE_MS; elapsed += 100) {
    await sleep(100);
    if (handovers) both.handOver((elapsed / 100) % 2 === 0 ? 'wlan' : 'threeG');
  }
  Atomics.store(stop, 0, 1);
  await sending;
  const [report] = (await receiving) ?? [];
  const { user, system } = process.cpuUsage(cpuBefore);
  const { octets = 0, elapsedMs = 1 } = report ?? {};
  return { perSecond: (octets * 8) / elapsedMs / 1e6, perCpuSecond: (octets * 8) / (user + system) / 1e3 };
}

/** The mobile node opens the connection; the correspondent sends. */
function connect(
  { network, binding }: BothTranslators,
  from: string,
  to: TransportAddress,
): [number, number] {
  const listener = network.cn.run(() => openSocket(AF_INET, SOCK_STREAM, 0));
  setSocketOption(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  bindSocket(listener, socketAddress({ ...binding.correspondent, port: to.port === 30000 ? 7000 : to.port }));
  listenSocket(listener);
  const client = network.mn.run(() => openSocket(AF_INET, SOCK_STREAM, 0));
  bindSocket(client, socketAddress({ address: from, port: 0 }));
  connectSocket(client, socketAddress(to));
  const accepted = acceptConnection(listener);
  closeDescriptor(listener);
  return [accepted, client];
}

const { internal, threeG, correspondent, towardsMobileNode } = addresses[4];
const translated = { address: towardsMobileNode, port: 30000 };
let plainPort = 8000;

const plain = 'plain forwarding';
const still = 'both translators';
const moving = 'both translators, 10 handovers/s';
/** Of the round under way. */
const speeds = new Map<string, Speed>();

async function sample(name: string, from: string, to: TransportAddress): Promise<number> {
  const speed = await transfer(from, to, name === moving);
  speeds.set(name, speed);
  return speed.perSecond;
}

function ratio(name: string, unit: keyof Speed): Variant {
  const of = (variant: string): number => speeds.get(variant)?.[unit] ?? Number.NaN;
  const text = unit === 'perSecond' ? 'speed' : 'octets per processor time';
  return { name: `${name}: ${text}, of plain`, sample: () => of(name) / of(plain) };
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'translation: TCP from the correspondent to the mobile node',
    unit: 'Gbit/s, and ratios within a round',
    rounds: 31,
    variants: [
      { name: plain, sample: () => sample(plain, threeG, { address: correspondent, port: plainPort++ }) },
      { name: still, sample: () => sample(still, internal, translated) },
      { name: moving, sample: () => sample(moving, internal, translated) },
      ratio(still, 'perSecond'),
      ratio(moving, 'perSecond'),
      ratio(still, 'perCpuSecond'),
      ratio(moving, 'perCpuSecond'),
    ],
    requirements: [
      {
        text: '0.85 of plain forwarding',
        kind: 'must',
        isMet: (of) => of(ratio(still, 'perSecond').name) >= 0.85,
      },
      {
        text: '0.95 of plain forwarding',
        kind: 'goal',
        isMet: (of) => of(ratio(still, 'perSecond').name) >= 0.95,
      },
    ],
    unavailable: () =>
      process.getuid?.() === 0 ? undefined : 'network namespaces need root (or: unshare -Urn)',
    tearDown: () => both?.close(),
  },
];
