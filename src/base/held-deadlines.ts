/** Deadlines of many things in one machine, each of which holds its own: what comes and goes often costs no search (deadline-heap.ts). */
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';
import type { Instant } from './instant.ts';

/** The queue alone writes this. */
export interface DeadlineHolder<Holder> {
  deadline: Deadline<Holder> | undefined;
}

export class HeldDeadlines<Holder extends DeadlineHolder<Holder>> {
  readonly #heap = new DeadlineHeap<Holder>();

  /** Gives `holder` this deadline in place of the one it had. */
  set(holder: Holder, at: Instant, reason: string): void {
    if (holder.deadline === undefined) holder.deadline = this.#heap.add(holder, at, reason);
    else this.#heap.move(holder.deadline, at, reason);
  }

  delete(holder: Holder): void {
    if (holder.deadline === undefined) return;
    this.#heap.remove(holder.deadline);
    holder.deadline = undefined;
  }

  /** The earliest deadline, in the form that `pollTimeout` answers; good until the next change. */
  peek(): Deadline<Holder> | undefined {
    return this.#heap.peek();
  }

  /** Takes out the holder of the earliest deadline that is not after `now`. */
  takeDue(now: Instant): Holder | undefined {
    const first = this.#heap.peek();
    if (first === undefined || first.at > now) return undefined;
    this.delete(first.owner);
    return first.owner;
  }
}
