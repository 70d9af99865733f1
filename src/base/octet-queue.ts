/**
 * Octets of a stream that wait to be cut into messages. A chunk that comes while nothing waits is kept as it came, and what is taken out
 * of it are views: under load most chunks hold whole messages, which are never copied. Only what a chunk leaves over is put into a buffer of
 * our own with what follows: a peer that sends octet by octet costs no more memory than one that sends all at once, and each octet
 * is copied a bounded number of times. Who pushes a chunk leaves it unchanged from then on.
 */
export class OctetQueue {
  /** What waits stands in [#start, #end). */
  #buffer: Buffer = empty;
  #start = 0;
  #end = 0;
  /** The buffer is the queue's own, with room to grow, and not a chunk. */
  #isOwn = false;

  get length(): number {
    return this.#end - this.#start;
  }

  /** A view, good until the next `push`. */
  get waiting(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** The big-endian number of 24 bits at `offset` of what waits. */
  uint24At(offset: number): number {
    const at = this.#start + offset;
    return (this.#buffer[at]! << 16) | (this.#buffer[at + 1]! << 8) | this.#buffer[at + 2]!;
  }

  push(octets: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
      this.#start = 0;
      this.#end = octets.length;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || this.#end + octets.length > this.#buffer.length) this.#makeRoom(octets.length);
    this.#buffer.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** Takes the first `count` octets out; they stay as they are whatever is pushed. */
  take(count: number): Buffer {
    const octets = this.#buffer.subarray(this.#start, this.#start + count);
    this.#start += count;
    const taken = this.#isOwn ? Buffer.from(octets) : octets;
    if (this.#start === this.#end) this.clear();
    return taken;
  }

  clear(): void {
    this.#buffer = empty;
    this.#start = 0;
    this.#end = 0;
  }

  /** Moves what waits to the front of a buffer of our own, of twice the size when that is not enough. */
  #makeRoom(octets: number): void {
    const { waiting } = this;
    const wanted = waiting.length + octets;
    const isEnough = this.#isOwn && wanted <= this.#buffer.length / 2;
    const buffer = Buffer.alloc(isEnough ? this.#buffer.length : Math.max(4096, 2 * wanted));
    waiting.copy(buffer);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = waiting.length;
    this.#isOwn = true;
  }
}

const empty = Buffer.alloc(0);
