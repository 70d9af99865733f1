/**
 * TCP through both translators, the home network's and the mobile node's own, with and without handovers, beside the same transfer
 * forwarded plainly. Correspondent to mobile node, both ends and everything between on this machine.
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
import type { Benchmark } from './harness.ts';
import type { StreamEnd } from './tcp-stream.ts';

const SAMPLE_MS = 400;
const SO_REUSEADDR = 2;
let both: BothTranslators | undefined;

async function gigabitsPerSecond(from: string, to: TransportAddress, handovers: boolean): Promise<number> {
  both ??= new BothTranslators(bindingOf(4, { protocol: 'tcp', activeEnd: 'mobile-node' }));
  const [sender, receiver] = connect(both, from, to);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const ends = [
    { fd: sender, role: 'send', stop },
    { fd: receiver, role: 'receive', stop },
  ] as const satisfies StreamEnd[];
  const [sending, receiving] = ends.map((workerData) => {
    const worker = new Worker(new URL('./tcp-stream.js', import.meta.url), { workerData });
    return once(worker, 'message') as Promise<number[]>;
  });
  for (let elapsed = 0; elapsed < SAMPLE_MS; elapsed += 100) {
    await sleep(100);
    if (handovers) both.handOver((elapsed / 100) % 2 === 0 ? 'wlan' : 'threeG');
  }
  Atomics.store(stop, 0, 1);
  await sending;
  const [octetsPerSecond = 0] = (await receiving) ?? [];
  return (octetsPerSecond * 8) / 1e9;
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

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'translation: TCP from the correspondent to the mobile node',
    unit: 'Gbit/s',
    rounds: 9,
    variants: [
      {
        name: 'plain forwarding',
        sample: () => gigabitsPerSecond(threeG, { address: correspondent, port: plainPort++ }, false),
      },
      { name: 'both translators', sample: () => gigabitsPerSecond(internal, translated, false) },
      {
        name: 'both translators, 10 handovers/s',
        sample: () => gigabitsPerSecond(internal, translated, true),
      },
    ],
    requirements: [
      {
        text: '0.85 of plain forwarding',
        kind: 'must',
        isMet: (of) => of('both translators') >= 0.85 * of('plain forwarding'),
      },
      {
        text: '0.95 of plain forwarding',
        kind: 'goal',
        isMet: (of) => of('both translators') >= 0.95 * of('plain forwarding'),
      },
    ],
    unavailable: () =>
      process.getuid?.() === 0 ? undefined : 'network namespaces need root (or: unshare -Urn)',
    tearDown: () => both?.close(),
  },
];
