/**
 * One handover of the mobile node from decision to end, with the times of TRIM §4.4. Data and the question "what is left to do"; the steps
 * are taken by handover-procedure.ts. SIP and Mobile IP go side by side (MIP–SIP fig. 2), and it is over when both are:
 *
 *   SIP:        waiting ──reach known──▶ registering ──200──▶ transferring ──every session moved──▶ done
 *                                            └──refused, access lost──▶ failed   └──some did not move──▶ tried again after a pause
 *   Mobile IP:  pending ──the home agent forwards over the new access──▶ confirmed
 *                   └──refused, unreachable──▶ back to the old access; without one: failed, and tried again by the client
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
  sip: 'waiting' | 'registering' | 'transferring' | 'done' | 'failed' = 'waiting';
  /** Of the access that SIP uses for the new one, once that is known. */
  sipIndex: number | undefined;
  binding: 'none' | 'pending' | 'confirmed' | 'failed' = 'none';
  registerMs: DurationMs = 0;
  /** From the decision to the home agent's confirmation. */
  bindingMs: DurationMs | undefined;
  /** When to begin SIP at the latest, then when to try sessions again that did not move. */
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

  get isOver(): boolean {
    return (this.sip === 'done' || this.sip === 'failed') && this.binding !== 'pending';
  }

  /** 488: the session cannot be there, where nobody translates between IPv4 and IPv6 (RFC 3261 §21.4.26). */
  get isWorthAnotherTry(): boolean {
    return [...this.failed.values()].some(({ statusCode }) => statusCode !== 488);
  }

  /** For people. */
  get phase(): string {
    return this.sip === 'registering' || this.sip === 'transferring' ? this.sip : 'binding';
  }

  /** T_sip: the slowest session counts, since all are started at once. */
  get sipMs(): DurationMs {
    return Math.max(0, ...this.moved.map(({ sipMs }) => sipMs));
  }
}
