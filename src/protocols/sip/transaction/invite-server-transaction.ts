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
import { type SipTimers, transactionTimeoutMs } from './timers.ts';

export class InviteServerTransaction implements ServerTransaction {
  /** For the 100; nothing is kept of it when that is not needed any more, since the transaction may last 32 s longer. */
  #request: SipRequest | undefined;
  readonly #timers: SipTimers;
  readonly #isReliable: boolean;
  readonly #running = new TimerSet<'100' | 'G' | 'H' | 'I' | 'L'>();
  readonly #outputs = new Fifo<ServerTransactionOutput>();
  #state: 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated' = 'proceeding';
  /** As text: octets would keep the memory of others alive, among which they were written. */
  #lastResponse: string | undefined;
  #retransmissionMs: number;

  constructor(request: SipRequest, options: TransactionOptions) {
    this.#request = request;
    this.#timers = options.timers;
    this.#isReliable = options.isReliable;
    this.#retransmissionMs = options.timers.t1Ms;
    this.#running.start('100', options.now + options.timers.tryingMs);
  }

  get isAnswered(): boolean {
    return this.#state !== 'proceeding';
  }

  get isAbsorbing(): boolean {
    return this.#state === 'accepted';
  }

  handleInput(input: ServerTransactionInput, now: Instant): void {
    switch (input.kind) {
      case 'retransmission':
        if (this.#state === 'proceeding' || this.#state === 'completed') this.#sendLast();
        break;
      case 'ack':
        this.#handleAck(input, now);
        break;
      case 'respond':
        this.#respond(input.response, now);
        break;
      case 'transport-failed':
        if (this.#state === 'confirmed' || this.#state === 'terminated') return;
        this.#outputs.push({ kind: 'transport-failed' });
    }
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#running.takeDue(now); due !== undefined; due = this.#running.takeDue(now)) {
      if (due === '100') this.#respond(createResponse(this.#request!, 100), now);
      else if (due === 'G') this.#retransmit(now);
      else {
        if (due === 'H') this.#outputs.push({ kind: 'ack-missing' });
        this.#terminate();
      }
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
    const isSuccess = statusCode >= 200 && statusCode < 300;
    if (this.#state !== 'proceeding' && !(this.#state === 'accepted' && isSuccess)) return;
    this.#lastResponse = formatSipMessage(response);
    this.#sendLast();
    if (this.#state === 'accepted') return;
    this.#running.stop('100');
    this.#request = undefined;
    if (isSuccess) this.#accept(now);
    else if (statusCode >= 300) this.#complete(now);
  }

  #accept(now: Instant): void {
    this.#state = 'accepted';
    this.#lastResponse = undefined;
    this.#running.start('L', now + transactionTimeoutMs(this.#timers));
  }

  #complete(now: Instant): void {
    this.#state = 'completed';
    this.#running.start('H', now + transactionTimeoutMs(this.#timers));
    if (!this.#isReliable) this.#running.start('G', now + this.#retransmissionMs);
  }

  #handleAck(ack: Extract<ServerTransactionInput, { kind: 'ack' }>, now: Instant): void {
    if (this.#state === 'accepted') this.#outputs.push(ack);
    if (this.#state !== 'completed') return;
    this.#state = 'confirmed';
    this.#running.stopAll();
    this.#outputs.push({ kind: 'acknowledged' });
    if (this.#isReliable) this.#terminate();
    else this.#running.start('I', now + this.#timers.t4Ms);
  }

  #retransmit(now: Instant): void {
    this.#sendLast();
    this.#retransmissionMs = Math.min(this.#retransmissionMs * 2, this.#timers.t2Ms);
    this.#running.start('G', now + this.#retransmissionMs);
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
