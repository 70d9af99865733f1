/** How the time for an input of a family grows with its size: linear time has as many nanoseconds per octet at every size. */
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { leastMs } from './fuzz-run.ts';
import type { FuzzTarget } from './fuzz-target.ts';

export interface Growth {
  readonly family: string;
  /** An eighth, a quarter, half and all of what the codec takes. */
  readonly octets: readonly number[];
  readonly nanosecondsPerOctet: readonly number[];
}

const parts = [8, 4, 2, 1];

export function measureGrowth(
  target: FuzzTarget,
  tries: number,
  onInput: (index: number) => void,
): readonly Growth[] {
  return Object.entries(target.families).map(([family, create], number) => {
    const inputs = parts.map((part) => create(Math.floor(target.maximumOctets / part)));
    const times = inputs.map((input, index) => {
      onInput(parts.length * number + index);
      return leastMs(tries, () => target.check(input, new SeededRandomSource(index)));
    });
    return {
      family,
      octets: inputs.map((input) => input.length),
      nanosecondsPerOctet: times.map((ms, index) => (1e6 * ms) / Math.max(1, inputs[index]!.length)),
    };
  });
}

/** From the smallest to the largest size, eight times as long: 1 for linear time, 8 for quadratic. */
export function growthFactor({ nanosecondsPerOctet }: Growth): number {
  return nanosecondsPerOctet.at(-1)! / Math.max(nanosecondsPerOctet[0]!, 1e-9);
}
