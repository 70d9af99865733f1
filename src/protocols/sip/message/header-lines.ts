/**
 * The lines of a header as a piece table, the structure of text editors: runs of received lines that nobody touched, and between them
 * lines written here. A change costs what it changes, and a run is written out with one copy however long it is.
 */
import type { HeaderName } from './header-names.ts';
import { type ParsedValue, parseValue, type ReceivedLines } from './received-lines.ts';
import { unfoldedValue } from './unfolded-value.ts';

/** The received lines [from, to); never empty. */
interface Run {
  readonly kind: 'run';
  readonly received: ReceivedLines;
  readonly from: number;
  readonly to: number;
}

/** A line written here. */
interface OwnLine {
  readonly kind: 'own';
  readonly header: HeaderName;
  readonly value: string;
  parsed: ParsedValue | undefined;
}

type Piece = Run | OwnLine;

const crlf = '\r\n';

/**
 * Where a line stands: the number of its piece and, when that is a run, of the received line, in one number, since places are asked for
 * all the time. Good until the next change.
 */
export type Place = number & { readonly place: true };

const linesPerPiece = 0x1_0000;

function placeOf(piece: number, line: number): Place {
  return (piece * linesPerPiece + line) as Place;
}

function pieceOf(place: Place): number {
  return Math.floor(place / linesPerPiece);
}

function lineOf(place: Place): number {
  return place % linesPerPiece;
}

export class HeaderLines {
  #pieces: Piece[] = [];

  static ofReceived(received: ReceivedLines): HeaderLines {
    const lines = new HeaderLines();
    if (received.count > 0) lines.#pieces.push(createRun(received, 0, received.count));
    return lines;
  }

  clone(): HeaderLines {
    const copy = new HeaderLines();
    copy.#pieces = this.#pieces.slice();
    return copy;
  }

  has(header: HeaderName): boolean {
    for (const piece of this.#pieces) {
      if (piece.kind === 'own') {
        if (isSameName(piece.header, header)) return true;
      } else if (piece.received.find(header, piece.from, piece.to) >= 0) return true;
    }
    return false;
  }

  /** The first line of that name. */
  find(header: HeaderName): Place | undefined {
    return this.#findFrom(0, 0, header);
  }

  /** The next line of the same name. */
  findBehind(place: Place, header: HeaderName): Place | undefined {
    const piece = pieceOf(place);
    return this.#pieces[piece]!.kind === 'own'
      ? this.#findFrom(piece + 1, 0, header)
      : this.#findFrom(piece, lineOf(place) + 1, header);
  }

  /** The last line of that name. */
  findLast(header: HeaderName): Place | undefined {
    for (let at = this.#pieces.length - 1; at >= 0; at--) {
      const piece = this.#pieces[at]!;
      if (piece.kind === 'own') {
        if (isSameName(piece.header, header)) return placeOf(at, 0);
      } else {
        const line = piece.received.findLast(header, piece.from, piece.to);
        if (line >= 0) return placeOf(at, line);
      }
    }
    return undefined;
  }

  /** The whole value, unfolded and trimmed. */
  valueAt(place: Place): string {
    const piece = this.#pieces[pieceOf(place)]!;
    return piece.kind === 'own' ? ownValueOf(piece) : piece.received.valueOf(lineOf(place));
  }

  /** What the parser makes of the first value of that name, remembered beside its line; `undefined` when there is none. */
  parse<T>(header: HeaderName, parse: (value: string) => T): T | undefined {
    const place = this.find(header);
    if (place === undefined) return undefined;
    const piece = this.#pieces[pieceOf(place)]!;
    if (piece.kind === 'run') return piece.received.parse(lineOf(place), header, parse);
    if (piece.parsed?.parse !== parse) piece.parsed = parseValue(header, ownValueOf(piece), parse);
    return piece.parsed.value as T | undefined;
  }

  append(header: HeaderName, value: string): void {
    this.#pieces.push(createLine(header, value));
  }

  /** Lines of another message, which stay as they were received there. */
  appendFrom(other: HeaderLines, header: HeaderName): void {
    for (let place = other.find(header); place !== undefined; place = other.findBehind(place, header)) {
      const piece = other.#pieces[pieceOf(place)]!;
      const line = lineOf(place);
      this.#pieces.push(piece.kind === 'own' ? piece : createRun(piece.received, line, line + 1));
    }
  }

  /** Lines of another message, as `appendFrom`. */
  appendAll(other: HeaderLines, but: HeaderName): void {
    const lines = other.has(but) ? other.filter((header) => !isSameName(header, but)) : other;
    for (const piece of lines.#pieces) this.#pieces.push(piece);
  }

  /** A copy with the lines of those fields for which this is true; in one pass. */
  filter(isKept: (header: HeaderName) => boolean): HeaderLines {
    const copy = new HeaderLines();
    for (const piece of this.#pieces) {
      if (piece.kind === 'own') {
        if (isKept(piece.header)) copy.#pieces.push(piece);
      } else copy.#pushKept(piece, isKept);
    }
    return copy;
  }

  #pushKept({ received, from, to }: Run, isKept: (header: HeaderName) => boolean): void {
    let start = from;
    for (let line = from; line <= to; line++) {
      if (line < to && isKept(received.nameOf(line))) continue;
      if (start < line) this.#pieces.push(createRun(received, start, line));
      start = line + 1;
    }
  }

