/**
 * Repeats a step on an absolute schedule: a step that comes late does not delay those after it, so that the rate is kept however the
 * machine stumbles.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { monotonicNow } from '../../runtime/monotonic-clock.ts';

export class Pacer {
  /** Does what is due at that instant and says how long after it the next step is due. */
  readonly #step: (dueAt: Instant) => DurationMs;
  #timer: NodeJS.Timeout | undefined;
  #dueAt: Instant;
  #latestMs: DurationMs = 0;

  constructor(step: (dueAt: Instant) => DurationMs) {
    this.#step = step;
    this.#dueAt = monotonicNow();
    this.#run();
  }

  /** The most that a step was late. */
  get latestMs(): DurationMs {
    return this.#latestMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #run(): void {
    for (let now = monotonicNow(); now >= this.#dueAt; now = monotonicNow()) {
      this.#latestMs = Math.max(this.#latestMs, now - this.#dueAt);
      this.#dueAt += this.#step(this.#dueAt);
    }
    this.#timer = setTimeout(() => this.#run(), this.#dueAt - monotonicNow());
  }
}
