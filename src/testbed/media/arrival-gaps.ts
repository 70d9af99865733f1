/** The times in which nothing arrived, as far as they are longer than usual: which of them a handover made shows only when its instants are known. */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { ArrivalGap } from './media-protocol.ts';

/** Gaps longer than a frame of 40 ms lies apart are no ordinary ones. */
const shortestMs: DurationMs = 45;
/** A stream with more than these is not one to look at gap by gap. */
const maximumGaps = 1000;

export class ArrivalGaps {
  readonly #gaps: ArrivalGap[] = [];
  #lastAt: Instant | undefined;

  arrived(now: Instant): void {
    const ms = now - (this.#lastAt ?? now);
    this.#lastAt = now;
    if (ms >= shortestMs && this.#gaps.length < maximumGaps) this.#gaps.push({ ms, endedAt: now });
  }

  report(): ArrivalGap[] {
    return [...this.#gaps];
  }
}
