/**
 * Bindings of accesses that are gone, which the agent still has: they are taken back over another access, a few times until a reply comes.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { lowerHalf } from '../../protocols/mobile-ip/timestamp.ts';
import { minimumRequestIntervalMs, withdrawalAttempts } from './limits.ts';

interface Withdrawal {
  readonly access: string;
  readonly careOfAddress: string;
  at: Instant;
  attempts: number;
  /** Lower halves of the requests' identifications. */
  readonly requests: number[];
}

export class Withdrawals {
  readonly #withdrawals = new Map<string, Withdrawal>();

  get nextAt(): Instant {
    return Math.min(...[...this.#withdrawals.values()].map(({ at }) => at));
  }

  add(access: string, careOfAddress: string, now: Instant): void {
    this.#withdrawals.set(access, { access, careOfAddress, at: now, attempts: 0, requests: [] });
  }

  /** The access is there again: its next registration counts. */
  cancel(access: string): void {
    this.#withdrawals.delete(access);
  }

  /** Those to be sent now; the next attempt of each waits twice as long. */
  takeDue(now: Instant): readonly Withdrawal[] {
    const due: Withdrawal[] = [];
    for (const withdrawal of this.#withdrawals.values()) {
      if (withdrawal.at > now) continue;
      if (withdrawal.attempts >= withdrawalAttempts) {
        this.#withdrawals.delete(withdrawal.access);
        continue;
      }
      const waitMs: DurationMs = minimumRequestIntervalMs * 2 ** withdrawal.attempts;
      withdrawal.attempts += 1;
      withdrawal.at = now + waitMs;
      due.push(withdrawal);
    }
    return due;
  }

  sent(access: string, identification: bigint): void {
    this.#withdrawals.get(access)?.requests.push(lowerHalf(identification));
  }

  /** Whether a reply was to one of them; whatever it says, there is nothing more to be done. */
  answered(lower: number): boolean {
    for (const { access, requests } of this.#withdrawals.values())
      if (requests.includes(lower)) return this.#withdrawals.delete(access);
    return false;
  }
}
