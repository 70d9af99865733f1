/**
 * Deadlines of many things in one machine, the earliest on top: a binary heap whose entries know their place, so that each can be moved or taken
 * away without a search. Every operation costs at most the logarithm of their number (17 steps at 100,000). Equal instants come out in the
 * order in which they were set, so that a run is repeatable.
 */
import type { Instant } from './instant.ts';
import type { Timeout } from './machine.ts';

/** The deadline of `owner`; the heap alone writes it. */
export interface Deadline<Owner> extends Timeout {
  readonly owner: Owner;
  at: Instant;
  reason: string;
  order: number;
  /** Where the entry stands in the heap. */
  position: number;
}

export class DeadlineHeap<Owner> {
  readonly #heap: Deadline<Owner>[] = [];
  /** The instants of the heap's entries, side by side: a look along the heap stays in few cache lines, however many entries there are. */
  readonly #instants: Instant[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  add(owner: Owner, at: Instant, reason: string): Deadline<Owner> {
    const deadline = { owner, at, reason, order: this.#order++, position: this.#heap.length };
    this.#heap.push(deadline);
    this.#instants.push(at);
    this.#restore(deadline);
    return deadline;
  }

  /** Of a deadline that is in the heap. */
  move(deadline: Deadline<Owner>, at: Instant, reason: string): void {
    deadline.at = at;
    deadline.reason = reason;
    deadline.order = this.#order++;
    this.#restore(deadline);
  }

  /** Likewise. */
  remove(deadline: Deadline<Owner>): void {
    const last = this.#heap.pop()!;
    this.#instants.pop();
    if (last === deadline) return;
    last.position = deadline.position;
    this.#restore(last);
  }

  /** The earliest; good until the next change. */
  peek(): Deadline<Owner> | undefined {
    return this.#heap[0];
  }

  /** Puts an entry whose place may be too low or too high, or not its own yet, where it belongs. */
  #restore(entry: Deadline<Owner>): void {
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

  #place(entry: Deadline<Owner>, position: number): void {
    entry.position = position;
    this.#heap[position] = entry;
    this.#instants[position] = entry.at;
  }

  #isBefore(entry: Deadline<Owner>, position: number): boolean {
    const at = this.#instants[position]!;
    return entry.at < at || (entry.at === at && entry.order < this.#heap[position]!.order);
  }
}
