/**
 * A session description (RFC 4566) as the text of its sections: the session's own lines, and those of each stream. It is read once, line by
 * line, and whoever changes a line leaves all other octets as they were. Only what decides where media flows is understood (m=, c=); line
 * ends are CRLF. Text is latin1, one character per octet.
 */
import { canonicalIpAddress } from '../../base/ip-address.ts';
import { isMalformed, Malformed } from '../../base/malformed.ts';
import { ownText } from '../../base/own-text.ts';

/** The lines before the first m=, or those of one stream. */
export interface DescriptionSection {
  /** Each line ends with CRLF. */
  readonly text: string;
  /** Of its first c= line: canonical text of an IP address, or a name as it was written; a text of its own, which may be kept. */
  readonly connectionAddress: string | undefined;
}

export interface MediaDescription extends DescriptionSection {
  /** "audio", "video", … */
  readonly media: string;
  /** 0: the stream is refused or switched off (RFC 3264 §6, §8.2). */
  readonly port: number;
  /** Such as "RTP/AVP" or "TCP". */
  readonly protocol: string;
}

export interface SessionDescription {
  readonly session: DescriptionSection;
  readonly media: readonly MediaDescription[];
}

/** Far more streams than any known user agent offers; each costs its relays a binding. */
const maximumMediaLines = 32;

const mediaLine = /^m=([^\s]+) (\d{1,5})(?:\/\d+)? ([^\s]+)(?: +[^\s]+)* *$/;
const originLine = /^o=[^\s]+ \d+ \d+ IN IP[46] [^\s]+ *$/;
const connectionLine = /^c=IN IP[46] [^\s/]+(?:\/\d+){0,2} *$/;

/** A stream that is not refused needs a connection line, its own or the session's (RFC 4566 §5.7). */
export function parseSessionDescription(text: string): SessionDescription | Malformed {
  const lines = withLineEnds(text);
  const description = readDescription(lines);
  if (lines === text || !isMalformed(description)) return description;
  return new Malformed(description.field, offsetBefore(lines, text, description.offset), description.rule);
}

function readDescription(text: string): SessionDescription | Malformed {
  let start = endOfSection(text, 0);
  const session = parseSessionSection(text.slice(0, start));
  if (isMalformed(session)) return session;
  const media: MediaDescription[] = [];
  while (start < text.length) {
    const end = endOfSection(text, start);
    const stream = parseMediaDescription(text.slice(start, end));
    if (isMalformed(stream)) return new Malformed(stream.field, start + stream.offset, stream.rule);
    if (media.length === maximumMediaLines)
      return new Malformed('m=', start, `no more than ${maximumMediaLines} media lines here`);
    if (stream.port !== 0 && (stream.connectionAddress ?? session.connectionAddress) === undefined)
      return new Malformed(
        'c=',
        start,
        'RFC 4566 §5.7: each stream, or the session, needs a connection line',
      );
    media.push(stream);
    start = end;
  }
  return { session, media };
}

function endOfSection(text: string, start: number): number {
  const end = text.indexOf('\nm=', start);
  return end < 0 ? text.length : end + 1;
}

/** The lines before the first stream, each with CRLF. */
export function parseSessionSection(text: string): DescriptionSection | Malformed {
  if (text !== '' && !text.startsWith('v=0\r\n'))
    return new Malformed('v=', 0, 'RFC 4566 §5.1: the first line is v=0');
  const fault = faultOfLines(text);
  if (fault !== undefined) return fault;
  const origin = text.indexOf('\no=');
  if (origin < 0) return new Malformed('o=', 0, 'RFC 4566 §5: o= is mandatory');
  const second = text.indexOf('\no=', origin + 1);
  if (second > 0) return new Malformed('o=', second + 1, 'RFC 4566 §5: there is one o=');
  return { text, connectionAddress: connectionAddressIn(text) };
}

