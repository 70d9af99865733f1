/**
 * A map of what is under way: its entries come and go all the time, and the map stays. V8 copies a `Map` to a new table once half of
 * its table are entries that were deleted, and leaves in the old table both what it held and a pointer to the new one, for the sake of
 * iterators. As soon as one such table has come to the old generation, it drags all its successors there, and with them whatever was
 * under way when they were left, long dead: most of what a SIP server under load then had copied and marked. Here the chain breaks,
 * since entries move to a `Map` of their own.
 */
const leastInsertions = 64;

export class TurnoverMap<Key, Value> {
  #entries = new Map<Key, Value>();
  /** Until the next move: as many as make it cost half a step each. */
  #insertionsLeft = leastInsertions;

  get size(): number {
    return this.#entries.size;
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  /** Whoever goes through the map at that time may miss what is deleted later. */
  set(key: Key, value: Value): void {
    if (--this.#insertionsLeft < 0) {
      this.#entries = new Map(this.#entries);
      this.#insertionsLeft = Math.max(leastInsertions, 2 * this.#entries.size);
    }
    this.#entries.set(key, value);
  }

  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }

  /** In the order in which the keys were first set. */
  values(): IterableIterator<Value> {
    return this.#entries.values();
  }

  /** In the same order. */
  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return this.#entries[Symbol.iterator]();
  }
}
