/** Randomness of the operating system for machines that run for real: tags, branches, nonces and ports that nobody can guess. */
import { randomFillSync } from 'node:crypto';
import type { RandomSource } from '../base/random-source.ts';

export class SystemRandomSource implements RandomSource {
  /** As many as make asking cheap. */
  readonly #pool = new Uint32Array(4096);
  #used = this.#pool.length;

  nextUint32(): number {
    if (this.#used === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    return this.#pool[this.#used++] ?? 0;
  }
}
