/**
 * The few timers of one transaction. They are due in the order of their instants; the owner keeps the earliest one in its queue.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';

interface Timer<Name extends string> extends Timeout {
  readonly reason: Name;
  next: Timer<Name> | undefined;
}

export class TimerSet<Name extends string> {
  /** The earliest, and behind it the others in the order of their instants. */
  #first: Timer<Name> | undefined;

  /** In place of the one of that name that runs. */
  start(name: Name, at: Instant): void {
    this.stop(name);
    let before: Timer<Name> | undefined;
    for (let timer = this.#first; timer !== undefined && timer.at <= at; timer = timer.next) before = timer;
    const timer = { at, reason: name, next: before === undefined ? this.#first : before.next };
    if (before === undefined) this.#first = timer;
    else before.next = timer;
  }

  stop(name: Name): void {
    let before: Timer<Name> | undefined;
    for (let timer = this.#first; timer !== undefined; timer = timer.next) {
      if (timer.reason === name) {
        if (before === undefined) this.#first = timer.next;
        else before.next = timer.next;
        return;
      }
      before = timer;
    }
  }

  stopAll(): void {
    this.#first = undefined;
  }

  /** The same object as long as nothing has changed. */
  earliest(): Timeout | undefined {
    return this.#first;
  }

  /** Stops the earliest timer if it is due and says which one it was. */
  takeDue(now: Instant): Name | undefined {
    const timer = this.#first;
    if (timer === undefined || timer.at > now) return undefined;
    this.#first = timer.next;
    return timer.reason;
  }
}