  insertBefore(place: Place | undefined, header: HeaderName, value: string): void {
    this.#insert(place === undefined ? 0 : this.#cutBefore(place), createLine(header, value));
  }

  insertBehind(place: Place, header: HeaderName, value: string): void {
    const piece = pieceOf(place);
    const isOwn = this.#pieces[piece]!.kind === 'own';
    const at = isOwn ? piece + 1 : this.#cutBefore(placeOf(piece, lineOf(place) + 1));
    this.#insert(at, createLine(header, value));
  }

  /** Returns where the new line stands. */
  replace(place: Place, header: HeaderName, value: string): Place {
    const at = this.#cutBefore(place);
    const line = createLine(header, value);
    const rest = withoutFirst(this.#pieces[at]!);
    this.#pieces[at] = line;
    if (rest !== undefined) this.#insert(at + 1, rest);
    return placeOf(at, 0);
  }

  remove(place: Place): void {
    const at = this.#cutBefore(place);
    const rest = withoutFirst(this.#pieces[at]!);
    if (rest === undefined) this.#pieces.splice(at, 1);
    else this.#pieces[at] = rest;
  }

  removeAll(header: HeaderName): void {
    if (this.has(header)) this.#removeAllFrom(0, header);
  }

  removeAllBehind(place: Place, header: HeaderName): void {
    this.#removeAllFrom(pieceOf(place) + 1, header);
  }

  /** Name (canonical) and whole value of each line, in order. */
  entries(): [name: string, value: string][] {
    return this.#pieces.flatMap((piece) =>
      piece.kind === 'own'
        ? [[piece.header.name, ownValueOf(piece)]]
        : piece.received.entries(piece.from, piece.to),
    );
  }

  /** All lines as they go on the wire. */
  toString(): string {
    let text = '';
    // Piece by piece: a line put together first would be one text more for each.
    for (const piece of this.#pieces)
      if (piece.kind === 'own') text = text + piece.header.prefix + piece.value + crlf;
      else text += piece.received.textOf(piece.from, piece.to);
    return text;
  }

  #findFrom(firstPiece: number, firstLine: number, header: HeaderName): Place | undefined {
    let line = firstLine;
    for (let at = firstPiece; at < this.#pieces.length; at++) {
      const piece = this.#pieces[at]!;
      if (piece.kind === 'own') {
        if (isSameName(piece.header, header)) return placeOf(at, 0);
      } else {
        const found = piece.received.find(header, Math.max(line, piece.from), piece.to);
        if (found >= 0) return placeOf(at, found);
        line = 0;
      }
    }
    return undefined;
  }

  /** In one pass: a hostile message has thousands of lines. */
  #removeAllFrom(firstPiece: number, header: HeaderName): void {
    const kept = this.#pieces.slice(0, firstPiece);
    for (const piece of this.#pieces.slice(firstPiece)) {
      if (piece.kind === 'own') {
        if (!isSameName(piece.header, header)) kept.push(piece);
        continue;
      }
      for (let from = piece.from; from < piece.to; ) {
        const found = piece.received.find(header, from, piece.to);
        const to = found < 0 ? piece.to : found;
        if (from < to) kept.push(createRun(piece.received, from, to));
        from = to + 1;
      }
    }
    this.#pieces = kept;
  }

  /** Makes a piece begin at the place, and returns its number; one behind the last piece for the end of it. */
  #cutBefore(place: Place): number {
    const at = pieceOf(place);
    const line = lineOf(place);
    const piece = this.#pieces[at]!;
    if (piece.kind === 'own' || line === piece.from) return at;
    if (line < piece.to) {
      this.#pieces[at] = createRun(piece.received, piece.from, line);
      this.#insert(at + 1, createRun(piece.received, line, piece.to));
    }
    return at + 1;
  }

  /** What splice does, three times as fast: it builds no array of removed elements. */
  #insert(at: number, piece: Piece): void {
    const pieces = this.#pieces;
    pieces.push(piece);
    for (let index = pieces.length - 1; index > at; index--) pieces[index] = pieces[index - 1]!;
    pieces[at] = piece;
  }
}

function withoutFirst(piece: Piece): Run | undefined {
  return piece.kind === 'run' && piece.from + 1 < piece.to
    ? createRun(piece.received, piece.from + 1, piece.to)
    : undefined;
}

function createRun(received: ReceivedLines, from: number, to: number): Run {
  return { kind: 'run', received, from, to };
}

function createLine(header: HeaderName, value: string): OwnLine {
  return { kind: 'own', header, value, parsed: undefined };
}

function ownValueOf({ value }: OwnLine): string {
  return unfoldedValue(value, 0, value.length);
}

function isSameName(header: HeaderName, wanted: HeaderName): boolean {
  return header === wanted || (wanted.index === 0 && header.key === wanted.key);
}
