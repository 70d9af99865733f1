/** A run of one codec over many inputs: what broke, which input took longest, and whether memory grew. */
import type { FuzzTarget } from './fuzz-target.ts';
import { heapOctets } from './heap.ts';
import { createInput } from './mutator.ts';

export interface RunSettings {
  readonly seed: number;
  /** Number of the first input. */
  readonly from: number;
  readonly inputs: number;
}

export interface Finding {
  readonly input: string;
  readonly error: string;
  /** In hexadecimal, the first 4 kB. */
  readonly octets: string;
}

export interface RunReport {
  readonly inputs: number;
  readonly accepted: number;
  readonly octets: number;
  readonly seconds: number;
  /** The least of several measurements of what took longest at first. */
  readonly slowest: { readonly index: number; readonly octets: number; readonly microseconds: number };
  /** Of the JavaScript heap and of array buffers, garbage collected before and after; the first tenth of the inputs fills caches. */
  readonly growthOctets: number;
  /** The first of each kind. */
  readonly findings: readonly Finding[];
}

const maximumFindings = 5;

/** `onInput` hears of every input before it is tried, for a watchdog in another thread. */
export function runTarget(
  target: FuzzTarget,
  { seed, from, inputs }: RunSettings,
  onInput: (index: number) => void,
): RunReport {
  const findings = new Map<string, Finding>();
  const suspects: { index: number; took: number }[] = [];
  let [accepted, octets, floor] = [0, 0, 0];
  const warm = from + Math.ceil(inputs / 10);
  let before = heapOctets();
  const startedAt = performance.now();
  for (let index = from; index < from + inputs && findings.size < maximumFindings; index++) {
    onInput(index);
    if (index === warm) before = heapOctets();
    const { input, random } = createInput(target, seed, index);
    octets += input.length;
    const start = performance.now();
    try {
      if (target.check(input, random)) accepted++;
    } catch (error) {
      const { stack = '' } = error as Error;
      const kind =
        stack.split('\n').find((line) => line.includes('/src/') || line.includes('/targets/')) ?? stack;
      if (!findings.has(kind)) findings.set(kind, describe(`${seed}:${index}`, input, stack));
    }
    const took = performance.now() - start;
    if (took > floor) floor = keepSlowest(suspects, { index, took });
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const growthOctets = heapOctets() - before;
  const slowest = slowestOf(target, seed, suspects);
  return { inputs, accepted, octets, seconds, slowest, growthOctets, findings: [...findings.values()] };
}

/** Keeps eight, since most of them were only interrupted; returns what the next must exceed. */
function keepSlowest(
  suspects: { index: number; took: number }[],
  suspect: (typeof suspects)[number],
): number {
  suspects.push(suspect);
  suspects.sort((a, b) => b.took - a.took);
  suspects.length = Math.min(suspects.length, 8);
  return suspects.length < 8 ? 0 : suspects.at(-1)!.took;
}

function slowestOf(
  target: FuzzTarget,
  seed: number,
  suspects: readonly { index: number }[],
): RunReport['slowest'] {
  const measured = suspects.map(({ index }) => {
    const { input, random } = createInput(target, seed, index);
    const microseconds = 1000 * leastMs(3, () => target.check(input, random));
    return { index, octets: input.length, microseconds };
  });
  return measured.toSorted((a, b) => b.microseconds - a.microseconds)[0]!;
}

function describe(input: string, octets: Uint8Array, error: string): Finding {
  return { input, error, octets: Buffer.from(octets.subarray(0, 4096)).toString('hex') };
}

/** The least time of several tries; findings are not of interest here. */
export function leastMs(tries: number, attempt: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < tries; count++) {
    const start = performance.now();
    try {
      attempt();
    } catch {
      // Found and told already.
    }
    least = Math.min(least, performance.now() - start);
  }
  return least;
}
