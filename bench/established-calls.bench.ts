/**
 * Sessions that stay: SIPp places 100,000 basic calls through the TRIM AS and its translators, and ends none. What the AS and a translator hold
 * for each of them, once the transactions that made it are forgotten.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CallLoad, type CallServer } from './call-load.ts';
import type { Benchmark } from './harness.ts';

/** At the end of each round; the first one is not counted, and takes what the server needs whatever it carries. */
const sessionsAfterRound = [20_000, 60_000, 100_000];
/** 64·T1 after the last message of a call its transactions are forgotten (RFC 3261 §17, RFC 6026 §7). */
const transactionsMs = 33_000;

interface Running {
  readonly load: CallLoad;
  readonly server: CallServer;
  readonly translators: readonly CallServer[];
}

let starting: Promise<Running> | undefined;
let rounds = 0;
let sessions = 0;

async function start(): Promise<Running> {
  const load = new CallLoad();
  try {
    const anchor = await load.startTrimAs();
    await load.startCallees(['established']);
    return { load, ...anchor };
  } catch (error) {
    await load.close();
    throw error;
  }
}

async function heapPerSession(): Promise<{ readonly AS: number; readonly translator: number }> {
  starting ??= start();
  const { load, server, translators } = await starting;
  const before = { AS: await heapOf([server]), translators: await heapOf(translators), sessions };
  const wanted = sessionsAfterRound[rounds++]!;
  // Calls that SIPp lost are made up for.
  while (sessions < wanted) sessions += await load.call(server, 'established', wanted - sessions);
  await sleep(transactionsMs);
  const added = sessions - before.sessions;
  return {
    AS: ((await heapOf([server])) - before.AS) / added,
    translator: ((await heapOf(translators)) - before.translators) / added,
  };
}

async function heapOf(servers: readonly CallServer[]): Promise<number> {
  let octets = 0;
  for (const { heapOctets } of servers) octets += await heapOctets!();
  return octets;
}

async function tearDown(): Promise<void> {
  const running = await starting?.catch(() => undefined);
  starting = undefined;
  await running?.load.close();
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'established sessions of the TRIM AS, 100,000 in the end',
    unit: 'octets of heap per session',
    rounds: sessionsAfterRound.length - 1,
    variants: [{ name: 'trim-as', sample: heapPerSession }],
    requirements: [
      { kind: 'must', text: '100,000 sessions at the same time', isMet: () => sessions >= 100_000 },
      { kind: 'goal', text: '4 kB per session', isMet: (medianOf) => medianOf('trim-as, AS') <= 4096 },
    ],
    unavailable: () => (existsSync('/usr/bin/sipp') ? undefined : 'not installed: sipp (Debian: sip-tester)'),
    tearDown,
  },
];
