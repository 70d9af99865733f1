/** Deadlines of many things in one machine, by their keys: each has at most one, which can be moved or taken away (deadline-heap.ts). */
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';
import type { Instant } from './instant.ts';
import { TurnoverMap } from './turnover-map.ts';

export class DeadlineQueue<Key> {
  readonly #heap = new DeadlineHeap<Key>();
  readonly #deadlines = new TurnoverMap<Key, Deadline<Key>>();

  get size(): number {
    return this.#heap.size;
  }

  /** Gives `key` this deadline in place of the one it had. */
  set(key: Key, at: Instant, reason: string): void {
    const known = this.#deadlines.get(key);
    if (known === undefined) this.#deadlines.set(key, this.#heap.add(key, at, reason));
    else this.#heap.move(known, at, reason);
  }

  delete(key: Key): void {
    const deadline = this.#deadlines.get(key);
    if (deadline === undefined) return;
    this.#deadlines.delete(key);
    this.#heap.remove(deadline);
  }

  /** The earliest deadline, in the form that `pollTimeout` answers; good until the next change. */
  peek(): Deadline<Key> | undefined {
    return this.#heap.peek();
  }

  /** Takes out the key with the earliest deadline that is not after `now`. */
  takeDue(now: Instant): Key | undefined {
    const first = this.#heap.peek();
    if (first === undefined || first.at > now) return undefined;
    this.delete(first.owner);
    return first.owner;
  }
}
