/**
 * When the transactions of a table want to be woken. At any time most of them are answered and only absorb what is repeated, all for 64·T1
 * (timers J, L and M): these come to their end in the order in which they were answered, and wait in a line for it. The others are in a
 * queue of deadlines.
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../../base/machine.ts';

interface Timed {
  readonly transaction: {
    /** Nothing but the end is to come, 64·T1 after it became so. */
    readonly isAbsorbing: boolean;
    pollTimeout(): Timeout | undefined;
  };
  /** As it is noted here. */
  timeout: Timeout | undefined;
}

export class TransactionDeadlines<Entry extends Timed> {
  readonly #queue = new DeadlineQueue<Entry>();
  readonly #absorbing = new Fifo<Entry>();

  /** After all that may have changed when the transaction wants to be woken. */
  note(entry: Entry): void {
    const { isAbsorbing } = entry.transaction;
    const timeout = entry.transaction.pollTimeout();
    if (timeout === entry.timeout) return;
    entry.timeout = timeout;
    if (timeout === undefined || isAbsorbing) this.#queue.delete(entry);
    if (timeout === undefined) return;
    if (isAbsorbing) this.#absorbing.push(entry);
    else this.#queue.set(entry, timeout.at, timeout.reason);
  }

  /** Of one that is not absorbing. */
  delete(entry: Entry): void {
    this.#queue.delete(entry);
  }

  peek(): Timeout | undefined {
    return earlierTimeout(this.#queue.peek(), this.#absorbing.peek()?.timeout);
  }

  takeDue(now: Instant): Entry | undefined {
    const first = this.#absorbing.peek();
    const isDue = first?.timeout !== undefined && first.timeout.at <= now;
    const entry = isDue ? this.#absorbing.shift() : this.#queue.takeDue(now);
    if (entry !== undefined) entry.timeout = undefined;
    return entry;
  }
}
