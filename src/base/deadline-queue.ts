/**
 * Deadlines of many things in one machine: a binary heap in which each key has at most one deadline, which can be moved or taken away.
 * Every operation costs at most the logarithm of the number of keys (17 steps at 100,000). Equal instants come out in the order in
 * which they were set, so that a run is repeatable.
 */
import type { Instant } from './instant.ts';
import type { Timeout } from './machine.ts';
import { TurnoverMap } from './turnover-map.ts';

interface Entry<Key> extends Timeout {
  readonly key: Key;
  at: Instant;
  reason: string;
  order: number;
  /** Where the entry stands in the heap. */
  position: number;
}

export class DeadlineQueue<Key> {
  readonly #heap: Entry<Key>[] = [];
  /** The instants of the heap's entries, side by side: a look along the heap stays in few cache lines, however many entries there are. */
  readonly #instants: Instant[] = [];
  readonly #entries = new TurnoverMap<Key, Entry<Key>>();
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Gives `key` this deadline in place of the one it had. */
  set(key: Key, at: Instant, reason: string): void {
    const order = this.#order++;
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.at = at;
      known.reason = reason;
      known.order = order;
      this.#restore(known);
      return;
    }
    const entry = { key, at, reason, order, position: this.#heap.length };
    this.#entries.set(key, entry);
    this.#heap.push(entry);
    this.#instants.push(at);
    this.#restore(entry);
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const last = this.#heap.pop()!;
    this.#instants.pop();
    if (last === entry) return;
    last.position = entry.position;
    this.#restore(last);
  }

  /** The earliest deadline, in the form that `pollTimeout` answers; good until the next change. */
  peek(): (Timeout & { readonly key: Key }) | undefined {
    return this.#heap[0];
  }

  /** Takes out the key with the earliest deadline that is not after `now`. */
  takeDue(now: Instant): Key | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.delete(first.key);
    return first.key;
  }

  /** Puts an entry whose place may be too low or too high, or not its own yet, where it belongs. */
  #restore(entry: Entry<Key>): void {
    let position = entry.position;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.#isBefore(entry, parent)) break;
      this.#place(this.#heap[parent]!, position);
      position = parent;
    }
    for (let child = 2 * position + 1; child < this.#heap.length; child = 2 * position + 1) {
      const right = child + 1;
      const earlier = right < this.#heap.length && this.#isBefore(this.#heap[right]!, child) ? right : child;
      if (this.#isBefore(entry, earlier)) break;
      this.#place(this.#heap[earlier]!, position);
      position = earlier;
    }
    this.#place(entry, position);
  }

  #place(entry: Entry<Key>, position: number): void {
    entry.position = position;
    this.#heap[position] = entry;
    this.#instants[position] = entry.at;
  }

  #isBefore(entry: Entry<Key>, position: number): boolean {
    const at = this.#instants[position]!;
    return entry.at < at || (entry.at === at && entry.order < this.#heap[position]!.order);
  }
}
