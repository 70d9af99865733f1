/**
 * Elements of one nftables set or map in the form in which netlink carries them (linux/netfilter/nf_tables.h). All elements of a set are
 * equally long, so each is a copy of one pattern into which key and datum are written in place: a change of a thousand bindings makes
 * no object per element.
 */
import { NetlinkWriter } from './netlink-message.ts';

export class SetElements {
  /** Where key and datum are in an element. */
  readonly keyOffset: number = KEY_OFFSET;
  readonly dataOffset: number;
  readonly #set: Uint8Array;
  readonly #pattern: Uint8Array;
  readonly #longestList: number;
  #octets = new Uint8Array();
  #length = 0;

  /** Of octets of key and, in a map, datum. */
  constructor(table: string, set: string, keyLength: number, dataLength = 0) {
    this.dataOffset = KEY_OFFSET + ((keyLength + 3) & ~3) + 8;
    this.#set = nameOf(table, set);
    this.#pattern = patternOf(keyLength, dataLength);
    this.#longestList = this.#pattern.length * Math.floor(LONGEST_ATTRIBUTE / this.#pattern.length);
  }

  /** The offset at which the next one will be. */
  get end(): number {
    return this.#length;
  }

  /** What the offsets are offsets in; another one after `append`. */
  get octets(): Uint8Array {
    return this.#octets;
  }

  /** The offset of a new element, whose key and datum are to be written wholly. */
  append(): number {
    const at = this.#length;
    this.#length += this.#pattern.length;
    if (this.#length > this.#octets.length) this.#grow();
    return at;
  }

  clear(): void {
    this.#length = 0;
  }

  /** The attributes of a message about the elements from an offset on; the offset of those for which it has no room. */
  writeTo(writer: NetlinkWriter, from = 0): number {
    const to = Math.min(this.#length, from + this.#longestList);
    writer.append(this.#set);
    const list = writer.beginNest(NFTA_SET_ELEM_LIST_ELEMENTS);
    writer.append(this.#octets.subarray(from, to));
    writer.endNest(list);
    return to;
  }

  #grow(): void {
    const stride = this.#pattern.length;
    const grown = new Uint8Array(Math.max(2 * this.#octets.length, 8 * stride));
    grown.set(this.#octets);
    for (let at = this.#octets.length; at < grown.length; at += stride) grown.set(this.#pattern, at);
    this.#octets = grown;
  }
}

function nameOf(table: string, set: string): Uint8Array {
  const writer = new NetlinkWriter(64);
  writer.text(NFTA_SET_ELEM_LIST_TABLE, table);
  writer.text(NFTA_SET_ELEM_LIST_SET, set);
  return writer.octets();
}

function patternOf(keyLength: number, dataLength: number): Uint8Array {
  const writer = new NetlinkWriter(64);
  const nestValue = (type: number, length: number): void =>
    writer.nest(type, () => writer.attribute(NFTA_DATA_VALUE, new Uint8Array(length)));
  writer.nest(NFTA_LIST_ELEM, () => {
    nestValue(NFTA_SET_ELEM_KEY, keyLength);
    if (dataLength > 0) nestValue(NFTA_SET_ELEM_DATA, dataLength);
  });
  return writer.octets();
}

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_DATA_VALUE = 1;
/** Behind the headers of the element, its key and the key's value. */
const KEY_OFFSET = 12;
/** Octets; an attribute's length, header included, has 16 bits. */
const LONGEST_ATTRIBUTE = 65_000;
