/**
 * A first-in first-out queue whose operations cost the same however long it is: `Array.prototype.shift` moves every element, which a
 * link that holds thousands of packets in flight cannot afford.
 */
const nothing: never[] = [];

export class Fifo<Item> {
  /** When nothing waits, an array that all of them share: most queues are empty most of the time, and there are many. */
  #items: (Item | undefined)[] = nothing;
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    if (this.#items === nothing) this.#items = [item];
    else this.#items.push(item);
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  shift(): Item | undefined {
    // Most often nothing waits: then no look behind the end of an array.
    if (this.#items === nothing) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items = nothing;
      this.#head = 0;
    } else if (this.#head > 16 && this.#head * 2 > this.#items.length) {
      // The front half is empty: moving the rest now costs one step per item that has passed.
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
