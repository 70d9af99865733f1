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
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import type { SipResponse } from '../message/sip-message.ts';
import type {
  ClientTransaction,
  ClientTransactionInput,
  ClientTransactionOutput,
  TransactionOptions,
} from './client-transaction.ts';
import { TimerSet } from './timer-set.ts';
import { type SipTimers, transactionTimeoutMs } from './timers.ts';

export class NonInviteClientTransaction implements ClientTransaction {
  /** As long as a final answer is awaited. */
  #octets: Uint8Array | undefined;
  readonly #timers: SipTimers;
  readonly #isReliable: boolean;
  readonly #running = new TimerSet<'E' | 'F' | 'K'>();
  readonly #outputs = new Fifo<ClientTransactionOutput>();
  #state: 'trying' | 'proceeding' | 'completed' | 'terminated' = 'trying';
  #retransmissionMs: number;

  /** The request as it goes out. */
  constructor(octets: Uint8Array, options: TransactionOptions) {
    this.#octets = octets;
    this.#timers = options.timers;
    this.#isReliable = options.isReliable;
    this.#retransmissionMs = options.timers.t1Ms;
    this.#outputs.push({ kind: 'send', octets });
    this.#running.start('F', options.now + transactionTimeoutMs(options.timers));
    if (!options.isReliable) this.#running.start('E', options.now + this.#retransmissionMs);
  }

  get progress(): 'unanswered' | 'proceeding' | 'answered' {
    if (this.#state === 'trying') return 'unanswered';
    return this.#state === 'proceeding' ? 'proceeding' : 'answered';
  }

  /** For timer K, which is shorter. */
  get isAbsorbing(): boolean {
    return false;
  }

  handleInput(input: ClientTransactionInput, now: Instant): void {
    if (this.progress === 'answered') return;
    if (input.kind === 'response') this.#handleResponse(input.response, now);
    else if (input.kind === 'transport-failed') this.#end('transport-failed');
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#running.takeDue(now); due !== undefined; due = this.#running.takeDue(now)) {
      if (due === 'E') this.#retransmit(now);
      else if (due === 'F') this.#end('timed-out');
      else this.#terminate();
    }
  }

  pollOutput(): ClientTransactionOutput | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    return this.#running.earliest();
  }

  #handleResponse(response: SipResponse, now: Instant): void {
    this.#outputs.push({ kind: 'response', response });
    if (response.statusCode < 200) {
      this.#state = 'proceeding';
      return;
    }
    this.#state = 'completed';
    this.#octets = undefined;
    this.#running.stopAll();
    if (this.#isReliable) this.#terminate();
    else this.#running.start('K', now + this.#timers.t4Ms);
  }

  #retransmit(now: Instant): void {
    this.#outputs.push({ kind: 'send', octets: this.#octets! });
    const { t2Ms } = this.#timers;
    this.#retransmissionMs = this.#state === 'proceeding' ? t2Ms : Math.min(this.#retransmissionMs * 2, t2Ms);
    this.#running.start('E', now + this.#retransmissionMs);
  }

  #end(kind: 'timed-out' | 'transport-failed'): void {
    this.#outputs.push({ kind });
    this.#terminate();
  }

  #terminate(): void {
    this.#state = 'terminated';
    this.#running.stopAll();
    this.#outputs.push({ kind: 'terminated' });
  }
}
