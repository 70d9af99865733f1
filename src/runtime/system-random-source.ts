/** Randomness of the operating system for machines that run for real: tags, branches, nonces and ports that nobody can guess. */
import { randomFillSync } from 'node:crypto';
import type { RandomSource } from '../base/random-source.ts';

export class SystemRandomSource implements RandomSource {
  readonly #pool = new Uint32Array(256);
  #used = 256;

  nextUint32(): number {
    if (this.#used === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    return this.#pool[this.#used++] ?? 0;
  }
}
