/**
 * One handover of the mobile node from decision to end, with the four times of TRIM §4.4. Data and the question "what is left to do"; the
 * steps are taken by mobile-node.ts, in this order:
 *
 *   registering ──200──▶ transferring ──every session moved──▶ over; the old access is released later (access-releases.ts)
 *        └──refused, access lost──▶ over (failed)   └──some did not move──▶ tried again after a pause
 */
import type { DurationMs, Instant } from '../../base/instant.ts';

/** Soft: the old access still lives when the handover starts (make before break); hard: it does not. First: there was none before. */
export type HandoverKind = 'soft' | 'hard' | 'first';

export interface SessionTransfer {
  readonly session: string;
  readonly sipMs: DurationMs;
  readonly method: string;
}

export class Handover {
  readonly from: number | undefined;
  readonly to: number;
  readonly kind: HandoverKind;
  readonly startedAt: Instant;
  phase: 'registering' | 'transferring' = 'registering';
  registerMs: DurationMs = 0;
  /** When to try sessions again that did not move. */
  deadline: Instant | undefined;
  attempts: number;
  readonly moved: SessionTransfer[] = [];
  readonly failed: Map<string, { readonly statusCode: number; readonly reason: string }> = new Map();

  constructor(from: number | undefined, to: number, kind: HandoverKind, startedAt: Instant) {
    this.from = from;
    this.to = to;
    this.kind = kind;
    this.startedAt = startedAt;
    this.attempts = 1;
  }

  /** T_sip: the slowest session counts, since all are started at once. */
  get sipMs(): DurationMs {
    return Math.max(0, ...this.moved.map(({ sipMs }) => sipMs));
  }
}
