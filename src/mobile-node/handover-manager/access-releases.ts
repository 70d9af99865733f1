/**
 * Accesses that the node has moved away from (TRIM §3.3, soft handover). Such an access is released once data came in over the new one, and
 * what was still on its way over the old one has had the time to arrive; when no data comes, after a bounded time. Data only: mobile-node.ts
 * acts.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';

/** The longest a packet may be under way over the old access, as at the home network's translator: 100 packets queued at UMTS's 384 kbit/s take 3.1 s. */
const lingerMs: DurationMs = 5000;

interface Release {
  /** The watch that tells of data over the new access. */
  readonly watch: number;
  at: Instant;
  reason: 'data arrived' | 'no data';
}

export class AccessReleases {
  /** By index of the old access. */
  readonly #pending = new Map<number, Release>();

  begin(access: number, watch: number, giveUpAt: Instant): void {
    this.#pending.set(access, { watch, at: giveUpAt, reason: 'no data' });
  }

  /** The access is wanted again, or gone. */
  cancel(access: number): void {
    this.#pending.delete(access);
  }

  dataArrived(watch: number, now: Instant): void {
    for (const release of this.#pending.values()) {
      if (release.watch !== watch || release.reason === 'data arrived') continue;
      release.reason = 'data arrived';
      release.at = now + lingerMs;
    }
  }

  takeDue(now: Instant): { readonly access: number; readonly reason: Release['reason'] } | undefined {
    for (const [access, { at, reason }] of this.#pending) {
      if (at > now) continue;
      this.#pending.delete(access);
      return { access, reason };
    }
    return undefined;
  }

  pollTimeout(): Timeout | undefined {
    return [...this.#pending.values()]
      .map(({ at }) => ({ at, reason: 'release of an access' }))
      .reduce<Timeout | undefined>(earlierTimeout, undefined);
  }
}
