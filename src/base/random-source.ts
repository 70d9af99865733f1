/**
 * Where machines take their randomness from. The runtime hands out the operating system's; tests and the virtual lab hand out a
 * seeded one, so that a run is a function of its seed.
 */
export interface RandomSource {
  /** Uniform in [0, 2^32). */
  nextUint32(): number;
}

const alphabet = '0123456789abcdefghijklmnopqrstuv';
const pairs: readonly string[] = Array.from(
  { length: 1024 },
  (_, bits) => `${alphabet[bits & 31]}${alphabet[bits >>> 5]}`,
);

/** A token of `length` characters of [0-9a-z], an even number, for tags, branches and nonces (5 bits each: 32 of the 36 letters are used). */
export function randomToken(random: RandomSource, length: number): string {
  let token = '';
  for (let bits = 0, pool = 0; token.length < length; bits -= 10, pool >>>= 10) {
    if (bits < 10) {
      pool = random.nextUint32();
      bits = 30;
    }
    token += pairs[pool & 1023];
  }
  return token;
}

/** Uniform in [0, 1). */
export function randomFraction(random: RandomSource): number {
  return random.nextUint32() / 0x1_0000_0000;
}

/** Uniform in 0 … bound − 1. */
export function randomBelow(random: RandomSource, bound: number): number {
  return Math.floor(randomFraction(random) * bound);
}

/** xoshiro128** by Blackman and Vigna (public domain): small, fast, good enough for simulation, never for secrets. */
export class SeededRandomSource implements RandomSource {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    // splitmix32 spreads neighbouring seeds over the whole state.
    let state = seed >>> 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next();
  }

  nextUint32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }
}
