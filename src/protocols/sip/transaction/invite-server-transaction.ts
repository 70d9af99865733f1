/**
 * INVITE server transaction (RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1). Repeating a 2xx until its ACK comes is the
 * matter of the UAS core (RFC 3261 §13.3.1.4).
 *
 *                 | new INVITE; send 100 if nothing else is sent within 200 ms
 *                 v      INVITE: send last 1xx; respond 1xx: send it
 *          +------------+----+
 *    +-----| Proceeding |<---+
 *    |     +------------+
 *    |            | respond 300–699: send it; G (UDP), H
 *    | respond    v      INVITE, G: send response
 *    | 2xx:  +-----------+----+
 *    | send  | Completed |<---+    H: ack-missing, Terminated
 *    | it; L +-----------+
 *    |            | ACK: acknowledged; I
 *    |            v
 *    |       +-----------+
 *    |       | Confirmed |  absorbs ACK and INVITE
 *    |       +-----------+
 *    v            | I (TCP: at once)
 *  +----------+   |
 *  | Accepted |   |      INVITE: absorbed; respond 2xx: send it; ACK: ack
 *  +----------+   |
 *    | L          v
 *    |      +------------+
 *    +----->| Terminated |         transport failed: transport-failed, the state stays (RFC 6026 §7.1)
 *           +------------+
 */
import type { Instant } from '../../../base/instant.ts';
import { createResponse } from '../message/create-response.ts';
import { toTagOf } from '../message/header-fields.ts';
import { formatSipMessage, serializeText } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipRoute } from '../transport/sip-route.ts';
import {
  ServerTransaction,
  type ServerTransactionHost,
  type ServerTransactionNames,
} from './server-transaction.ts';
import type { SipArrival } from './sip-event.ts';
import { transactionTimeoutMs } from './timers.ts';

export class InviteServerTransaction extends ServerTransaction {
  /** For the 100; nothing is kept of it when that is not needed any more, since the transaction may last 32 s longer. */
  #request: SipRequest | undefined;
  #state: 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated' = 'proceeding';
  /** As text: octets would keep the memory of others alive, among which they were written. */
  #lastResponse: string | undefined = undefined;
  #retransmissionMs: number;
  /** Of the last response: the answer to a CANCEL repeats it, and an ACK of RFC 2543 is known by it. */
  #toTag: string | undefined = undefined;

  constructor(
    request: SipRequest,
    names: ServerTransactionNames,
    route: SipRoute,
    host: ServerTransactionHost,
    now: Instant,
  ) {
    super(names, route, host);
    this.#request = request;
    this.#retransmissionMs = host.timers.t1Ms;
    this.startTimer('100', now + host.timers.tryingMs);
  }

  get isAnswered(): boolean {
    return this.#state !== 'proceeding';
  }

  get isAbsorbing(): boolean {
    return this.#state === 'accepted';
  }

  get toTag(): string | undefined {
    return this.#toTag;
  }

  handleRetransmission(now: Instant): void {
    if (this.#state === 'proceeding' || this.#state === 'completed') this.#sendLast(now);
  }

  handleAck(ack: SipRequest, arrival: SipArrival, now: Instant): void {
    if (this.#state === 'accepted') this.host.emit(this, { kind: 'ack', request: ack, ...arrival });
    if (this.#state !== 'completed') return;
    this.#state = 'confirmed';
    this.stopTimers();
    this.host.emit(this, { kind: 'acknowledged', transaction: this });
    if (this.isReliable) this.#terminate();
    else this.startTimer('I', now + this.host.timers.t4Ms);
  }

  handleTransportFailure(): void {
    if (this.#state === 'confirmed' || this.#state === 'terminated') return;
    this.host.emit(this, { kind: 'transport-failed', transaction: this });
  }

  handleTimeout(now: Instant): void {
    for (let due = this.takeDue(now); due !== undefined; due = this.takeDue(now)) {
      if (due === '100') this.respond(createResponse(this.#request!, 100), now);
      else if (due === 'G') this.#retransmit(now);
      else {
        if (due === 'H') this.host.emit(this, { kind: 'ack-missing', transaction: this });
        this.#terminate();
      }
    }
  }

  respond(response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    const isSuccess = statusCode >= 200 && statusCode < 300;
    this.#toTag = toTagOf(response) ?? this.#toTag;
    if (this.#state !== 'proceeding' && !(this.#state === 'accepted' && isSuccess)) return;
    this.#lastResponse = formatSipMessage(response);
    this.#sendLast(now);
    if (this.#state === 'accepted') return;
    this.stopTimer('100');
    this.#request = undefined;
    if (isSuccess) this.#accept(now);
    else if (statusCode >= 300) this.#complete(now);
  }

  #accept(now: Instant): void {
    this.#state = 'accepted';
    this.#lastResponse = undefined;
    this.startTimer('L', now + transactionTimeoutMs(this.host.timers));
  }

  #complete(now: Instant): void {
    this.#state = 'completed';
    this.startTimer('H', now + transactionTimeoutMs(this.host.timers));
    if (!this.isReliable) this.startTimer('G', now + this.#retransmissionMs);
  }

  #retransmit(now: Instant): void {
    this.#sendLast(now);
    this.#retransmissionMs = Math.min(this.#retransmissionMs * 2, this.host.timers.t2Ms);
    this.startTimer('G', now + this.#retransmissionMs);
  }

  #sendLast(now: Instant): void {
    if (this.#lastResponse !== undefined) this.host.send(this, serializeText(this.#lastResponse), now);
  }

  #terminate(): void {
    this.#state = 'terminated';
    this.stopTimers();
    this.host.terminate(this);
  }
}
