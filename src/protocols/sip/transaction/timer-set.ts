/**
 * The few timers of one transaction. They are due in the order of their instants; the owner keeps the earliest one in its queue.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';

export class TimerSet<Name extends string> {
  readonly #instants = new Map<Name, Instant>();

  start(name: Name, at: Instant): void {
    this.#instants.set(name, at);
  }

  stop(...names: readonly Name[]): void {
    for (const name of names) this.#instants.delete(name);
  }

  stopAll(): void {
    this.#instants.clear();
  }

  earliest(): Timeout | undefined {
    const name = this.#earliestName();
    return name === undefined ? undefined : { at: this.#instants.get(name)!, reason: name };
  }

  /** Stops the earliest timer if it is due and says which one it was. */
  takeDue(now: Instant): Name | undefined {
    const name = this.#earliestName();
    if (name === undefined || this.#instants.get(name)! > now) return undefined;
    this.#instants.delete(name);
    return name;
  }

  #earliestName(): Name | undefined {
    let earliest: Name | undefined;
    let earliestAt = Number.POSITIVE_INFINITY;
    for (const [name, at] of this.#instants) {
      if (at >= earliestAt) continue;
      earliest = name;
      earliestAt = at;
    }
    return earliest;
  }
}
