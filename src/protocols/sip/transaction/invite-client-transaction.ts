/**
 * INVITE client transaction (RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2). The ACK for 300–699 is its own, the ACK for a
 * 2xx is its user's. After a CANCEL it waits 64·T1 for the final response (RFC 3261 §9.1). Once the user has the final response, a
 * transport failure is nothing to it: a repeated response gets its ACK by another attempt.
 *
 *              | send INVITE; A (UDP), B
 *              v     A: send INVITE
 *         +---------+----+
 *    +----| Calling |<---+   B: timed-out, Terminated
 *    |    +---------+        transport failed: transport-failed, Terminated
 *    |         | 1xx: response
 *    |         v      1xx: response
 *    |    +------------+----+
 *    +----| Proceeding |<---+   64·T1 after CANCEL: timed-out, Terminated
 *    |    +------------+
 *    |         | 2xx: response; M        | 300–699: response, send ACK; D
 *    +---------+------------------------>|   (also straight from Calling)
 *              v                         v
 *         +----------+              +-----------+
 *         | Accepted |<-+ 2xx:      | Completed |<-+ 300–699: send ACK
 *         +----------+--+ response  +-----------+--+
 *              | M                       | D (TCP: at once)
 *              v                         v
 *         +--------------------------------+
 *         |           Terminated           |
 *         +--------------------------------+
 */
import type { Instant } from '../../../base/instant.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipResponse } from '../message/sip-message.ts';
import { ClientTransaction } from './client-transaction.ts';
import { createAck } from './created-requests.ts';
import { transactionTimeoutMs } from './timers.ts';

export class InviteClientTransaction extends ClientTransaction {
  /** Whether a CANCEL is to be sent for it. */
  cancellation: 'none' | 'wanted' | 'sent' = 'none';
  #state: 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated' = 'calling';
  #retransmissionMs = 0;
  #ack: Uint8Array | undefined = undefined;

  get progress(): 'unanswered' | 'proceeding' | 'answered' {
    if (this.#state === 'calling') return 'unanswered';
    return this.#state === 'proceeding' ? 'proceeding' : 'answered';
  }

  get isAbsorbing(): boolean {
    return this.#state === 'accepted';
  }

  start(now: Instant): void {
    const { timers } = this.host;
    this.#state = 'calling';
    this.#retransmissionMs = timers.t1Ms;
    this.stopTimers();
    this.startTimer('B', now + transactionTimeoutMs(timers));
    if (!this.isReliable) this.startTimer('A', now + this.#retransmissionMs);
    this.host.send(this, this.prepared!.octets, now);
  }

  /** A CANCEL for it was sent. */
  handleCancellation(now: Instant): void {
    if (this.#state === 'proceeding')
      this.startTimer('cancelled', now + transactionTimeoutMs(this.host.timers));
  }

  handleTransportFailure(): void {
    if (this.progress === 'answered') return;
    this.host.emit(this, { kind: 'transport-failed', transaction: this });
    this.#terminate();
  }

  handleTimeout(now: Instant): void {
    for (let due = this.takeDue(now); due !== undefined; due = this.takeDue(now)) {
      if (due === 'A') this.#retransmit(now);
      else {
        if (due === 'B' || due === 'cancelled')
          this.host.emit(this, { kind: 'timed-out', transaction: this });
        this.#terminate();
      }
    }
  }

  handleResponse(response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    if (statusCode >= 300) this.#handleFailure(response, now);
    else if (this.progress !== 'answered') {
      this.stopTimer('A');
      this.stopTimer('B');
      this.host.emit(this, { kind: 'response', transaction: this, response });
      this.#state = statusCode < 200 ? 'proceeding' : 'accepted';
      if (statusCode < 200) return;
      this.#forgetRequest();
      this.startTimer('M', now + transactionTimeoutMs(this.host.timers));
    } else if (this.#state === 'accepted' && statusCode >= 200)
      this.host.emit(this, { kind: 'response', transaction: this, response });
  }

  #handleFailure(response: SipResponse, now: Instant): void {
    if (this.#state === 'completed') this.host.send(this, this.#ack!, now);
    if (this.progress === 'answered') return;
    this.#state = 'completed';
    this.host.emit(this, { kind: 'response', transaction: this, response });
    this.#ack = serializeSipMessage(createAck(this.prepared!.request, response));
    this.host.send(this, this.#ack, now);
    this.#forgetRequest();
    if (this.isReliable) this.#terminate();
    else this.startTimer('D', now + this.host.timers.timerDMs);
  }

  #retransmit(now: Instant): void {
    this.host.send(this, this.prepared!.octets, now);
    this.#retransmissionMs *= 2;
    this.startTimer('A', now + this.#retransmissionMs);
  }

  #forgetRequest(): void {
    this.stopTimers();
    this.prepared = undefined;
  }

  #terminate(): void {
    this.#state = 'terminated';
    this.#forgetRequest();
    this.host.terminate(this);
  }
}