/** The lines of one stream, m= first, each with CRLF. */
export function parseMediaDescription(text: string): MediaDescription | Malformed {
  const match = mediaLine.exec(text.slice(0, text.indexOf('\r\n')));
  if (match === null || Number(match[2]) > 65535)
    return new Malformed('m=', 0, 'RFC 4566 §5.14: media port protocol formats');
  const fault = faultOfLines(text);
  if (fault !== undefined) return fault;
  return describe(text, match[1]!, Number(match[2]), match[3]!);
}

function describe(text: string, media: string, port: number, protocol: string): MediaDescription {
  return { text, connectionAddress: connectionAddressIn(text), media, port, protocol };
}

function faultOfLines(text: string): Malformed | undefined {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    const letter = text.charCodeAt(start) | 32;
    if (end < 0 || letter < 97 || letter > 122 || text[start + 1] !== '=')
      return new Malformed('line', start, 'RFC 4566 §5: a letter, "=", a value and CRLF');
    if (text[start] === 'o' && !originLine.test(text.slice(start, end - 1)))
      return new Malformed('o=', start, 'RFC 4566 §5.2: username id version IN IP4|IP6 address');
    if (text[start] === 'c' && !connectionLine.test(text.slice(start, end - 1)))
      return new Malformed('c=', start, 'RFC 4566 §5.7: IN IP4|IP6 address');
    start = end + 1;
  }
  return undefined;
}

function connectionAddressIn(text: string): string | undefined {
  const line = text.indexOf('\nc=');
  if (line < 0) return undefined;
  const start = line + '\nc=IN IP4 '.length;
  let end = start;
  while (!' /\r'.includes(text[end]!)) end++;
  return ownText(canonicalIpAddress(text.slice(start, end)));
}

/** Bare line feeds and a last line without end are taken too (RFC 4566 §5). */
function withLineEnds(text: string): string {
  let feed = text.indexOf('\n');
  while (feed > 0 && text[feed - 1] === '\r') feed = text.indexOf('\n', feed + 1);
  if (feed < 0 && (text === '' || text.endsWith('\n'))) return text;
  const ended = text.endsWith('\n') ? text : `${text}\n`;
  return ended.replace(/\r?\n/g, '\r\n');
}

/** Where in `original` the line stands that begins at `offset` of the same with all its line ends. */
function offsetBefore(lines: string, original: string, offset: number): number {
  let [at, found] = [0, lines.indexOf('\n') + 1];
  while (found > 0 && found <= offset) {
    at = original.indexOf('\n', at) + 1;
    found = lines.indexOf('\n', found) + 1;
  }
  return at;
}

export function formatSessionDescription({ session, media }: SessionDescription): string {
  let { text } = session;
  for (const stream of media) text += stream.text;
  return text;
}

/** The lines of a section, without line ends. */
export function linesOf({ text }: DescriptionSection): string[] {
  return text.slice(0, -2).split('\r\n');
}

/** The description with one stream in the place of another. */
export function withMedia(
  { session, media }: SessionDescription,
  index: number,
  stream: MediaDescription,
): SessionDescription {
  return { session, media: media.with(index, stream) };
}

/** The stream with other lines, none of them with its line end, behind its m= line. */
export function withMediaLines(stream: MediaDescription, lines: readonly string[]): MediaDescription {
  const first = stream.text.slice(0, stream.text.indexOf('\n') + 1);
  const text = first + lines.map((line) => `${line}\r\n`).join('');
  return describe(text, stream.media, stream.port, stream.protocol);
}

/** The stream with another port on its m= line. */
export function withMediaPort(stream: MediaDescription, port: number): MediaDescription {
  const { connectionAddress, media, protocol } = stream;
  return { text: `m=${media} ${port}${textBehindPort(stream)}`, connectionAddress, media, port, protocol };
}

export function textBehindPort({ text, media }: MediaDescription): string {
  let end = `m=${media} `.length;
  while (text[end] !== ' ' && text[end] !== '/') end++;
  return text.slice(end);
}
