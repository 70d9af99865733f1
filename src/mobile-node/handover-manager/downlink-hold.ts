/**
 * Keeps the order of what comes in during a soft handover (TRIM §3.3): a faster access would deliver new segments before those still on
 * their way over the old one. TCP takes that for loss, sends again what is not lost, and a receiver then discards the originals by their
 * timestamps (RFC 7323 §5.3), which ends in a retransmission timeout. So TCP's segments wait where the new access comes in until the answer
 * to the removal of the old contact has come in over the old access: links keep order, so it is behind everything that was under way there.
 * Datagrams do not wait: a late voice packet is as bad as a lost one, and no transport draws conclusions from their order.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { FlowKey } from '../../translation/translation-operation.ts';

export type DownlinkHoldEffect =
  /** Packets of these flows that come in from now on wait, in their order; replaces an earlier hold. Where the kernel cannot, they pass. */
  | { readonly type: 'hold-flows'; readonly flows: readonly FlowKey[] }
  /** What waits comes in, ahead of what follows. */
  | { readonly type: 'pass-flows' };

/** A re-INVITE over the slowest bearer of the lab (0.3 s), then what a bearer buffers (0.5 s); TCP's own patience is not much longer. */
const longestHoldMs: DurationMs = 1000;

export class DownlinkHold {
  readonly #effect: (effect: DownlinkHoldEffect) => void;
  #held: { readonly oldAccess: number; readonly until: Instant } | undefined;

  constructor(effect: (effect: DownlinkHoldEffect) => void) {
    this.#effect = effect;
  }

  /** Before the new access is told to anybody. */
  begin(oldAccess: number, flows: readonly FlowKey[], now: Instant): void {
    const ordered = flows.filter(({ protocol }) => protocol === 'tcp');
    this.end();
    if (ordered.length === 0) return;
    this.#held = { oldAccess, until: now + longestHoldMs };
    this.#effect({ type: 'hold-flows', flows: ordered });
  }

  /** Nothing is under way over that access any more. */
  drained(access: number): void {
    if (this.#held?.oldAccess === access) this.end();
  }

  end(): void {
    if (this.#held === undefined) return;
    this.#held = undefined;
    this.#effect({ type: 'pass-flows' });
  }

  handleTimeout(now: Instant): void {
    if (this.#held !== undefined && this.#held.until <= now) this.end();
  }

  pollTimeout(): Timeout | undefined {
    return this.#held && { at: this.#held.until, reason: 'end of a downlink hold' };
  }
}
