/**
 * Where Diameter messages are written (RFC 6733 §3, §4.1): memory that stays from one message to the next, and that the whole message is
 * copied out of. An AVP's length is known only behind its data, so it is put in afterwards; nothing is built from parts.
 */
const utf8 = new TextEncoder();

export class OctetWriter {
  #octets = Buffer.alloc(4096);
  #view = viewOf(this.#octets);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The next message. */
  begin(): void {
    this.#length = 0;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#octets[this.#length++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  uint64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, value);
    this.#length += 8;
  }

  octets(data: Uint8Array): void {
    this.#reserve(data.length);
    this.#octets.set(data, this.#length);
    this.#length += data.length;
  }

  /** As UTF-8; what is ASCII alone, as nearly all is, octet by octet: that is faster than any call for texts this short. */
  text(value: string): void {
    this.#reserve(3 * value.length);
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.#length += utf8.encodeInto(value, this.#octets.subarray(this.#length)).written;
        return;
      }
      this.#octets[this.#length + index] = code;
    }
    this.#length += value.length;
  }

  /** Zeros up to a multiple of four. */
  pad(): void {
    this.#reserve(3);
    while (this.#length & 3) this.#octets[this.#length++] = 0;
  }

  /** Puts 24 bits in the place of what was written at `offset`. */
  patchUint24(offset: number, value: number): void {
    this.#view.setUint16(offset, value >>> 8);
    this.#view.setUint8(offset + 2, value);
  }

  /** What was written, as memory of its own; small ones share slabs (Buffer.poolSize), which costs a tenth of an ArrayBuffer each. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafe(this.#length);
    this.#octets.copy(copy, 0, 0, this.#length);
    return copy;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#octets.length) return;
    const larger = Buffer.alloc(2 * (this.#length + count));
    this.#octets.copy(larger, 0, 0, this.#length);
    this.#octets = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}
