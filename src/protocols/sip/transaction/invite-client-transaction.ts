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
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type {
  ClientTransaction,
  ClientTransactionInput,
  ClientTransactionOutput,
  TransactionOptions,
} from './client-transaction.ts';
import { createAck } from './created-requests.ts';
import { TimerSet } from './timer-set.ts';
import { type SipTimers, transactionTimeoutMs } from './timers.ts';

type State = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';

export class InviteClientTransaction implements ClientTransaction {
  /** As long as an answer is awaited: both are given up then, since the transaction lasts 32 s longer. */
  #request: SipRequest | undefined;
  #octets: Uint8Array | undefined;
  readonly #timers: SipTimers;
  readonly #isReliable: boolean;
  readonly #running = new TimerSet<'A' | 'B' | 'D' | 'M' | 'cancelled'>();
  readonly #outputs = new Fifo<ClientTransactionOutput>();
  #state: State = 'calling';
  #retransmissionMs: number;
  #ack: Uint8Array | undefined;

  /** `request`, which carries its Via and is not changed any more, goes out as `octets`. */
  constructor(request: SipRequest, octets: Uint8Array, options: TransactionOptions) {
    this.#request = request;
    this.#octets = octets;
    this.#timers = options.timers;
    this.#isReliable = options.isReliable;
    this.#retransmissionMs = options.timers.t1Ms;
    this.#send(octets);
    this.#running.start('B', options.now + transactionTimeoutMs(options.timers));
    if (!options.isReliable) this.#running.start('A', options.now + this.#retransmissionMs);
  }

  get progress(): 'unanswered' | 'proceeding' | 'answered' {
    if (this.#state === 'calling') return 'unanswered';
    return this.#state === 'proceeding' ? 'proceeding' : 'answered';
  }

  get isAbsorbing(): boolean {
    return this.#state === 'accepted';
  }

  handleInput(input: ClientTransactionInput, now: Instant): void {
    switch (input.kind) {
      case 'response':
        this.#handleResponse(input.response, now);
        break;
      case 'cancel-sent':
        if (this.#state === 'proceeding')
          this.#running.start('cancelled', now + transactionTimeoutMs(this.#timers));
        break;
      case 'transport-failed':
        if (this.progress === 'answered') return;
        this.#outputs.push({ kind: 'transport-failed' });
        this.#terminate();
    }
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#running.takeDue(now); due !== undefined; due = this.#running.takeDue(now)) {
      if (due === 'A') this.#retransmit(now);
      else {
        if (due === 'B' || due === 'cancelled') this.#outputs.push({ kind: 'timed-out' });
        this.#terminate();
      }
    }
  }

  pollOutput(): ClientTransactionOutput | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    return this.#running.earliest();
  }

  #handleResponse(response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    if (statusCode >= 300) this.#handleFailure(response, now);
    else if (this.progress !== 'answered') {
      this.#running.stop('A');
      this.#running.stop('B');
      this.#outputs.push({ kind: 'response', response });
      this.#state = statusCode < 200 ? 'proceeding' : 'accepted';
      if (statusCode < 200) return;
      this.#forgetRequest();
      this.#running.start('M', now + transactionTimeoutMs(this.#timers));
    } else if (this.#state === 'accepted' && statusCode >= 200)
      this.#outputs.push({ kind: 'response', response });
  }

  #handleFailure(response: SipResponse, now: Instant): void {
    if (this.#state === 'completed') this.#send(this.#ack!);
    if (this.progress === 'answered') return;
    this.#state = 'completed';
    this.#outputs.push({ kind: 'response', response });
    this.#ack = serializeSipMessage(createAck(this.#request!, response));
    this.#send(this.#ack);
    this.#forgetRequest();
    if (this.#isReliable) this.#terminate();
    else this.#running.start('D', now + this.#timers.timerDMs);
  }

  #retransmit(now: Instant): void {
    this.#send(this.#octets!);
    this.#retransmissionMs *= 2;
    this.#running.start('A', now + this.#retransmissionMs);
  }

  #send(octets: Uint8Array): void {
    this.#outputs.push({ kind: 'send', octets });
  }

  #forgetRequest(): void {
    this.#running.stopAll();
    this.#request = undefined;
    this.#octets = undefined;
  }

  #terminate(): void {
    this.#state = 'terminated';
    this.#running.stopAll();
    this.#outputs.push({ kind: 'terminated' });
  }
}
