/**
 * A small, strict, bounded reader of XML, for the documents of IMS: user profiles in Cx (TS 29.228 annex E), registration information
 * (RFC 3680).
 *
 * Follows XML 1.0 for elements, attributes, character data, CDATA sections, comments, the five predefined
 * entities and character references. Left out on purpose: document type declarations (entity expansion), other processing
 * instructions, namespaces. Text is one character per octet, as in SIP messages, so that a filter's pattern compares octets.
 */
import { Malformed } from './malformed.ts';

/** Octets of one document: a user profile with a hundred initial filter criteria of the usual 600 octets each. */
export const maximumXmlLength = 65_536;
/** Elements inside elements: the deepest path of a user profile (Extension in Extension in PublicIdentity, …) has 8. */
export const maximumXmlDepth = 16;
/** Elements of one document; with 20 elements per criterion the length limit is reached first. */
export const maximumXmlElements = 4_096;

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** The character data directly inside, joined, without surrounding white space. */
  readonly text: string;
  readonly children: readonly XmlElement[];
  /** Where its start tag begins, in octets. */
  readonly offset: number;
}

interface OpenElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
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
  if (text.length > maximumXmlLength) {
    return new Malformed('document', maximumXmlLength, `at most ${maximumXmlLength} octets`);
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
    if (this.#elements > maximumXmlElements) {
      return this.#malformed(`at most ${maximumXmlElements} elements`);
    }
    if (this.#open.length >= maximumXmlDepth) return this.#malformed(`at most ${maximumXmlDepth} deep`);
    const attributes = readAttributes(match[2]!);
    if (attributes === undefined)
      return this.#malformed('XML 1.0 §3.1: each attribute once, known references');
    this.#open.push({ name: match[1]!, attributes, offset, children: [], text: '' });
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
    const { text, ...rest } = this.#open.pop()!;
    const element: XmlElement = { ...rest, text: text.trim() };
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
    return new Malformed('XML', this.#offset, rule);
  }
}

const attribute = /([A-Za-z_][A-Za-z0-9_.:-]*)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')/g;

function readAttributes(text: string): ReadonlyMap<string, string> | undefined {
  const attributes = new Map<string, string>();
  for (const [, name = '', quoted, apostrophed] of text.matchAll(attribute)) {
    const value = resolveReferences(quoted ?? apostrophed ?? '');
    if (value === undefined || attributes.has(name)) return undefined;
    attributes.set(name, value);
  }
  return attributes;
}

/** Text as it stands between tags or in a quoted attribute. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => escapes[character]!);
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

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
