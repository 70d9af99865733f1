/**
 * The application-layer watchdog of one connection (RFC 3539 §3.4.1 and appendix A), as RFC 6733 §5.5.3 asks for it.
 *
 *   initial ──up──▶ okay ──Tw, DWR pending──▶ suspect ──Tw──▶ down ──up──▶ reopen ──3 DWA──▶ okay
 *                     ▲──────── any message ─────┘              ▲── Tw twice without DWA ──┘
 *
 * Reopening connections is the peer's task (Tc), so the states `initial` and `down` run no timer here.
 * A peer that came back as a new process (another Origin-State-Id) or that said goodbye before (DPR) begins at `okay` again: what
 * RFC 3539 distrusts is a connection that failed and is said to work again.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { type RandomSource, randomFraction } from '../../base/random-source.ts';

export type WatchdogStatus = 'initial' | 'okay' | 'suspect' | 'down' | 'reopen';
export type WatchdogAction = 'send-watchdog-request' | 'fail-over' | 'fail-back' | 'close-connection';

/** Tw may not be shorter (RFC 3539 §3.4.1 [1]). */
export const minimumWatchdogMs = 6000;
/** "Adding a value drawn between -2 and 2 seconds" (RFC 3539 §3.4.1 [1]). */
const jitterMs = 2000;
/** Watchdog answers that a reopened connection must have given (RFC 3539 §3.4.1 [5]). */
const answersToTrust = 3;

export class Watchdog {
  readonly #intervalMs: DurationMs;
  readonly #random: RandomSource;
  #status: WatchdogStatus = 'initial';
  #isPending = false;
  /** NumDWA of RFC 3539; -1 marks one expiry without an answer. */
  #answers = 0;
  #expiry: Timeout | undefined;

  constructor(intervalMs: DurationMs, random: RandomSource) {
    this.#intervalMs = Math.max(intervalMs, minimumWatchdogMs);
    this.#random = random;
  }

  get status(): WatchdogStatus {
    return this.#status;
  }

  /** `isNewProcess`: the peer restarted or closed in an orderly way, nothing is held against it. */
  connectionUp(isNewProcess: boolean, now: Instant): readonly WatchdogAction[] {
    this.#set(now);
    this.#isPending = false;
    if (this.#status === 'initial' || isNewProcess) {
      this.#status = 'okay';
      return [];
    }
    this.#status = 'reopen';
    this.#answers = 0;
    this.#isPending = true;
    return ['send-watchdog-request'];
  }

  connectionDown(): void {
    this.#status = 'down';
    this.#isPending = false;
    this.#expiry = undefined;
  }

  messageReceived(isWatchdogAnswer: boolean, now: Instant): readonly WatchdogAction[] {
    if (isWatchdogAnswer) this.#isPending = false;
    switch (this.#status) {
      case 'okay':
        this.#set(now);
        return [];
      case 'suspect':
        this.#status = 'okay';
        this.#set(now);
        return ['fail-back'];
      case 'reopen':
        return isWatchdogAnswer ? this.#countAnswer() : [];
      default:
        return [];
    }
  }

  handleTimeout(now: Instant): readonly WatchdogAction[] {
    if (this.#expiry === undefined || now < this.#expiry.at) return [];
    this.#set(now);
    if (!this.#isPending) {
      this.#isPending = true;
      return ['send-watchdog-request'];
    }
    if (this.#status === 'okay') {
      this.#status = 'suspect';
      return ['fail-over'];
    }
    if (this.#status === 'reopen' && this.#answers >= 0) {
      this.#answers = -1;
      return [];
    }
    return ['close-connection'];
  }

  pollTimeout(): Timeout | undefined {
    return this.#expiry;
  }

  #countAnswer(): readonly WatchdogAction[] {
    this.#answers += 1;
    if (this.#answers < answersToTrust) return [];
    this.#status = 'okay';
    return ['fail-back'];
  }

  #set(now: Instant): void {
    const jitter = (2 * randomFraction(this.#random) - 1) * jitterMs;
    this.#expiry = { at: now + this.#intervalMs + jitter, reason: 'Tw' };
  }
}
