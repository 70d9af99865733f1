/**
 * The header fields of one SIP message, in order (RFC 3261 §7.3). A line that nobody changes is written out again octet by octet,
 * folding and odd spacing included: a proxy must not repair what it merely passes on. Values are read when they are asked for.
 */
import { canonicalHeaderName, isListHeader } from './header-names.ts';
import { endOfListItem, splitList } from './split-list.ts';

interface HeaderLine {
  readonly name: string;
  /** The whole line with its CRLF. */
  readonly text: string;
  /** Where the value begins in `text`. */
  readonly valueStart: number;
}

export class SipHeaders {
  #lines: HeaderLine[] = [];

  /** The first value: of a list field the first item, of any other the whole line, unfolded and trimmed. */
  get(name: string): string | undefined {
    const line = this.#find(canonicalHeaderName(name));
    if (line === undefined) return undefined;
    const value = unfoldedValue(line);
    return isListHeader(line.name) ? splitList(value)[0] : value;
  }

  /** All values in order; lines of list fields are split at their commas. */
  getAll(name: string): string[] {
    const canonical = canonicalHeaderName(name);
    const isList = isListHeader(canonical);
    return this.#lines
      .filter((line) => isNamed(line, canonical))
      .flatMap((line) => (isList ? splitList(unfoldedValue(line)) : [unfoldedValue(line)]));
  }

  has(name: string): boolean {
    return this.#find(canonicalHeaderName(name)) !== undefined;
  }

  /** Puts `value` in the place of the first line of that name and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const canonical = canonicalHeaderName(name);
    const index = this.#lines.findIndex((line) => isNamed(line, canonical));
    if (index < 0) {
      this.#lines.push(createLine(canonical, value));
      return;
    }
    this.#lines = this.#lines.filter((line, at) => at <= index || !isNamed(line, canonical));
    this.#lines[index] = createLine(canonical, value);
  }

  /** Adds a line after the last one of that name, or at the end. */
  append(name: string, value: string): void {
    const canonical = canonicalHeaderName(name);
    const last = this.#lines.findLastIndex((line) => isNamed(line, canonical));
    this.#lines.splice(last < 0 ? this.#lines.length : last + 1, 0, createLine(canonical, value));
  }

  /** Adds a line before the first one of that name, or at the very top. */
  prepend(name: string, value: string): void {
    const canonical = canonicalHeaderName(name);
    const first = this.#lines.findIndex((line) => isNamed(line, canonical));
    this.#lines.splice(Math.max(first, 0), 0, createLine(canonical, value));
  }

  /** Takes the first value away: of a list field one item, of any other one line. */
  removeFirst(name: string): void {
    const canonical = canonicalHeaderName(name);
    const index = this.#lines.findIndex((line) => isNamed(line, canonical));
    const line = this.#lines[index];
    if (line === undefined) return;
    const value = unfoldedValue(line);
    const rest = isListHeader(canonical) ? value.slice(endOfListItem(value, 0) + 1).trim() : '';
    if (rest === '') this.#lines.splice(index, 1);
    else this.#lines[index] = createLine(canonical, rest);
  }

  removeAll(name: string): void {
    const canonical = canonicalHeaderName(name);
    this.#lines = this.#lines.filter((line) => !isNamed(line, canonical));
  }

  clone(): SipHeaders {
    const copy = new SipHeaders();
    copy.#lines = this.#lines.slice();
    return copy;
  }

  /** Name (canonical) and whole value of each line, in order. */
  entries(): [name: string, value: string][] {
    return this.#lines.map((line) => [line.name, unfoldedValue(line)]);
  }

  /** For the parser: adds a line exactly as it came, CRLF included. */
  appendRaw(name: string, text: string, valueStart: number): void {
    this.#lines.push({ name, text, valueStart });
  }

  /** All lines as they go on the wire, each with its CRLF. */
  toString(): string {
    let text = '';
    for (const line of this.#lines) text += line.text;
    return text;
  }

  #find(canonical: string): HeaderLine | undefined {
    return this.#lines.find((line) => isNamed(line, canonical));
  }
}

function createLine(name: string, value: string): HeaderLine {
  return { name, text: `${name}: ${value}\r\n`, valueStart: name.length + 2 };
}

function isNamed(line: HeaderLine, canonical: string): boolean {
  return (
    line.name === canonical ||
    (line.name.length === canonical.length && line.name.toLowerCase() === canonical.toLowerCase())
  );
}

/** Unfolded (RFC 3261 §7.3.1: a line break before white space counts as one space) and trimmed. */
function unfoldedValue(line: HeaderLine): string {
  const raw = line.text.slice(line.valueStart, -2);
  return (raw.includes('\r\n') ? raw.replace(/[ \t]*\r\n[ \t]+/g, ' ') : raw).trim();
}
