/**
 * Counts what a network function refuses and decides what is worth an event: the first of a kind that concerns a user at once, the
 * following ones together once a minute, so that nobody can fill a log (RFC 5944 §3.8.2.1 wants such errors logged, RFC 3519 §3.3 not
 * excessively).
 */
import type { DurationMs, Instant } from './instant.ts';

/** The same refusal of the same user is told once in this time, with how often it happened. */
const reportIntervalMs: DurationMs = 60_000;

interface Entry {
  reportedAt: Instant;
  count: number;
}

export class RefusalLog<Reason extends string> {
  readonly #entries = new Map<string, Entry>();
  readonly #totals = new Map<Reason, number>();

  /** How often each reason occurred. */
  get totals(): ReadonlyMap<Reason, number> {
    return this.#totals;
  }

  /** `user`: one that is known, or '' (which bounds the log). The count to tell, if it is time to. */
  note(user: string, reason: Reason, now: Instant): number | undefined {
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
    const key = `${user} ${reason}`;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { reportedAt: now, count: 0 });
      return 1;
    }
    entry.count += 1;
    if (now - entry.reportedAt < reportIntervalMs) return undefined;
    const { count } = entry;
    entry.reportedAt = now;
    entry.count = 0;
    return count;
  }
}
