/**
 * The header fields of one SIP message, in order (RFC 3261 §7.3). A line that nobody changes is written out again octet by octet,
 * folding and odd spacing included: a proxy must not repair what it merely passes on. Lines of a received message are offsets into
 * its text, so reading a value costs nothing before it is asked for, and untouched neighbours are written with one copy.
 */
import { type HeaderName, headerNameOf } from './header-names.ts';
import { endOfListItem, firstListItem, splitList } from './split-list.ts';
import { unfoldedValue } from './unfolded-value.ts';

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
    return line.header.isList ? firstListItem(valueOfLine(line)) : valueOfLine(line);
  }

  /** All values in order; lines of list fields are split at their commas. */
  getAll(name: string): string[] {
    const header = headerNameOf(name);
    const values: string[] = [];
    for (const line of this.#lines) {
      if (!isNamed(line, header)) continue;
      if (header.isList) values.push(...splitList(valueOfLine(line)));
      else values.push(valueOfLine(line));
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
    this.#dropAfter(index, header);
  }

  /** Adds a line after the last one of that name, or at the end. */
  append(name: string, value: string): void {
    const header = headerNameOf(name);
    const last = this.#lines.findLastIndex((line) => isNamed(line, header));
    this.#insert(last < 0 ? this.#lines.length : last + 1, createLine(header, value));
  }

  /** Adds a line before the first one of that name, or at the very top. */
  prepend(name: string, value: string): void {
    const header = headerNameOf(name);
    this.#insert(Math.max(this.#firstIndexOf(header), 0), createLine(header, value));
  }

  /** Takes the first value away: of a list field one item, of any other one line. */
  removeFirst(name: string): void {
    const header = headerNameOf(name);
    const index = this.#firstIndexOf(header);
    const line = this.#lines[index];
    if (line === undefined) return;
    const value = header.isList ? valueOfLine(line) : '';
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
    return this.#lines.map((line) => [line.header.name, valueOfLine(line)]);
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

  /** Most messages have no second line of that name, and then nothing is moved. */
  #dropAfter(index: number, header: HeaderName): void {
    for (let at = index + 1; at < this.#lines.length; at++) {
      if (!isNamed(this.#lines[at]!, header)) continue;
      this.#lines = this.#lines.filter((line, place) => place <= index || !isNamed(line, header));
      return;
    }
  }

  /** What splice does, three times as fast: it builds no array of removed elements. */
  #insert(index: number, line: HeaderLine): void {
    const lines = this.#lines;
    lines.push(line);
    for (let at = lines.length - 1; at > index; at--) lines[at] = lines[at - 1]!;
    lines[index] = line;
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

function valueOfLine({ text, valueStart, end }: HeaderLine): string {
  return unfoldedValue(text, valueStart, end);
}
