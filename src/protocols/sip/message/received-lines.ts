/**
 * The header lines of a received message, as they came (RFC 3261 §7.3): its text and, for each line, where it begins and which field
 * it is, both in one number. Nothing is cut out of the text before somebody asks for it, and no object is made for a line. Immutable,
 * so that all copies of a message share it.
 */
import { type HeaderName, headerNameOf, knownHeaderName } from './header-names.ts';
import { firstListItem } from './split-list.ts';
import { unfoldedValue } from './unfolded-value.ts';

/** A message has at most 65535 octets (RFC 3261 §18.1.1), so 16 bits hold every offset. */
const offsetBits = 16;
const offsetMask = (1 << offsetBits) - 1;

/** The table entry of a line of the field with that index, beginning at `start`. */
export function lineEntry(index: number, start: number): number {
  return (index << offsetBits) | start;
}

/** The first value of a line as the last parser read it, so that every layer which asks for it again need not. What comes out is never changed. */
export interface ParsedValue {
  readonly parse: unknown;
  readonly value: unknown;
}

export function parseValue<T>(header: HeaderName, line: string, parse: (value: string) => T): ParsedValue {
  const text = header.isList ? firstListItem(line) : line;
  return { parse, value: text === undefined ? undefined : parse(text) };
}

export class ReceivedLines {
  /** The whole message, one character per octet. */
  readonly text: string;
  /** One entry per line, and one more for the empty line behind the last. */
  readonly #entries: readonly number[];
  /** By line. */
  #parsed: (ParsedValue | undefined)[] | undefined;

  constructor(text: string, entries: readonly number[]) {
    this.text = text;
    this.#entries = entries;
  }

  get count(): number {
    return this.#entries.length - 1;
  }

  /** Where the line begins in the text; for `count`, where the empty line does. */
  startOf(line: number): number {
    return this.#entries[line]! & offsetMask;
  }

  /** The first line of that name in [from, to); −1 when there is none. */
  find(wanted: HeaderName, from: number, to: number): number {
    const { index } = wanted;
    const entries = this.#entries;
    for (let line = from; line < to; line++) {
      if (entries[line]! >> offsetBits === index && this.#isNamed(line, wanted)) return line;
    }
    return -1;
  }

  /** The last line of that name in [from, to); −1 when there is none. */
  findLast(wanted: HeaderName, from: number, to: number): number {
    for (let line = to - 1; line >= from; line--) if (this.#isNamed(line, wanted)) return line;
    return -1;
  }

  /** Unknown fields share one index. */
  #isNamed(line: number, wanted: HeaderName): boolean {
    const index = this.#entries[line]! >> offsetBits;
    return index === wanted.index && (index !== 0 || this.nameOf(line).key === wanted.key);
  }

  /** Of an unknown field the spelling of the message. */
  nameOf(line: number): HeaderName {
    const index = this.#entries[line]! >> offsetBits;
    const start = this.startOf(line);
    return index === 0
      ? headerNameOf(this.text.slice(start, this.#colonOf(start)).trimEnd())
      : knownHeaderName(index);
  }

  /** The whole value, unfolded and trimmed. */
  valueOf(line: number): string {
    return unfoldedValue(this.text, this.#colonOf(this.startOf(line)) + 1, this.startOf(line + 1));
  }

  /** What the parser makes of the first value; `undefined` when a list has none. */
  parse<T>(line: number, header: HeaderName, parse: (value: string) => T): T | undefined {
    this.#parsed ??= new Array(this.count);
    let parsed = this.#parsed[line];
    if (parsed?.parse !== parse) {
      parsed = parseValue(header, this.valueOf(line), parse);
      this.#parsed[line] = parsed;
    }
    return parsed.value as T | undefined;
  }

  /** The lines [from, to) as they came. */
  textOf(from: number, to: number): string {
    return this.text.slice(this.startOf(from), this.startOf(to));
  }

  /** Name (canonical) and value of the lines [from, to). */
  entries(from: number, to: number): [name: string, value: string][] {
    const entries: [string, string][] = [];
    for (let line = from; line < to; line++) entries.push([this.nameOf(line).name, this.valueOf(line)]);
    return entries;
  }

  #colonOf(start: number): number {
    return this.text.indexOf(':', start);
  }
}
