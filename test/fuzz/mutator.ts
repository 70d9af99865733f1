/**
 * Changes well-formed inputs a little, with an eye for what a codec looks at: octets, tokens, numbers in text, fields of one to four
 * octets, whole lines or attributes. The n-th input of a seed is a function of codec, seed and n, so that each can be made again alone.
 */
import { type RandomSource, randomBelow, SeededRandomSource } from '../../src/base/random-source.ts';
import { type FuzzTarget, octets } from './fuzz-target.ts';

type Mutation = (input: Uint8Array, random: RandomSource, target: FuzzTarget) => Uint8Array;

/** Input number `index` of the run with that seed, and the source for what the target decides by chance. */
export function createInput(
  target: FuzzTarget,
  seed: number,
  index: number,
): { input: Uint8Array; random: RandomSource } {
  const random = new SeededRandomSource(Math.imul(seed, 0x85ebca6b) ^ index);
  return { input: mutated(pick(target.corpus, random), target, random), random };
}

/** A copy, changed in one to four places. */
export function mutated(original: Uint8Array, target: FuzzTarget, random: RandomSource): Uint8Array {
  let input = original;
  for (let count = 1 + randomBelow(random, 4); count > 0; count--)
    input = pick(mutations, random)(input, random, target);
  if (randomBelow(random, 4) > 0) input = target.repair?.(input) ?? input;
  // A copy: what a codec does to its input must not change the corpus.
  return new Uint8Array(input.subarray(0, target.maximumOctets + 16));
}

const flipBit: Mutation = (input, random) => {
  if (input.length === 0) return input;
  const changed = new Uint8Array(input);
  changed[randomBelow(random, input.length)]! ^= 1 << randomBelow(random, 8);
  return changed;
};

const setOctet: Mutation = (input, random) => {
  if (input.length === 0) return input;
  const changed = new Uint8Array(input);
  changed[randomBelow(random, input.length)] = anyOctet(random);
  return changed;
};

const insertOctets: Mutation = (input, random) => {
  const inserted = Uint8Array.from({ length: 1 + randomBelow(random, 4) }, () => anyOctet(random));
  return spliced(input, randomBelow(random, input.length + 1), 0, inserted);
};

const insertToken: Mutation = (input, random, { tokens }) =>
  tokens.length === 0
    ? input
    : spliced(input, randomBelow(random, input.length + 1), randomBelow(random, 3), pick(tokens, random));

const removeOctets: Mutation = (input, random) =>
  spliced(input, randomBelow(random, input.length + 1), 1 + randomBelow(random, 8), nothing);

const cutOff: Mutation = (input, random) => input.subarray(0, randomBelow(random, input.length + 1));

const repeatOctets: Mutation = (input, random) => {
  const at = randomBelow(random, input.length + 1);
  const part = input.subarray(at, at + 1 + randomBelow(random, 16));
  return spliced(input, at, 0, times(part, howOften(random)));
};

/** A field of one to four octets: a little more or less, or a number at the edge. */
const changeField: Mutation = (input, random) => {
  const width = 1 + randomBelow(random, 4);
  if (input.length < width) return input;
  const changed = new Uint8Array(input);
  const at = randomBelow(random, input.length - width + 1);
  const view = new DataView(changed.buffer);
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + view.getUint8(at + index);
  const wanted =
    randomBelow(random, 2) === 0 ? value + randomBelow(random, 33) - 16 : pick(edges, random) % 256 ** width;
  for (let index = 0; index < width; index++)
    changed[at + index] = Math.floor(wanted / 256 ** (width - 1 - index)) & 0xff;
  return changed;
};

/** The first digits behind some place become another number. */
const changeNumber: Mutation = (input, random) => {
  let at = randomBelow(random, input.length + 1);
  while (at < input.length && !isDigit(input[at]!)) at++;
  let end = at;
  while (end < input.length && isDigit(input[end]!)) end++;
  return spliced(input, at, end - at, pick(numbers, random));
};

const doublePiece: Mutation = (input, random, target) => {
  const [from, to] = anyPiece(input, random, target);
  return spliced(input, to, 0, times(input.subarray(from, to), howOften(random)));
};

const removePiece: Mutation = (input, random, target) => {
  const [from, to] = anyPiece(input, random, target);
  return spliced(input, from, to - from, nothing);
};

/** A piece of this or another input of the corpus in front of some piece. */
const transplant: Mutation = (input, random, target) => {
  const donor = pick(target.corpus, random);
  const [from, to] = anyPiece(donor, random, target);
  const [at] = anyPiece(input, random, target);
  return spliced(input, at, 0, donor.subarray(from, to));
};

const splice: Mutation = (input, random, target) => {
  const other = pick(target.corpus, random);
  const [at] = anyPiece(input, random, target);
  const [from] = anyPiece(other, random, target);
  return spliced(input, at, input.length - at, other.subarray(from));
};

const mutations: readonly Mutation[] = [
  ...[flipBit, setOctet, setOctet, insertOctets, insertToken, insertToken, insertToken, removeOctets],
  ...[cutOff, repeatOctets, changeField, changeField, changeNumber, changeNumber],
  ...[doublePiece, removePiece, transplant, transplant, splice],
];

const nothing = new Uint8Array(0);
const edges = [0, 1, 3, 4, 7, 8, 16, 20, 24, 127, 128, 255, 256, 1500, 32_767, 32_768, 65_535, 65_536];
edges.push(0x7f_ffff, 0xff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff);
const numbers: readonly Uint8Array[] = [
  ...['', '-1', '0', '00', '007', '1', '8', '42', '127', '128', '255', '256', '299', '600', '999', '65535'],
  ...['65536', '99999', '2147483647', '2147483648', '4294967295', '4294967296', '9007199254740993'],
  ...['18446744073709551616', '36893488147419103232', '1e3', '0x10', '+1', '1.5', '9'.repeat(400)],
].map(octets);
/** What separates and quotes in one of the protocols, and what overflows. */
const telling = octets(
  '\r\n\t "<>,;:=@%\\?[]()/&*-._#\'`|{}\x00\x01\x03\x04\x07\x0f\x10\x1f\x20\x40\x7f\x80\xc0\xe9\xff',
);

function anyOctet(random: RandomSource): number {
  return randomBelow(random, 3) === 0 ? randomBelow(random, 256) : pick(telling, random);
}

/** Mostly once, seldom very often: what repeats without limit has to be refused, not carried. */
function howOften(random: RandomSource): number {
  const chance = randomBelow(random, 1000);
  return chance === 0 ? 2000 : chance < 30 ? 40 : 1 + randomBelow(random, 3);
}

function anyPiece(input: Uint8Array, random: RandomSource, target: FuzzTarget): [from: number, to: number] {
  const cuts = target.cut(input);
  const index = randomBelow(random, Math.max(1, cuts.length - 1));
  return [cuts[index] ?? 0, cuts[index + 1] ?? input.length];
}

function spliced(input: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array {
  const rest = input.subarray(at + removed);
  const changed = new Uint8Array(at + inserted.length + rest.length);
  changed.set(input.subarray(0, at));
  changed.set(inserted, at);
  changed.set(rest, at + inserted.length);
  return changed;
}

/** At most 64 kB of it. */
function times(part: Uint8Array, count: number): Uint8Array {
  const often = Math.min(count, Math.floor(65_536 / Math.max(1, part.length)));
  const whole = new Uint8Array(part.length * often);
  for (let index = 0; index < often; index++) whole.set(part, index * part.length);
  return whole;
}

function pick<Item>(from: ArrayLike<Item>, random: RandomSource): Item {
  return from[randomBelow(random, from.length)]!;
}

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}
