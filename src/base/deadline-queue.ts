/**
 * Deadlines of many things in one machine: a binary heap in which each key has at most one deadline, which can be moved or taken away.
 * Every operation costs at most the logarithm of the number of keys (17 steps at 100,000). Equal instants come out in the order in
 * which they were set, so that a run is repeatable.
 */
import type { Instant } from './instant.ts';
import type { Timeout } from './machine.ts';

interface Entry<Key> extends Timeout {
  readonly key: Key;
  readonly order: number;
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
    const old = this.#entries.get(key);
    const position = old?.position ?? this.#heap.length;
    const entry = { key, at, reason, order: this.#order++, position };
    this.#entries.set(key, entry);
    this.#place(entry, position);
    this.#restore(entry);
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#place(last, entry.position);
    this.#restore(last);
  }

  /** The earliest deadline, in the form that `pollTimeout` answers. */
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

  #place(entry: Entry<Key>, position: number): void {
    entry.position = position;
    this.#heap[position] = entry;
  }

  /** Moves an entry that may stand too low or too high to where it belongs. */
  #restore(entry: Entry<Key>): void {
    while (entry.position > 0) {
      const parent = this.#heap[(entry.position - 1) >> 1]!;
      if (!isBefore(entry, parent)) break;
      this.#swap(entry, parent);
    }
    for (;;) {
      const child = this.#earlierChild(entry.position);
      if (child === undefined || !isBefore(child, entry)) return;
      this.#swap(entry, child);
    }
  }

  #earlierChild(position: number): Entry<Key> | undefined {
    const left = this.#heap[2 * position + 1];
    const right = this.#heap[2 * position + 2];
    return right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
  }

  #swap(a: Entry<Key>, b: Entry<Key>): void {
    const position = a.position;
    this.#place(a, b.position);
    this.#place(b, position);
  }
}

function isBefore<Key>(a: Entry<Key>, b: Entry<Key>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
