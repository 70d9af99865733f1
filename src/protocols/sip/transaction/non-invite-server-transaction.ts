/**
 * Non-INVITE server transaction (RFC 3261 §17.2.2 with RFC 4320 §4): the only provisional response is 100, over UDP not before the
 * client's timer E has reached T2, and then always; 408 is never sent. When 64·T1 have passed without a final response the client
 * has given up, so the transaction ends unanswered.
 *
 *              | new request
 *              v     request: absorbed
 *         +--------+----+
 *    +----| Trying |<---+          64·T1: Terminated
 *    |    +--------+
 *    |         | 3.5 s after the request, or respond 100 over TCP: send 100
 *    |         v      request: send 100
 *    |    +------------+----+
 *    |    | Proceeding |<---+      64·T1: Terminated
 *    |    +------------+
 *    |         | respond 200–699 except 408: send it; J
 *    +-------->|
 *              v      request: send response
 *         +-----------+----+
 *         | Completed |<---+       transport failed in any state: transport-failed
 *         +-----------+
 *              | J (TCP: at once)
 *              v
 *         +------------+
 *         | Terminated |
 *         +------------+
 */
import type { Instant } from '../../../base/instant.ts';
import { createResponse } from '../message/create-response.ts';
import { formatSipMessage, serializeText } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipRoute } from '../transport/sip-route.ts';
import {
  ServerTransaction,
  type ServerTransactionHost,
  type ServerTransactionNames,
} from './server-transaction.ts';
import { nonInviteTryingMs, transactionTimeoutMs } from './timers.ts';

export class NonInviteServerTransaction extends ServerTransaction {
  /** For the 100, as long as that may be needed. */
  #request: SipRequest | undefined;
  #state: 'trying' | 'proceeding' | 'completed' | 'terminated' = 'trying';
  /** As text: octets would keep the memory of others alive, among which they were written. */
  #lastResponse: string | undefined = undefined;

  constructor(
    request: SipRequest,
    names: ServerTransactionNames,
    route: SipRoute,
    host: ServerTransactionHost,
    now: Instant,
  ) {
    super(names, route, host);
    this.#request = request;
    this.startTimer('100', now + nonInviteTryingMs(host.timers));
    this.startTimer('unanswered', now + transactionTimeoutMs(host.timers));
  }

  get isAnswered(): boolean {
    return this.#state === 'completed' || this.#state === 'terminated';
  }

  get isAbsorbing(): boolean {
    return this.#state === 'completed';
  }

  handleRetransmission(now: Instant): void {
    if (this.#state !== 'terminated') this.#sendLast(now);
  }

  handleTransportFailure(): void {
    if (this.#state !== 'terminated') this.host.emit(this, { kind: 'transport-failed', transaction: this });
  }

  handleTimeout(now: Instant): void {
    for (let due = this.takeDue(now); due !== undefined; due = this.takeDue(now)) {
      if (due === '100') this.#proceed(createResponse(this.#request!, 100), now);
      else this.#terminate();
    }
  }

  respond(response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    if (this.isAnswered || statusCode === 408) return;
    if (statusCode >= 200) this.#complete(response, now);
    else if (statusCode === 100 && this.isReliable) this.#proceed(response, now);
  }

  #proceed(trying: SipResponse, now: Instant): void {
    this.#state = 'proceeding';
    this.stopTimer('100');
    this.#lastResponse = formatSipMessage(trying);
    this.#sendLast(now);
  }

  #complete(response: SipResponse, now: Instant): void {
    this.#state = 'completed';
    this.#request = undefined;
    this.stopTimers();
    this.#lastResponse = formatSipMessage(response);
    this.#sendLast(now);
    if (this.isReliable) this.#terminate();
    else this.startTimer('J', now + transactionTimeoutMs(this.host.timers));
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
