/**
 * S-CSCF (TRIM Fig. 1): a small, strict, bounded reader of the XML that Cx carries in User-Data (TS 29.228 annex E).
 *
 * Follows XML 1.0 for elements, attributes (checked and dropped), character data, CDATA sections, comments, the five predefined
 * entities and character references. Left out on purpose: document type declarations (entity expansion), other processing
 * instructions, namespaces. Text is one character per octet, as in SIP messages, so that a filter's pattern compares octets.
 */
import { Malformed } from '../../base/malformed.ts';
import { maximumProfileDepth, maximumProfileElements, maximumProfileLength } from './limits.ts';

export interface XmlElement {
  readonly name: string;
  /** The character data directly inside, joined, without surrounding white space. */
  readonly text: string;
  readonly children: readonly XmlElement[];
  /** Where its start tag begins, in octets. */
  readonly offset: number;
}

interface OpenElement {
  readonly name: string;
  readonly offset: number;
  readonly children: XmlElement[];
  text: string;
}

const predefinedEntities: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

const declaration = /<\?xml\s[^<>?]*\?>/y;
const space = /[ \t\r\n]*/y;
const startTag =
  /<([A-Za-z_][A-Za-z0-9_.:-]*)((?:[ \t\r\n]+[A-Za-z_][A-Za-z0-9_.:-]*[ \t\r\n]*=[ \t\r\n]*(?:"[^"<]*"|'[^'<]*'))*)[ \t\r\n]*(\/?)>/y;
const endTag = /<\/([A-Za-z_][A-Za-z0-9_.:-]*)[ \t\r\n]*>/y;
const reference = /&(?:#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6})|([a-z]{2,4}));/g;

/** Reads one document; `text` has one character per octet. Never throws. */
export function parseXmlDocument(text: string): XmlElement | Malformed {
  if (text.length > maximumProfileLength) {
    return new Malformed('document', maximumProfileLength, `at most ${maximumProfileLength} octets`);
  }
  return new XmlReader(text).read();
}

class XmlReader {
  readonly #text: string;
  readonly #open: OpenElement[] = [];
  #offset: number;
  #elements = 0;
  #root: XmlElement | undefined;

  constructor(text: string) {
    this.#text = text;
    // The octets EF BB BF are the UTF-8 byte order mark, which XML 1.0 §4.3.3 allows.
    this.#offset = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  }

  read(): XmlElement | Malformed {
    this.#take(declaration);
    while (this.#offset < this.#text.length) {
      const problem = this.#readPiece();
      if (problem !== undefined) return problem;
    }
    if (this.#open.length > 0) return this.#malformed(`${this.#open.at(-1)!.name} is not closed`);
    return this.#root ?? this.#malformed('no element');
  }

  #readPiece(): Malformed | undefined {
    if (this.#text[this.#offset] !== '<') return this.#readCharacterData();
    if (this.#text.startsWith('<!--', this.#offset)) return this.#readDelimited('<!--', '-->', false);
    if (this.#text.startsWith('<![CDATA[', this.#offset))
      return this.#readDelimited('<![CDATA[', ']]>', true);
    if (this.#text.startsWith('</', this.#offset)) return this.#readEndTag();
    return this.#readStartTag();
  }

  #readCharacterData(): Malformed | undefined {
    const parent = this.#open.at(-1);
    if (parent === undefined) {
      const skipped = this.#take(space);
      return skipped?.[0] === '' ? this.#malformed('no text outside the root element') : undefined;
    }
    const next = this.#text.indexOf('<', this.#offset);
    const end = next < 0 ? this.#text.length : next;
    const data = resolveReferences(this.#text.slice(this.#offset, end));
    if (data === undefined) return this.#malformed('XML 1.0 §4.1: an unknown reference');
    parent.text += data;
    this.#offset = end;
    return undefined;
  }

  #readDelimited(opening: string, closing: string, isText: boolean): Malformed | undefined {
    const begin = this.#offset + opening.length;
    const end = this.#text.indexOf(closing, begin);
    if (end < 0) return this.#malformed(`${opening} without ${closing}`);
    if (isText) {
      const parent = this.#open.at(-1);
      if (parent === undefined) return this.#malformed('no text outside the root element');
      parent.text += this.#text.slice(begin, end);
    }
    this.#offset = end + closing.length;
    return undefined;
  }

  #readStartTag(): Malformed | undefined {
    const offset = this.#offset;
    const match = this.#take(startTag);
    if (match === undefined) return this.#malformed('XML 1.0 §3.1: a start tag');
    if (this.#root !== undefined) return this.#malformed('XML 1.0 §2.1: exactly one root element');
    this.#elements += 1;
    if (this.#elements > maximumProfileElements) {
      return this.#malformed(`at most ${maximumProfileElements} elements`);
    }
    if (this.#open.length >= maximumProfileDepth)
      return this.#malformed(`at most ${maximumProfileDepth} deep`);
    this.#open.push({ name: match[1]!, offset, children: [], text: '' });
    if (match[3] === '/') this.#close();
    return undefined;
  }

  #readEndTag(): Malformed | undefined {
    const match = this.#take(endTag);
    const name = this.#open.at(-1)?.name;
    if (match === undefined || name === undefined || match[1] !== name) {
      return this.#malformed(`XML 1.0 §3: the end tag of ${name ?? 'nothing'}`);
    }
    this.#close();
    return undefined;
  }

  #close(): void {
    const { name, offset, children, text } = this.#open.pop()!;
    const element: XmlElement = { name, text: text.trim(), children, offset };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match !== undefined) this.#offset += match[0].length;
    return match;
  }

  #malformed(rule: string): Malformed {
    return new Malformed('User-Data', this.#offset, rule);
  }
}

function resolveReferences(data: string): string | undefined {
  let known = true;
  const resolved = data.replace(reference, (_, decimal?: string, hexadecimal?: string, name?: string) => {
    const value =
      name !== undefined
        ? predefinedEntities.get(name)
        : utf8Octets(decimal !== undefined ? Number(decimal) : Number.parseInt(hexadecimal ?? '', 16));
    known &&= value !== undefined;
    return value ?? '';
  });
  // What is left of the ampersands did not look like a reference at all.
  const strays = (data.match(/&/g)?.length ?? 0) !== (data.match(reference)?.length ?? 0);
  return known && !strays ? resolved : undefined;
}

/** The UTF-8 octets of a code point, one character each; nothing for what XML 1.0 §2.2 does not allow as a character. */
function utf8Octets(codePoint: number): string | undefined {
  const isControl = codePoint < 0x20 && codePoint !== 9 && codePoint !== 10 && codePoint !== 13;
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (isControl || isSurrogate || codePoint > 0x10ffff) return undefined;
  if (codePoint < 0x80) return String.fromCharCode(codePoint);
  const continuation = (shift: number): number => 0x80 | ((codePoint >> shift) & 0x3f);
  if (codePoint < 0x800) return String.fromCharCode(0xc0 | (codePoint >> 6), continuation(0));
  if (codePoint < 0x10000)
    return String.fromCharCode(0xe0 | (codePoint >> 12), continuation(6), continuation(0));
  return String.fromCharCode(0xf0 | (codePoint >> 18), continuation(12), continuation(6), continuation(0));
}
