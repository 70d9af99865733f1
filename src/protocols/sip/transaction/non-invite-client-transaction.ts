/**
 * Non-INVITE client transaction (RFC 3261 §17.1.2), for CANCEL too.
 *
 *              | send request; E (UDP), F
 *              v     E: send request
 *         +--------+----+
 *    +----| Trying |<---+        F: timed-out, Terminated
 *    |    +--------+             transport failed: transport-failed, Terminated
 *    |         | 1xx: response
 *    |         v      1xx: response; E (every T2): send request
 *    |    +------------+----+
 *    |    | Proceeding |<---+    F, transport failed: as above
 *    |    +------------+
 *    |         | 200–699: response; K
 *    +-------->|
 *              v
 *         +-----------+
 *         | Completed |  absorbs repeated responses
 *         +-----------+
 *              | K (TCP: at once)
 *              v
 *         +------------+
 *         | Terminated |
 *         +------------+
 */
import type { Instant } from '../../../base/instant.ts';
import type { SipResponse } from '../message/sip-message.ts';
import { ClientTransaction } from './client-transaction.ts';
import { transactionTimeoutMs } from './timers.ts';

export class NonInviteClientTransaction extends ClientTransaction {
  #state: 'trying' | 'proceeding' | 'completed' | 'terminated' = 'trying';
  #retransmissionMs = 0;

  get progress(): 'unanswered' | 'proceeding' | 'answered' {
    if (this.#state === 'trying') return 'unanswered';
    return this.#state === 'proceeding' ? 'proceeding' : 'answered';
  }

  /** For timer K, which is shorter. */
  get isAbsorbing(): boolean {
    return false;
  }

  start(now: Instant): void {
    const { timers } = this.host;
    this.#state = 'trying';
    this.#retransmissionMs = timers.t1Ms;
    this.stopTimers();
    this.startTimer('F', now + transactionTimeoutMs(timers));
    if (!this.isReliable) this.startTimer('E', now + this.#retransmissionMs);
    this.host.send(this, this.prepared!.octets, now);
  }

  handleTransportFailure(): void {
    if (this.progress !== 'answered') this.#fail('transport-failed');
  }

  handleTimeout(now: Instant): void {
    for (let due = this.takeDue(now); due !== undefined; due = this.takeDue(now)) {
      if (due === 'E') this.#retransmit(now);
      else if (due === 'F') this.#fail('timed-out');
      else this.#terminate();
    }
  }

  handleResponse(response: SipResponse, now: Instant): void {
    if (this.progress === 'answered') return;
    this.host.emit(this, { kind: 'response', transaction: this, response });
    if (response.statusCode < 200) {
      this.#state = 'proceeding';
      return;
    }
    this.#state = 'completed';
    this.prepared = undefined;
    this.stopTimers();
    if (this.isReliable) this.#terminate();
    else this.startTimer('K', now + this.host.timers.t4Ms);
  }

  #retransmit(now: Instant): void {
    this.host.send(this, this.prepared!.octets, now);
    const { t2Ms } = this.host.timers;
    this.#retransmissionMs = this.#state === 'proceeding' ? t2Ms : Math.min(this.#retransmissionMs * 2, t2Ms);
    this.startTimer('E', now + this.#retransmissionMs);
  }

  #fail(kind: 'timed-out' | 'transport-failed'): void {
    this.host.emit(this, { kind, transaction: this });
    this.#terminate();
  }

  #terminate(): void {
    this.#state = 'terminated';
    this.prepared = undefined;
    this.stopTimers();
    this.host.terminate(this);
  }
}
