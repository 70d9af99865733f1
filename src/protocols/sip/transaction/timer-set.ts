/**
 * The few timers of one transaction. They are due in the order of their instants; the owner keeps the earliest one in its queue.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';

interface Timer<Name extends string> extends Timeout {
  readonly reason: Name;
}

export class TimerSet<Name extends string> {
  /** Never changed but replaced, so that it is as long as it has timers: every transaction has a set, and they are many. */
  #timers: readonly Timer<Name>[] = [];

  start(name: Name, at: Instant): void {
    const timer = { at, reason: name };
    const known = this.#timers.findIndex(({ reason }) => reason === name);
    this.#timers = known < 0 ? [...this.#timers, timer] : this.#timers.with(known, timer);
  }

  stop(...names: readonly Name[]): void {
    if (this.#timers.some(({ reason }) => names.includes(reason)))
      this.#timers = this.#timers.filter(({ reason }) => !names.includes(reason));
  }

  stopAll(): void {
    this.#timers = [];
  }

  earliest(): Timeout | undefined {
    return this.#earliest();
  }

  /** Stops the earliest timer if it is due and says which one it was. */
  takeDue(now: Instant): Name | undefined {
    const timer = this.#earliest();
    if (timer === undefined || timer.at > now) return undefined;
    this.stop(timer.reason);
    return timer.reason;
  }

  #earliest(): Timer<Name> | undefined {
    let earliest: Timer<Name> | undefined;
    for (const timer of this.#timers) if (earliest === undefined || timer.at < earliest.at) earliest = timer;
    return earliest;
  }
}
