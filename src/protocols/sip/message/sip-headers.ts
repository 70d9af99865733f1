/**
 * The header fields of one SIP message, by name and in order (RFC 3261 §7.3). A line that nobody changes is written out again octet by
 * octet, folding and odd spacing included: a proxy must not repair what it merely passes on. What the values mean: header-fields.ts.
 */
import { HeaderLines } from './header-lines.ts';
import { type HeaderName, headerNameOf } from './header-names.ts';
import { endOfListItem, firstListItem, splitList } from './split-list.ts';

export class SipHeaders {
  readonly #lines: HeaderLines;

  /** Without lines. */
  constructor(lines: HeaderLines = new HeaderLines()) {
    this.#lines = lines;
  }

  /** The first value: of a list field the first item, of any other the whole line, unfolded and trimmed. */
  get(name: string | HeaderName): string | undefined {
    const header = headerNameOf(name);
    const first = this.#lines.find(header);
    if (first === undefined) return undefined;
    const value = this.#lines.valueAt(first);
    return header.isList ? firstListItem(value) : value;
  }

  /** What the parser makes of the first value; `undefined` when there is none. Asked again, it need not be parsed again; it is never changed. */
  parse<T>(name: string | HeaderName, parse: (value: string) => T): T | undefined {
    return this.#lines.parse(headerNameOf(name), parse);
  }

  /** All values in order; lines of list fields are split at their commas. */
  getAll(name: string | HeaderName): string[] {
    const header = headerNameOf(name);
    const lines = this.#lines;
    const values: string[] = [];
    for (let place = lines.find(header); place !== undefined; place = lines.findBehind(place, header)) {
      if (header.isList) values.push(...splitList(lines.valueAt(place)));
      else values.push(lines.valueAt(place));
    }
    return values;
  }

  /** Whether a value of the list field, in lower case, is this one. */
  includes(name: string | HeaderName, wanted: string): boolean {
    const header = headerNameOf(name);
    const lines = this.#lines;
    for (let place = lines.find(header); place !== undefined; place = lines.findBehind(place, header)) {
      const line = lines.valueAt(place).toLowerCase();
      if (line.includes(wanted) && splitList(line).includes(wanted)) return true;
    }
    return false;
  }

  has(name: string | HeaderName): boolean {
    return this.#lines.has(headerNameOf(name));
  }

  /** Puts `value` in the place of the first line of that name and drops the others; appends when there is none. */
  set(name: string | HeaderName, value: string): void {
    const header = headerNameOf(name);
    const first = this.#lines.find(header);
    if (first === undefined) {
      this.#lines.append(header, value);
      return;
    }
    const own = this.#lines.replace(first, header, value);
    // Most messages have no second line of that name.
    if (this.#lines.findBehind(own, header) !== undefined) this.#lines.removeAllBehind(own, header);
  }

  /** Adds a line behind the last one of that name, or at the end. */
  append(name: string | HeaderName, value: string): void {
    const header = headerNameOf(name);
    const last = this.#lines.findLast(header);
    if (last === undefined) this.#lines.append(header, value);
    else this.#lines.insertBehind(last, header, value);
  }

  /** Adds the lines of that name of another message as they are, at the end. */
  appendFrom(other: SipHeaders, name: string | HeaderName): void {
    this.#lines.appendFrom(other.#lines, headerNameOf(name));
  }

  /** Adds all lines of another message as they are, at the end, but those of one field. */
  appendAll(other: SipHeaders, but: HeaderName): void {
    this.#lines.appendAll(other.#lines, but);
  }

  /** Adds a line at the end. Where thousands are copied in their order, none has to be looked for among those before. */
  appendLast(name: string | HeaderName, value: string): void {
    this.#lines.append(headerNameOf(name), value);
  }

  /** Adds a line before the first one of that name, or at the very top. */
  prepend(name: string | HeaderName, value: string): void {
    const header = headerNameOf(name);
    this.#lines.insertBefore(this.#lines.find(header), header, value);
  }

  /** Takes the first value away: of a list field one item, of any other one line. */
  removeFirst(name: string | HeaderName): void {
    const header = headerNameOf(name);
    const first = this.#lines.find(header);
    if (first === undefined) return;
    const value = header.isList ? this.#lines.valueAt(first) : '';
    const rest = value.slice(endOfListItem(value, 0) + 1).trim();
    if (rest === '') this.#lines.remove(first);
    else this.#lines.replace(first, header, rest);
  }

  removeAll(name: string | HeaderName): void {
    this.#lines.removeAll(headerNameOf(name));
  }

  /** A header of the lines of those fields for which this is true. */
  filter(isKept: (name: HeaderName) => boolean): SipHeaders {
    return new SipHeaders(this.#lines.filter(isKept));
  }

  clone(): SipHeaders {
    return new SipHeaders(this.#lines.clone());
  }

  /** Name (canonical) and whole value of each line, in order. */
  entries(): [name: string, value: string][] {
    return this.#lines.entries();
  }

  /** All lines as they go on the wire, each with its CRLF. */
  toString(): string {
    return this.#lines.toString();
  }
}
