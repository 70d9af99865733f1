/**
 * The netlink wire format (RFC 3549 §2.3; linux/netlink.h): messages with a 16-octet header and nested attributes, all padded to
 * four octets. Headers are in the host's order (little-endian wherever Node runs on Linux); what attributes hold is up to the
 * family: rtnetlink little-endian, nftables big-endian. Leaves out the meaning of any family's messages.
 */

/** Encodes messages one after another into a growing buffer, so that one send can carry a whole batch. */
export class NetlinkWriter {
  #octets: Uint8Array;
  #view: DataView;
  #length = 0;
  #messageStart = 0;

  constructor(capacity = 4096) {
    this.#octets = new Uint8Array(capacity);
    this.#view = new DataView(this.#octets.buffer);
  }

  get length(): number {
    return this.#length;
  }

  octets(): Uint8Array {
    return this.#octets.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Starts a message; `family` is the fixed header of its family, such as struct rtmsg or nfgenmsg. */
  beginMessage(type: number, flags: number, sequence: number, family: Uint8Array): void {
    this.#reserve(16 + family.length);
    this.#messageStart = this.#length;
    this.#view.setUint16(this.#length + 4, type, true);
    this.#view.setUint16(this.#length + 6, flags, true);
    this.#view.setUint32(this.#length + 8, sequence, true);
    this.#view.setUint32(this.#length + 12, 0, true);
    this.#length += 16;
    this.#append(family);
  }

  endMessage(): void {
    this.#view.setUint32(this.#messageStart, this.#length - this.#messageStart, true);
  }

  /** Adds flags to the message that was written last. */
  orFlags(flags: number): void {
    const at = this.#messageStart + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, true) | flags, true);
  }

  attribute(type: number, value: Uint8Array): void {
    this.#header(type, value.length);
    this.#append(value);
  }

  /** Attributes that are encoded already. */
  append(attributes: Uint8Array): void {
    this.#reserve(attributes.length);
    this.#append(attributes);
  }

  text(type: number, value: string): void {
    this.attribute(type, textEncoder.encode(`${value}\0`));
  }

  uint8(type: number, value: number): void {
    this.#header(type, 1);
    this.#view.setUint32(this.#length, value & 255, true);
    this.#length += 4;
  }

  /** In the host's order, as rtnetlink has it. */
  uint32(type: number, value: number): void {
    this.#header(type, 4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** In network order, as nftables has it. */
  uint32BigEndian(type: number, value: number): void {
    this.#header(type, 4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** The attributes written by `write` become the value of one attribute. */
  nest(type: number, write: () => void): void {
    const start = this.beginNest(type);
    write();
    this.endNest(start);
  }

  /** What follows, up to `endNest` with the value given here, becomes the value of one attribute. */
  beginNest(type: number): number {
    const start = this.#length;
    this.#header(type | NLA_F_NESTED, 0);
    return start;
  }

  endNest(start: number): void {
    this.#view.setUint16(start, this.#length - start, true);
  }

  #header(type: number, valueLength: number): void {
    this.#reserve(4 + valueLength);
    this.#view.setUint16(this.#length, 4 + valueLength, true);
    this.#view.setUint16(this.#length + 2, type, true);
    this.#length += 4;
  }

  #append(value: Uint8Array): void {
    this.#octets.set(value, this.#length);
    const end = this.#length + value.length;
    this.#length = align(end);
    for (let at = end; at < this.#length; at++) this.#octets[at] = 0;
  }

  #reserve(more: number): void {
    if (this.#length + more + 4 <= this.#octets.length) return;
    const grown = new Uint8Array(2 * this.#octets.length + align(more));
    grown.set(this.#octets.subarray(0, this.#length));
    this.#octets = grown;
    this.#view = new DataView(grown.buffer);
  }
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows the 16-octet header. */
  readonly payload: Uint8Array;
}

/** The messages of one datagram from the kernel. */
export function readNetlinkMessages(datagram: Uint8Array): NetlinkMessage[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < 16 || at + length > datagram.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + 16, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** The attributes in `octets` by type (the last of equal types wins); nested ones are read by calling this again on the value. */
export function readAttributes(octets: Uint8Array): Map<number, Uint8Array> {
  return new Map(listAttributes(octets).map(({ type, value }) => [type, value]));
}

/** The attributes in order, for lists whose elements share one type. */
export function listAttributes(octets: Uint8Array): { type: number; value: Uint8Array }[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const attributes: { type: number; value: Uint8Array }[] = [];
  for (let at = 0; at + 4 <= octets.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > octets.length) break;
    attributes.push({
      type: view.getUint16(at + 2, true) & NLA_TYPE_MASK,
      value: octets.subarray(at + 4, at + length),
    });
    at += align(length);
  }
  return attributes;
}

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const textEncoder = new TextEncoder();

function align(length: number): number {
  return (length + 3) & ~3;
}
