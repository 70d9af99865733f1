/**
 * Virtual time: a queue of what happens next. Everything that lives in it (processes, links, connections) is an actor with at most
 * one next instant; equal instants come in the order in which they were asked for, so a run is a function of its seed.
 */
import { DeadlineQueue } from '../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../base/instant.ts';

export interface Actor {
  /** Does what is due. It may ask to be woken again, later or at once. */
  wake(now: Instant): void;
}

/** Steps without any progress of time after which a run is taken for a loop between machines. */
const maximumStepsPerInstant = 1_000_000;

export class Simulation {
  readonly #queue = new DeadlineQueue<Actor>();
  #now: Instant = 0;
  #stepsAtThisInstant = 0;

  get now(): Instant {
    return this.#now;
  }

  /** Wakes the actor at `at` (not before now) in place of the instant it had; undefined: not at all. */
  wakeAt(actor: Actor, at: Instant | undefined, reason: string): void {
    if (at === undefined) this.#queue.delete(actor);
    else this.#queue.set(actor, Math.max(at, this.#now), reason);
  }

  /** Calls `action` once, `afterMs` from now. */
  schedule(afterMs: DurationMs, action: (now: Instant) => void): void {
    this.#queue.set({ wake: action }, this.#now + afterMs, 'scheduled action');
  }

  runFor(durationMs: DurationMs): void {
    this.runUntil(this.#now + durationMs);
  }

  /** Lets everything happen up to and including `end`. */
  runUntil(end: Instant): void {
    while (this.#step(end));
    this.#now = Math.max(this.#now, end);
  }

  /** Runs until the condition holds; false when it did not within the time. */
  runWhile(isGoingOn: () => boolean, limitMs: DurationMs): boolean {
    const end = this.#now + limitMs;
    while (isGoingOn()) {
      if (this.#step(end)) continue;
      this.#now = end;
      return !isGoingOn();
    }
    return true;
  }

  #step(end: Instant): boolean {
    const next = this.#queue.peek();
    if (next === undefined || next.at > end) return false;
    this.#stepsAtThisInstant = next.at > this.#now ? 0 : this.#stepsAtThisInstant + 1;
    if (this.#stepsAtThisInstant >= maximumStepsPerInstant)
      throw new Error(`time stands still at "${next.reason}"`);
    this.#now = next.at;
    this.#queue.delete(next.owner);
    next.owner.wake(next.at);
    return true;
  }
}
