/**
 * What all transactions are to the table that holds them (RFC 3261 §17): the names by which they are found, and their timers. A server under load has
 * a hundred thousand of them, which are answered and only absorb what is repeated: each is one object and its texts.
 */
import type { Deadline } from '../../../base/deadline-heap.ts';
import type { DeadlineHolder } from '../../../base/held-deadlines.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import type { SipRoute } from '../transport/sip-route.ts';
import type { SipFlow } from '../transport/sip-transport.ts';
import type { FlowEntry } from './flow-index.ts';
import type { SipEvent } from './sip-event.ts';
import type { SipTimers } from './timers.ts';

/** As RFC 3261 §17 and RFC 6026 §7 name them; '100': one is sent. */
type TimerName =
  | '100'
  | 'A'
  | 'B'
  | 'D'
  | 'E'
  | 'F'
  | 'G'
  | 'H'
  | 'I'
  | 'J'
  | 'K'
  | 'L'
  | 'M'
  | 'cancelled'
  | 'unanswered';

/** The table, as its transactions see it. */
export interface TransactionHost<Transaction> {
  readonly timers: SipTimers;
  send(transaction: Transaction, octets: Uint8Array, now: Instant): void;
  /** Tells the transaction user. */
  emit(transaction: Transaction, event: SipEvent): void;
  /** Nothing comes of it any more. */
  terminate(transaction: Transaction): void;
}

export abstract class Transaction<Self> implements Timeout, FlowEntry<Self>, DeadlineHolder<Self> {
  /** Under which what belongs to it is awaited. */
  key: string;
  route: SipRoute;
  /** The transaction user has never heard of it. */
  readonly isInternal: boolean;
  flow: SipFlow | undefined = undefined;
  before: Self | undefined = undefined;
  behind: Self | undefined = undefined;
  deadline: Deadline<Self> | undefined = undefined;
  /** See transaction-deadlines.ts. */
  isInLine = false;
  /** Two timers at most run at a time: one that repeats what was sent, and one that ends what is waited for. The earlier one is the first. */
  #first: TimerName | undefined = undefined;
  #firstAt: Instant | undefined = undefined;
  #second: TimerName | undefined = undefined;
  #secondAt: Instant | undefined = undefined;

  constructor(key: string, route: SipRoute, isInternal: boolean) {
    this.key = key;
    this.route = route;
    this.isInternal = isInternal;
  }

  /** Nothing but the end is to come, 64·T1 after it became so. */
  abstract readonly isAbsorbing: boolean;
  abstract handleTimeout(now: Instant): void;

  /** When it wants to be woken; never: infinity. */
  get at(): Instant {
    return this.#firstAt ?? Number.POSITIVE_INFINITY;
  }

  get reason(): string {
    return this.#first ?? '';
  }

  /** Over TCP nothing is repeated and nothing waits for repetitions. */
  protected get isReliable(): boolean {
    return this.route.transport !== 'udp';
  }

  protected startTimer(name: TimerName, at: Instant): void {
    if (this.#firstAt === undefined || at < this.#firstAt) {
      this.#second = this.#first;
      this.#secondAt = this.#firstAt;
      this.#first = name;
      this.#firstAt = at;
    } else {
      this.#second = name;
      this.#secondAt = at;
    }
  }

  protected stopTimer(name: TimerName): void {
    if (this.#first === name) this.#stopFirst();
    else if (this.#second === name) this.#second = this.#secondAt = undefined;
  }

  protected stopTimers(): void {
    this.#first = this.#second = undefined;
    this.#firstAt = this.#secondAt = undefined;
  }

  /** Stops the earlier timer if it is due and says which one it was. */
  protected takeDue(now: Instant): TimerName | undefined {
    const first = this.#first;
    if (this.at > now) return undefined;
    this.#stopFirst();
    return first;
  }

  #stopFirst(): void {
    this.#first = this.#second;
    this.#firstAt = this.#secondAt;
    this.#second = this.#secondAt = undefined;
  }
}
