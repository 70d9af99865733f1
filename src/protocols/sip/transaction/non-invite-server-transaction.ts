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
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { createResponse } from '../message/create-response.ts';
import { formatSipMessage, serializeText } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { TransactionOptions } from './client-transaction.ts';
import type {
  ServerTransaction,
  ServerTransactionInput,
  ServerTransactionOutput,
} from './server-transaction.ts';
import { TimerSet } from './timer-set.ts';
import { nonInviteTryingMs, type SipTimers, transactionTimeoutMs } from './timers.ts';

export class NonInviteServerTransaction implements ServerTransaction {
  /** For the 100, as long as that may be needed. */
  #request: SipRequest | undefined;
  readonly #timers: SipTimers;
  readonly #isReliable: boolean;
  readonly #running = new TimerSet<'100' | 'unanswered' | 'J'>();
  readonly #outputs = new Fifo<ServerTransactionOutput>();
  #state: 'trying' | 'proceeding' | 'completed' | 'terminated' = 'trying';
  /** As text: octets would keep the memory of others alive, among which they were written. */
  #lastResponse: string | undefined;

  constructor(request: SipRequest, options: TransactionOptions) {
    this.#request = request;
    this.#timers = options.timers;
    this.#isReliable = options.isReliable;
    this.#running.start('100', options.now + nonInviteTryingMs(options.timers));
    this.#running.start('unanswered', options.now + transactionTimeoutMs(options.timers));
  }

  get isAnswered(): boolean {
    return this.#state === 'completed' || this.#state === 'terminated';
  }

  get isAbsorbing(): boolean {
    return this.#state === 'completed';
  }

  handleInput(input: ServerTransactionInput, now: Instant): void {
    if (this.#state === 'terminated') return;
    if (input.kind === 'retransmission') this.#sendLast();
    else if (input.kind === 'respond') this.#respond(input.response, now);
    else if (input.kind === 'transport-failed') this.#outputs.push({ kind: 'transport-failed' });
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#running.takeDue(now); due !== undefined; due = this.#running.takeDue(now)) {
      if (due === '100') this.#proceed(createResponse(this.#request!, 100));
      else this.#terminate();
    }
  }

  pollOutput(): ServerTransactionOutput | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    return this.#running.earliest();
  }

  #respond(response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    if (this.isAnswered || statusCode === 408) return;
    if (statusCode >= 200) this.#complete(response, now);
    else if (statusCode === 100 && this.#isReliable) this.#proceed(response);
  }

  #proceed(trying: SipResponse): void {
    this.#state = 'proceeding';
    this.#running.stop('100');
    this.#lastResponse = formatSipMessage(trying);
    this.#sendLast();
  }

  #complete(response: SipResponse, now: Instant): void {
    this.#state = 'completed';
    this.#request = undefined;
    this.#running.stopAll();
    this.#lastResponse = formatSipMessage(response);
    this.#sendLast();
    if (this.#isReliable) this.#terminate();
    else this.#running.start('J', now + transactionTimeoutMs(this.#timers));
  }

  #sendLast(): void {
    if (this.#lastResponse === undefined) return;
    this.#outputs.push({ kind: 'send', octets: serializeText(this.#lastResponse) });
  }

  #terminate(): void {
    this.#state = 'terminated';
    this.#running.stopAll();
    this.#outputs.push({ kind: 'terminated' });
  }
}
