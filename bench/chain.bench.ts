/**
 * SIPp calls through a whole IMS core and the TRIM AS: telephone, P-CSCF, S-CSCF, AS, S-CSCF, I-CSCF, S-CSCF, P-CSCF, telephone. Twice, with
 * our CSCFs and with Kamailio's, each function a process of its own: what each takes of the processor for the same call.
 */
import { existsSync } from 'node:fs';
import { isKamailioInstalled, kamailioPackages } from '../src/testbed/kamailio/kamailio-cscf.ts';
import type { CallKind } from './call-load.ts';
import type { Benchmark, Variant } from './harness.ts';
import { type CoreMaker, ImsChain } from './ims-chain.ts';

const callsPerSample = 500;
/** Before the first sample: what V8 has to see before it is done with the code of a call. */
const warmingCalls = 1500;

const makers: readonly CoreMaker[] = ['trimaran', 'kamailio'];
const chains = new Map<CoreMaker, ImsChain>();

async function chainOf(maker: CoreMaker, kind: CallKind): Promise<ImsChain> {
  const running = chains.get(maker);
  if (running !== undefined) return running;
  const chain = await ImsChain.start(maker, kind);
  chains.set(maker, chain);
  await chain.load.call(chain.servers.get('p-cscf')!, kind, warmingCalls);
  return chain;
}

async function tearDown(): Promise<void> {
  for (const chain of chains.values()) await chain.close();
  chains.clear();
}

function benchmarkOf(kind: CallKind, name: string): Benchmark {
  const sample = async (maker: CoreMaker) => (await chainOf(maker, kind)).measure(kind, callsPerSample);
  const variants = makers.map((maker): Variant => ({ name: maker, sample: () => sample(maker) }));
  return {
    name,
    unit: 'microseconds of processor time per call',
    rounds: 5,
    variants,
    requirements: [],
    unavailable,
    tearDown,
  };
}

function unavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root (or: unshare -Urn)';
  if (!existsSync('/usr/bin/sipp')) return 'not installed: sipp (Debian: sip-tester)';
  return isKamailioInstalled() ? undefined : `not installed: Kamailio (Debian: ${kamailioPackages})`;
}

export const benchmarks: readonly Benchmark[] = [
  benchmarkOf('basic', 'a basic call through a whole core'),
  benchmarkOf('ims', 'a call with 100rel and preconditions through a whole core'),
];
