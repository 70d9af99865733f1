/**
 * The header fields of one SIP message, in order (RFC 3261 §7.3). A line that nobody changes is written out again octet by octet,
 * folding and odd spacing included: a proxy must not repair what it merely passes on. Lines of a received message are offsets into
 * its text, so reading a value costs nothing before it is asked for, and untouched neighbours are written with one copy.
 */
import { type HeaderName, headerNameOf } from './header-names.ts';
import { endOfListItem, firstListItem, splitList } from './split-list.ts';

/** A line is text[start, end), its CRLF included; the value begins at `valueStart`. */
interface HeaderLine {
  readonly header: HeaderName;
  readonly text: string;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

export class SipHeaders {
  #lines: HeaderLine[] = [];

  /** The first value: of a list field the first item, of any other the whole line, unfolded and trimmed. */
  get(name: string): string | undefined {
    const line = this.#lines[this.#firstIndexOf(headerNameOf(name))];
    if (line === undefined) return undefined;
    const value = unfoldedValue(line);
    return line.header.isList ? firstListItem(value) : value;
  }

  /** All values in order; lines of list fields are split at their commas. */
  getAll(name: string): string[] {
    const header = headerNameOf(name);
    const values: string[] = [];
    for (const line of this.#lines) {
      if (!isNamed(line, header)) continue;
      if (header.isList) values.push(...splitList(unfoldedValue(line)));
      else values.push(unfoldedValue(line));
    }
    return values;
  }

  has(name: string): boolean {
    return this.#firstIndexOf(headerNameOf(name)) >= 0;
  }

  /** Puts `value` in the place of the first line of that name and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const header = headerNameOf(name);
    const index = this.#firstIndexOf(header);
    if (index < 0) {
      this.#lines.push(createLine(header, value));
      return;
    }
    this.#lines[index] = createLine(header, value);
    for (let other = this.#lines.length - 1; other > index; other--) {
      if (isNamed(this.#lines[other]!, header)) this.#lines.splice(other, 1);
    }
  }

  /** Adds a line after the last one of that name, or at the end. */
  append(name: string, value: string): void {
    const header = headerNameOf(name);
    const last = this.#lines.findLastIndex((line) => isNamed(line, header));
    this.#lines.splice(last < 0 ? this.#lines.length : last + 1, 0, createLine(header, value));
  }

  /** Adds a line before the first one of that name, or at the very top. */
  prepend(name: string, value: string): void {
    const header = headerNameOf(name);
    this.#lines.splice(Math.max(this.#firstIndexOf(header), 0), 0, createLine(header, value));
  }

  /** Takes the first value away: of a list field one item, of any other one line. */
  removeFirst(name: string): void {
    const header = headerNameOf(name);
    const index = this.#firstIndexOf(header);
    const line = this.#lines[index];
    if (line === undefined) return;
    const value = header.isList ? unfoldedValue(line) : '';
    const rest = value.slice(endOfListItem(value, 0) + 1).trim();
    if (rest === '') this.#lines.splice(index, 1);
    else this.#lines[index] = createLine(header, rest);
  }

  removeAll(name: string): void {
    const header = headerNameOf(name);
    this.#lines = this.#lines.filter((line) => !isNamed(line, header));
  }

  clone(): SipHeaders {
    const copy = new SipHeaders();
    copy.#lines = this.#lines.slice();
    return copy;
  }

  /** Name (canonical) and whole value of each line, in order. */
  entries(): [name: string, value: string][] {
    return this.#lines.map((line) => [line.header.name, unfoldedValue(line)]);
  }

  /** For the parser: adds the line text[start, end) as it came, CRLF included. */
  appendLine(header: HeaderName, text: string, start: number, valueStart: number, end: number): void {
    this.#lines.push({ header, text, start, valueStart, end });
  }

  /** All lines as they go on the wire, each with its CRLF. */
  toString(): string {
    let result = '';
    for (let index = 0; index < this.#lines.length; ) {
      const { text, start, end } = this.#lines[index++]!;
      let runEnd = end;
      for (
        let next = this.#lines[index];
        next?.text === text && next.start === runEnd;
        next = this.#lines[++index]
      )
        runEnd = next.end;
      result += text.slice(start, runEnd);
    }
    return result;
  }

  #firstIndexOf(header: HeaderName): number {
    for (let index = 0; index < this.#lines.length; index++) {
      if (isNamed(this.#lines[index]!, header)) return index;
    }
    return -1;
  }
}

function createLine(header: HeaderName, value: string): HeaderLine {
  const text = `${header.name}: ${value}\r\n`;
  return { header, text, start: 0, valueStart: header.name.length + 2, end: text.length };
}

function isNamed({ header }: HeaderLine, wanted: HeaderName): boolean {
  return header === wanted || (wanted.index === 0 && header.key === wanted.key);
}

/** Unfolded (RFC 3261 §7.3.1: a line break before white space counts as one space) and trimmed. */
function unfoldedValue({ text, valueStart, end }: HeaderLine): string {
  let from = valueStart;
  let to = end - 2;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (from < to && isSpace(text.charCodeAt(to - 1))) to--;
  const value = text.slice(from, to);
  return value.includes('\r') ? value.replace(/\r\n[ \t]+/g, ' ') : value;
}

/** Line breaks count too: a folded value may begin with one. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}
