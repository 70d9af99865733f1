/**
 * What a benchmark is and how it is run. Variants that are to be compared take turns, round by round, so that a noisy neighbour or
 * a warming processor falls on all of them alike; what is reported is the median of the rounds and their spread.
 */
import { wrap } from '../src/cli/manual-page.ts';

/** In the benchmark's unit: one number, or one for each part of the variant, such as the functions of a network. */
export type Sample = number | Readonly<Record<string, number>>;

/** One way of doing the thing; `sample` measures once. A part is reported as a variant named "variant, part". */
export interface Variant {
  readonly name: string;
  readonly sample: () => Sample | Promise<Sample>;
}

/** What the medians must show (or, a goal, should show). */
export interface Requirement {
  readonly text: string;
  readonly kind: 'must' | 'goal';
  readonly isMet: (medianOf: (variant: string) => number) => boolean;
}

export interface Benchmark {
  readonly name: string;
  /** Such as "messages/s" or "ms". */
  readonly unit: string;
  readonly rounds: number;
  readonly variants: readonly Variant[];
  readonly requirements: readonly Requirement[];
  /** Why it cannot run on this machine, or `undefined` when it can. */
  readonly unavailable?: () => string | undefined;
  readonly tearDown?: () => void | Promise<void>;
}

/** Runs all rounds and prints the table. Returns whether every "must" is met. */
export async function runBenchmark(benchmark: Benchmark): Promise<boolean> {
  const reason = benchmark.unavailable?.();
  if (reason !== undefined) {
    console.log(`${benchmark.name}: skipped, ${reason}\n`);
    return true;
  }
  try {
    return report(benchmark, await sampleInTurns(benchmark));
  } finally {
    await benchmark.tearDown?.();
  }
}

async function sampleInTurns({ variants, rounds }: Benchmark): Promise<ReadonlyMap<string, number[]>> {
  const samples = new Map<string, number[]>();
  // Round 0 warms caches and the compiler, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const { name, sample } of variants) {
      for (const [row, value] of rowsOf(name, await sample()))
        if (round === 0) samples.set(row, []);
        else samples.get(row)?.push(value);
    }
  }
  return samples;
}

function rowsOf(variant: string, sample: Sample): readonly (readonly [string, number])[] {
  if (typeof sample === 'number') return [[variant, sample]];
  return Object.entries(sample).map(([part, value]) => [`${variant}, ${part}`, value]);
}

/** Of a row whose numbers still fit into 80 columns beside it; those of a longer name stand below. */
const widestName = 46;

function report(benchmark: Benchmark, samples: ReadonlyMap<string, readonly number[]>): boolean {
  const width = Math.min(widestName, Math.max(...[...samples.keys()].map((name) => name.length)));
  const { name, unit, rounds } = benchmark;
  for (const line of wrap(name, '')) console.log(line);
  for (const line of wrap(`${unit}; median of ${rounds} (smallest … largest)`, '  ')) console.log(line);
  for (const [name, values] of samples) {
    const sorted = values.toSorted((a, b) => a - b);
    const spread = `${format(sorted[0]!)} … ${format(sorted.at(-1)!)}`;
    const label = name.length > width ? `${name}\n  ${' '.repeat(width)}` : name.padEnd(width);
    console.log(`  ${label} ${format(medianOf(values)).padStart(8)} (${spread})`);
  }
  const medianOfVariant = (name: string): number => medianOf(samples.get(name) ?? []);
  let allMet = true;
  for (const { text, kind, isMet } of benchmark.requirements) {
    const met = isMet(medianOfVariant);
    if (kind === 'must') allMet &&= met;
    for (const line of wrap(`${kind} ${text}: ${met ? 'met' : 'NOT MET'}`, '  ')) console.log(line);
  }
  console.log('');
  return allMet;
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(4);
}

/**
 * Operations per second of processor time of `run`, which does one operation per call; about `durationMs` of it. Processor time of all
 * threads, garbage collection included: what one core can do, whoever else uses the machine meanwhile.
 */
export function operationsPerCpuSecond(run: () => void, durationMs = 200): number {
  const batch = 500;
  const start = process.cpuUsage();
  let count = 0;
  let elapsedMicroseconds = 0;
  do {
    for (let i = 0; i < batch; i++) run();
    count += batch;
    const used = process.cpuUsage(start);
    elapsedMicroseconds = used.user + used.system;
  } while (elapsedMicroseconds < durationMs * 1000);
  return (count / elapsedMicroseconds) * 1e6;
}
