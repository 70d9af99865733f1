/**
 * Counts what the home agent refuses and decides what is worth an event: the first of a kind from a mobile node at once, the following
 * ones together once a minute, so that nobody can fill a log (RFC 5944 §3.8.2.1 wants such errors logged, RFC 3519 §3.3 not excessively).
 */
import type { Instant } from '../../base/instant.ts';
import { refusalReportIntervalMs } from './limits.ts';

export type RefusalReason =
  | 'malformed'
  | 'not-authenticated'
  | 'unknown-mobile-node'
  | 'bad-authenticator'
  /** Accepted before, or overtaken by a later one on the same path. */
  | 'replayed'
  /** The clocks differ by more than the tolerance, or the request was held back. */
  | 'outside-tolerance'
  /** Denied for what it asks; see its reply's code. */
  | 'denied'
  | 'too-many-requests'
  /** A tunnelled packet that did not come from a registered endpoint. */
  | 'spoofed-tunnel-packet';

interface Entry {
  reportedAt: Instant;
  count: number;
}

export class RefusalLog {
  readonly #entries = new Map<string, Entry>();
  readonly #totals = new Map<RefusalReason, number>();

  /** How often each reason occurred. */
  get totals(): ReadonlyMap<RefusalReason, number> {
    return this.#totals;
  }

  /** `homeAddress` of a known mobile node, or '' (which bounds the log). The count to tell, if it is time to. */
  note(homeAddress: string, reason: RefusalReason, now: Instant): number | undefined {
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
    const key = `${homeAddress} ${reason}`;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { reportedAt: now, count: 0 });
      return 1;
    }
    entry.count += 1;
    if (now - entry.reportedAt < refusalReportIntervalMs) return undefined;
    const { count } = entry;
    entry.reportedAt = now;
    entry.count = 0;
    return count;
  }
}
