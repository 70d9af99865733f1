/**
 * `npm run fuzz -- [CODEC…] [--seed N] [--inputs N] [--from N] [--growth | --kamailio]`: feeds every codec with mutated inputs and says
 * what broke, how long the slowest input took and by how much memory grew; with --growth, how the time grows with the size of hostile
 * inputs; with --kamailio, where Kamailio's parser takes or refuses SIP messages other than ours. Exit code 1 when something broke or
 * is not explained.
 */
import { parseArgs } from 'node:util';
import { compareParsers, mutatedMessages } from '../interop/compare-parsers.ts';
import { parserDifferences } from '../interop/parser-differences.ts';
import { enterOwnNamespace } from '../linux/enter-namespace.ts';
import { runInThread } from './fuzz-worker.ts';
import { growthFactor } from './growth.ts';
import { fuzzTargets } from './targets/index.ts';

/** No input takes longer than some milliseconds; a busy machine may. */
const deadlineMs = 30_000;
/** What remains of compiled code and of caches. */
const growthLimitOctets = 8 * 1024 * 1024;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    inputs: { type: 'string', default: '100000' },
    from: { type: 'string', default: '0' },
    growth: { type: 'boolean', default: false },
    kamailio: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !fuzzTargets.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(
    `no codec ${unknown.join(', ')}; there are ${fuzzTargets.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
const chosen = fuzzTargets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const [seed = 1, from = 0, inputs = 1] = [values.seed, values.from, values.inputs].map(Number);
if (values.kamailio) await compareWithKamailio();
else for (const { name } of chosen) await (values.growth ? grow(name) : fuzz(name));

async function fuzz(codec: string): Promise<void> {
  try {
    const report = await runInThread(codec, { kind: 'inputs', seed, from, inputs }, deadlineMs);
    const { accepted, octets, seconds, slowest, growthOctets, findings } = report;
    console.log(
      `${codec.padEnd(18)} ${report.inputs} inputs (seed ${seed}), ${percent(accepted / inputs)} accepted, ${(octets / 1e6).toFixed(0)} MB, ` +
        `${Math.round(inputs / seconds)} /s; slowest ${(slowest.microseconds / 1000).toFixed(2)} ms for ${slowest.octets} octets (${seed}:${slowest.index}); ` +
        `memory ${(growthOctets / 1024).toFixed(0)} KiB more`,
    );
    for (const finding of findings) fail(`${codec} ${finding.input}: ${finding.error}\n  ${finding.octets}`);
    if (growthOctets > growthLimitOctets) fail(`${codec}: memory grew`);
  } catch (error) {
    fail((error as Error).message);
  }
}

async function grow(codec: string): Promise<void> {
  try {
    for (const growth of await runInThread(codec, { kind: 'growth', tries: 5 }, deadlineMs)) {
      const sizes = growth.nanosecondsPerOctet.map(
        (value, index) => `${value.toFixed(1)} (${growth.octets[index]})`,
      );
      console.log(
        `${codec.padEnd(18)} ${growth.family.padEnd(34)} ×${growthFactor(growth).toFixed(1)}  ns per octet (octets): ${sizes.join(', ')}`,
      );
    }
  } catch (error) {
    fail((error as Error).message);
  }
}

async function compareWithKamailio(): Promise<void> {
  const reason = enterOwnNamespace();
  if (reason !== undefined) return fail(reason);
  const { compared, differences, unexplained } = await compareParsers(mutatedMessages(seed, from, inputs));
  console.log(
    `${compared} SIP messages (seed ${seed}) to Kamailio and to us; taken by one and refused by the other:`,
  );
  for (const [name, count] of [...differences].toSorted((a, b) => b[1] - a[1])) {
    const row = parserDifferences.find((one) => one.name === name);
    const told = row && `; taken by ${row.takenBy}, the RFC supports ${row.supports}: ${row.why}`;
    console.log(`${String(count).padStart(7)}  ${name}${told ?? ''}`);
  }
  for (const text of unexplained) fail(text);
}

function fail(text: string): void {
  console.error(text);
  process.exitCode = 1;
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(0)} %`;
}
