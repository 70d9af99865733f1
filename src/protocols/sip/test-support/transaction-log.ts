/** The table of one transaction: drives it through virtual time and writes down what it does, one line each: "500 send INVITE". */
import type { Instant } from '../../../base/instant.ts';
import type { SipEvent } from '../transaction/sip-event.ts';
import { defaultSipTimers, type SipTimers } from '../transaction/timers.ts';
import type { TransactionHost } from '../transaction/transaction.ts';
import type { SipRoute } from '../transport/sip-route.ts';

interface Timed {
  readonly at: Instant;
  handleTimeout(now: Instant): void;
}

export class TransactionLog<Transaction extends Timed> implements TransactionHost<unknown> {
  readonly timers: SipTimers = defaultSipTimers;
  readonly transaction: Transaction;
  /** All that was sent. */
  readonly sent: Uint8Array[] = [];
  #lines: string[] = [];
  #now: Instant = 0;

  constructor(create: (host: TransactionHost<unknown>) => Transaction) {
    this.transaction = create(this);
  }

  send(_transaction: unknown, octets: Uint8Array): void {
    this.sent.push(octets);
    this.#lines.push(`${this.#now} send ${nameOf(octets)}`);
  }

  emit(_transaction: unknown, { kind }: SipEvent): void {
    this.#lines.push(`${this.#now} ${kind}`);
  }

  terminate(): void {
    this.#lines.push(`${this.#now} terminated`);
  }

  /** Lets time pass until `at`, then gives the input. */
  input(at: Instant, input: (transaction: Transaction, now: Instant) => void): this {
    this.run(at);
    input(this.transaction, at);
    return this;
  }

  run(until: Instant): this {
    for (let { at } = this.transaction; at <= until; { at } = this.transaction) {
      this.#now = at;
      this.transaction.handleTimeout(at);
    }
    this.#now = until;
    return this;
  }

  /** What was written since the last call. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}

export function testRoute(transport: 'udp' | 'tcp'): SipRoute {
  const local = { address: '10.0.0.1', port: 5060 };
  const remote = { address: '10.0.0.2', port: 5060 };
  return transport === 'udp' ? { transport, local, remote, flow: 'test' } : { transport, local, remote };
}

/** The method of a request, the status code of a response. */
function nameOf(octets: Uint8Array): string {
  const [first, second] = Buffer.from(octets).toString('latin1').split(' ', 2);
  return (first === 'SIP/2.0' ? second : first) ?? '';
}
