/**
 * Where Diameter messages are written (RFC 6733 §3, §4.1): one behind the other into memory that many of them share, where they stay. An AVP's
 * length is known only behind its data, so it is put in afterwards; nothing is built from parts, and nothing is copied.
 */
const utf8 = new TextEncoder();

/** As Node's own (Buffer.poolSize): a message that somebody keeps keeps no more than this. */
const sharedOctets = 8192;

export class OctetWriter {
  #octets = Buffer.allocUnsafeSlow(sharedOctets);
  #view = viewOf(this.#octets);
  /** Where the message begins. */
  #start = 0;
  /** Where it ends so far. */
  #end = 0;

  /** Of the message so far. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** A message from its beginning, whatever was begun before. */
  begin(): void {
    this.#end = this.#start;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#octets[this.#end++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#end, value);
    this.#end += 4;
  }

  uint64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#end, value);
    this.#end += 8;
  }

  octets(data: Uint8Array): void {
    this.#reserve(data.length);
    this.#octets.set(data, this.#end);
    this.#end += data.length;
  }

  /** As UTF-8; what is ASCII alone, as nearly all is, octet by octet: that is faster than any call for texts this short. */
  text(value: string): void {
    this.#reserve(3 * value.length);
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.#end += utf8.encodeInto(value, this.#octets.subarray(this.#end)).written;
        return;
      }
      this.#octets[this.#end + index] = code;
    }
    this.#end += value.length;
  }

  /** Zeros up to a multiple of four. */
  pad(): void {
    this.#reserve(3);
    while (this.length & 3) this.#octets[this.#end++] = 0;
  }

  /** Puts 24 bits in the place of what was written at `offset` of the message. */
  patchUint24(offset: number, value: number): void {
    this.#view.setUint16(this.#start + offset, value >>> 8);
    this.#view.setUint8(this.#start + offset + 2, value);
  }

  /** The message; what is written from now on is the next one. */
  finish(): Buffer {
    const message = this.#octets.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return message;
  }

  /** Those that are finished keep the memory that they are in. */
  #reserve(count: number): void {
    if (this.#end + count <= this.#octets.length) return;
    const begun = this.#octets.subarray(this.#start, this.#end);
    this.#octets = Buffer.allocUnsafeSlow(Math.max(sharedOctets, 2 * (begun.length + count)));
    this.#octets.set(begun);
    this.#view = viewOf(this.#octets);
    this.#start = 0;
    this.#end = begun.length;
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}
