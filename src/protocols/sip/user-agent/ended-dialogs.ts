/**
 * Dialogs that have ended, by their names alone: a BYE that crossed ours is still answered with 200 and Replaces declined with 603
 * (RFC 3261 §15.1.2, RFC 3891 §3). They are remembered for twice 64·T1, as long as transactions and their repetitions may last, and given up
 * a generation at a time.
 */
import type { DurationMs, Instant } from '../../../base/instant.ts';
import type { Dialog } from '../dialog/dialog.ts';
import { maxEndedDialogs } from './limits.ts';

export class EndedDialogs {
  readonly #lifetimeMs: DurationMs;
  /** Until when each is remembered. */
  #recent = new Map<string, Instant>();
  #older = new Map<string, Instant>();
  #turnAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(lifetimeMs: DurationMs) {
    this.#lifetimeMs = lifetimeMs;
  }

  add({ callId, localTag, remoteTag }: Dialog, now: Instant): void {
    if (now >= this.#turnAt || this.#recent.size >= maxEndedDialogs) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#turnAt = now + this.#lifetimeMs;
    }
    this.#recent.set(nameOf(callId, localTag, remoteTag), now + this.#lifetimeMs);
  }

  has(callId: string, localTag: string, remoteTag: string, now: Instant): boolean {
    const name = nameOf(callId, localTag, remoteTag);
    const until = this.#recent.get(name) ?? this.#older.get(name);
    return until !== undefined && now < until;
  }
}

function nameOf(callId: string, localTag: string, remoteTag: string): string {
  return `${callId} ${localTag} ${remoteTag}`;
}
