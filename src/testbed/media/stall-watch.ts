/** The longest times in which a transfer made no progress. Which of them a handover made shows only when its instant is known. */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { ArrivalGap } from './media-protocol.ts';

/** Shorter than the 20 ms between two writes of a limited sender, longer than what jitter and slow start make of a transfer at full speed. */
const shortestMs: DurationMs = 10;
const maximumStalls = 64;

export class StallWatch {
  /** In order of time. */
  readonly #stalls: ArrivalGap[] = [];
  #lastProgressAt: Instant | undefined;

  progressed(now: Instant): void {
    const ms = now - (this.#lastProgressAt ?? now);
    this.#lastProgressAt = now;
    if (ms < shortestMs) return;
    this.#stalls.push({ ms, endedAt: now });
    if (this.#stalls.length > maximumStalls) this.#stalls.splice(this.#indexOf(Math.min), 1);
  }

  /** The 64 longest of 10 ms or more, in order of time. */
  get stalls(): ArrivalGap[] {
    return [...this.#stalls];
  }

  get longest(): ArrivalGap | undefined {
    return this.#stalls[this.#indexOf(Math.max)];
  }

  #indexOf(extreme: (...lengths: number[]) => number): number {
    const lengths = this.#stalls.map(({ ms }) => ms);
    return lengths.indexOf(extreme(...lengths));
  }
}
