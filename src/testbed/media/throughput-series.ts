/** Counts packets and octets per tenth of a second, for the curves of TRIM fig. 8 and 9. */
import type { Instant } from '../../base/instant.ts';
import type { Series } from './media-protocol.ts';

/** A day of tenths of a second: a limit for runs that nobody ends. */
const maximumIntervals = 864_000;

export class ThroughputSeries {
  readonly #startsAt: Instant;
  readonly #intervalMs: number;
  readonly #packets: number[] = [];
  readonly #octets: number[] = [];

  /** Starts at a whole multiple of the interval, so that series of several programs can be laid over one another. */
  constructor(now: Instant, intervalMs = 100) {
    this.#intervalMs = intervalMs;
    this.#startsAt = Math.floor(now / intervalMs) * intervalMs;
  }

  add(octets: number, at: Instant): void {
    const interval = Math.floor((at - this.#startsAt) / this.#intervalMs);
    if (interval >= maximumIntervals) return;
    while (this.#packets.length <= interval) {
      this.#packets.push(0);
      this.#octets.push(0);
    }
    this.#packets[interval] = (this.#packets[interval] ?? 0) + 1;
    this.#octets[interval] = (this.#octets[interval] ?? 0) + octets;
  }

  report(): Series {
    return {
      startsAt: this.#startsAt,
      intervalMs: this.#intervalMs,
      packets: [...this.#packets],
      octets: [...this.#octets],
    };
  }
}
