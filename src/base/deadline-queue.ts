/**
 * Deadlines of many things in one machine: a binary heap in which each key has at most one deadline, which can be moved or taken away.
 * Every operation costs at most the logarithm of the number of keys (17 steps at 100,000). Equal instants come out in the order in
 * which they were set, so that a run is repeatable.
 */
import type { Instant } from './instant.ts';
import type { Timeout } from './machine.ts';

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
  readonly #entries = new Map<Key, Entry<Key>>();
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
    this.#restore(entry);
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const last = this.#heap.pop()!;
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
    const heap = this.#heap;
    let position = entry.position;
    while (position > 0) {
      const parent = heap[(position - 1) >> 1]!;
      if (!isBefore(entry, parent)) break;
      this.#place(parent, position);
      position = (position - 1) >> 1;
    }
    for (;;) {
      const child = this.#earlierChild(position);
      if (child === undefined || !isBefore(child, entry)) break;
      const next = child.position;
      this.#place(child, position);
      position = next;
    }
    this.#place(entry, position);
  }

  #place(entry: Entry<Key>, position: number): void {
    entry.position = position;
    this.#heap[position] = entry;
  }

  #earlierChild(position: number): Entry<Key> | undefined {
    const left = this.#heap[2 * position + 1];
    const right = this.#heap[2 * position + 2];
    return right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
  }
}

function isBefore<Key>(a: Entry<Key>, b: Entry<Key>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
