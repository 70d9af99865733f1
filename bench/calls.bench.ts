/**
 * SIPp calls through the TRIM AS, placed as an S-CSCF places them on ISC, with its translators behind Diameter: what one core of the AS
 * carries. A basic call is INVITE 180 200 ACK BYE 200; one of IMS has a reliable 183, PRACK and UPDATE as well.
 * Beside it stateful proxies that stay in the route, Kamailio's and one of the npm package `sip`: they pass the same calls on, but neither
 * end them nor touch their media. Only the server's own processor time counts, so that SIPp may share its core.
 */
import { existsSync } from 'node:fs';
import { type CallKind, CallLoad, type CallServer } from './call-load.ts';
import type { Benchmark, Requirement } from './harness.ts';

/** A second or more of lasting load: while the other variants have their turn, V8 makes room for short-lived objects small again. */
const callsPerSample = 4000;
/** Before the first sample: what V8 has to see before it is done with the code of a call. */
const warmingCalls = 3000;

const variants = ['trim-as', 'kamailio', 'npm sip'] as const;
type VariantName = (typeof variants)[number];

interface Running {
  readonly load: CallLoad;
  readonly servers: ReadonlyMap<VariantName, CallServer>;
}

let running: Promise<Running> | undefined;

/** What was started ends with a start that fails. */
async function start(kind: CallKind): Promise<Running> {
  const load = new CallLoad();
  return startOn(load, kind).catch(async (error: unknown) => {
    await load.close();
    throw error;
  });
}

async function startOn(load: CallLoad, kind: CallKind): Promise<Running> {
  const { server } = await load.startTrimAs();
  const servers = new Map<VariantName, CallServer>([['trim-as', server]]);
  await load.startCallees([kind]);
  servers.set('kamailio', await load.startKamailio('127.77.4.2'));
  servers.set(
    'npm sip',
    await load.startNode({ kind: 'npm-sip', local: { address: '127.77.4.3', port: 5060 } }),
  );
  for (const name of ['trim-as', 'npm sip'] as const) await load.call(servers.get(name)!, kind, warmingCalls);
  return { load, servers };
}

async function callsPerCpuSecond(name: VariantName, kind: CallKind): Promise<number> {
  running ??= start(kind);
  const { load, servers } = await running;
  const server = servers.get(name)!;
  const before = await server.cpuMs();
  await load.call(server, kind, callsPerSample);
  return (callsPerSample / ((await server.cpuMs()) - before)) * 1000;
}

async function tearDown(): Promise<void> {
  const { load } = (await running?.catch(() => undefined)) ?? {};
  running = undefined;
  await load?.close();
}

function benchmarkOf(kind: 'basic' | 'ims', title: string, must: number, goal: number): Benchmark {
  const requirement = (level: Requirement['kind'], least: number): Requirement => ({
    kind: level,
    text: `${least} calls per second of one core of the AS`,
    isMet: (medianOf) => medianOf('trim-as') >= least,
  });
  return {
    name: title,
    unit: 'calls per second of processor time',
    rounds: 5,
    variants: variants.map((name) => ({ name, sample: () => callsPerCpuSecond(name, kind) })),
    requirements: [requirement('must', must), requirement('goal', goal)],
    unavailable,
    tearDown,
  };
}

function unavailable(): string | undefined {
  const missing = ['/usr/bin/sipp', '/usr/sbin/kamailio'].filter((file) => !existsSync(file));
  return missing.length === 0
    ? undefined
    : `not installed: ${missing.join(', ')} (Debian: sip-tester, kamailio)`;
}

export const benchmarks: readonly Benchmark[] = [
  benchmarkOf('basic', 'basic calls', 3000, 4500),
  benchmarkOf('ims', 'calls with 100rel and preconditions', 1200, 2000),
];
