/**
 * Octets of a stream that wait to be cut into messages, in one buffer: a peer that sends them one by one costs no more memory than one
 * that sends them at once, and each octet is copied a bounded number of times.
 */
export class OctetQueue {
  /** What waits stands in [#start, #end). */
  #buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** A view, good until the next `push`. */
  get waiting(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  push(octets: Uint8Array): void {
    if (this.#end + octets.length > this.#buffer.length) this.#makeRoom(octets.length);
    this.#buffer.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** Takes the first `count` octets out, as a copy. */
  take(count: number): Uint8Array {
    const octets = new Uint8Array(this.#buffer.subarray(this.#start, this.#start + count));
    this.#start += count;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    return octets;
  }

  clear(): void {
    this.#buffer = Buffer.alloc(0);
    this.#start = 0;
    this.#end = 0;
  }

  /** Moves what waits to the front, into a buffer of twice the size when that is not enough. */
  #makeRoom(octets: number): void {
    const { waiting } = this;
    const wanted = waiting.length + octets;
    const size = wanted <= this.#buffer.length / 2 ? this.#buffer.length : Math.max(4096, 2 * wanted);
    const buffer = Buffer.alloc(size);
    waiting.copy(buffer);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = waiting.length;
  }
}
