/** What a fuzzer has to know of a codec: inputs to begin with, how they are built, and which properties hold for any octets whatever. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { isMalformed, type Malformed } from '../../src/base/malformed.ts';
import type { RandomSource } from '../../src/base/random-source.ts';

export interface FuzzTarget {
  readonly name: string;
  /** The largest input that the codec takes; families of growing inputs go up to it. */
  readonly maximumOctets: number;
  readonly corpus: readonly Uint8Array[];
  /** Octets that mean something to this codec. */
  readonly tokens: readonly Uint8Array[];
  /** Where the lines, attributes or extensions of an input begin, and where the last one ends. */
  cut(input: Uint8Array): readonly number[];
  /** Sets the length fields of an input right as far as they can be found, in place or in a copy. */
  repair?(input: Uint8Array): Uint8Array;
  /** Whether the codec accepts; throws where a property does not hold. */
  check(input: Uint8Array, random: RandomSource): boolean;
  /** Inputs of about so many octets that are costly for a codec that does not take time linear in size. */
  readonly families: Readonly<Record<string, (octets: number) => Uint8Array>>;
}

/** parse(serialize(parse(x))) = parse(x). Whether there was anything to compare. */
export function roundTrips<Value, Written>(
  parsed: Value | Malformed | undefined,
  format: (value: Value) => Written,
  parse: (written: Written) => unknown,
): boolean {
  if (parsed === undefined || isMalformed(parsed)) return false;
  const written = format(parsed);
  const again = parse(written);
  if (!isDeepStrictEqual(again, parsed)) assert.deepEqual(again, parsed);
  return true;
}

export function octets(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function latin1(input: Uint8Array): string {
  return Buffer.from(input.buffer, input.byteOffset, input.length).toString('latin1');
}

/** `head`, `piece` again and again up to about `size` octets, `tail`. */
export function repeated(head: string, piece: string, tail = ''): (size: number) => Uint8Array {
  return (size) => {
    const count = Math.max(0, Math.floor((size - head.length - tail.length) / piece.length));
    return octets(head + piece.repeat(count) + tail);
  };
}

/** Of text: behind every line feed. */
export function cutLines(input: Uint8Array): readonly number[] {
  const cuts = [0];
  for (let at = input.indexOf(0x0a); at >= 0; at = input.indexOf(0x0a, at + 1)) cuts.push(at + 1);
  if (cuts.at(-1) !== input.length) cuts.push(input.length);
  return cuts;
}
