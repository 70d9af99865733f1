/**
 * When the transactions of a table want to be woken. At any time most of them are answered and only absorb what is repeated, all for 64·T1
 * (timers J, L and M): these come to their end in the order in which they were answered, and wait in a line for it. The others are in a
 * queue of deadlines.
 */
import { Fifo } from '../../../base/fifo.ts';
import { type DeadlineHolder, HeldDeadlines } from '../../../base/held-deadlines.ts';
import type { Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../../base/machine.ts';

/** `at`: when it wants to be woken, or infinity. */
interface Timed<Self> extends Timeout, DeadlineHolder<Self> {
  /** Nothing but the end is to come, 64·T1 after it became so. */
  readonly isAbsorbing: boolean;
  /** Whether it waits in the line; written here alone. */
  isInLine: boolean;
}

export class TransactionDeadlines<Transaction extends Timed<Transaction>> {
  readonly #queue = new HeldDeadlines<Transaction>();
  readonly #absorbing = new Fifo<Transaction>();

  /** After all that may have changed when the transaction wants to be woken. */
  note(transaction: Transaction): void {
    if (transaction.isInLine) return;
    const { at, isAbsorbing } = transaction;
    if (isAbsorbing) {
      this.#queue.delete(transaction);
      this.#absorbing.push(transaction);
      transaction.isInLine = true;
    } else if (at === Number.POSITIVE_INFINITY) this.#queue.delete(transaction);
    else if (at !== transaction.deadline?.at) this.#queue.set(transaction, at, transaction.reason);
  }

  peek(): Timeout | undefined {
    return earlierTimeout(this.#queue.peek(), this.#absorbing.peek());
  }

  takeDue(now: Instant): Transaction | undefined {
    const first = this.#absorbing.peek();
    if (first === undefined || first.at > now) return this.#queue.takeDue(now);
    first.isInLine = false;
    return this.#absorbing.shift();
  }
}
