/**
 * A session description (RFC 4566) as its lines, in their order: whoever changes one line leaves all others as they were. Only what
 * decides where media flows is understood (m=, c=); line ends are written as CRLF. Text is latin1, one character per octet.
 */
import { isMalformed, Malformed } from '../../base/malformed.ts';

export interface MediaDescription {
  /** From m= on, without line ends. */
  readonly lines: readonly string[];
  /** "audio", "video", … */
  readonly media: string;
  /** 0: the stream is refused or switched off (RFC 3264 §6, §8.2). */
  readonly port: number;
  /** Such as "RTP/AVP" or "TCP". */
  readonly protocol: string;
  readonly formats: readonly string[];
}

export interface SessionDescription {
  /** All lines before the first m=, without line ends. */
  readonly lines: readonly string[];
  readonly media: readonly MediaDescription[];
}

/** Far more streams than any known user agent offers; each costs its relays a binding. */
const maximumMediaLines = 32;

const mediaLine = /^m=([^\s]+) (\d{1,5})(?:\/\d+)? ([^\s]+)((?: +[^\s]+)*) *$/;
const originLine = /^o=[^\s]+ \d+ \d+ IN IP[46] [^\s]+ *$/;
const connectionLine = /^c=IN IP[46] [^\s/]+(?:\/\d+){0,2} *$/;

/** A stream that is not refused needs a connection line, its own or the session's (RFC 4566 §5.7). */
export function parseSessionDescription(text: string): SessionDescription | Malformed {
  const sections: string[][] = [[]];
  let offset = 0;
  for (const raw of text.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.startsWith('m=')) sections.push([]);
    const fault = faultOfLine(line, sections);
    if (fault !== undefined && offset < text.length) return new Malformed(fault.field, offset, fault.rule);
    if (offset < text.length) sections.at(-1)!.push(line);
    offset += raw.length + 1;
  }
  return assemble(sections);
}

function faultOfLine(
  line: string,
  sections: readonly string[][],
): { field: string; rule: string } | undefined {
  const isFirst = sections.length === 1 && sections[0]!.length === 0;
  if (isFirst && line !== 'v=0') return { field: 'v=', rule: 'RFC 4566 §5.1: the first line is v=0' };
  if (!/^[a-z]=/i.test(line)) return { field: 'line', rule: 'RFC 4566 §5: a letter, "=" and a value' };
  if (line.startsWith('o=') && !originLine.test(line))
    return { field: 'o=', rule: 'RFC 4566 §5.2: username id version IN IP4|IP6 address' };
  if (line.startsWith('c=') && !connectionLine.test(line))
    return { field: 'c=', rule: 'RFC 4566 §5.7: IN IP4|IP6 address' };
  if (line.startsWith('m=') && sections.length - 1 > maximumMediaLines)
    return { field: 'm=', rule: `no more than ${maximumMediaLines} media lines here` };
  return undefined;
}

function assemble(sections: readonly string[][]): SessionDescription | Malformed {
  const lines = sections[0] ?? [];
  if (!lines.some((line) => line.startsWith('o=')))
    return new Malformed('o=', 0, 'RFC 4566 §5: o= is mandatory');
  const media: MediaDescription[] = [];
  for (const section of sections.slice(1)) {
    const parsed = parseMediaDescription(section);
    if (isMalformed(parsed)) return parsed;
    if (parsed.port !== 0 && ![...section, ...lines].some((line) => line.startsWith('c=')))
      return new Malformed('c=', 0, 'RFC 4566 §5.7: each stream, or the session, needs a connection line');
    media.push(parsed);
  }
  return { lines, media };
}

/** From its lines, m= first. */
export function parseMediaDescription(lines: readonly string[]): MediaDescription | Malformed {
  const match = mediaLine.exec(lines[0] ?? '');
  if (match === null || Number(match[2]) > 65535)
    return new Malformed('m=', 0, 'RFC 4566 §5.14: media port protocol formats');
  const formats = (match[4] ?? '').split(' ').filter((format) => format !== '');
  return { lines, media: match[1]!, port: Number(match[2]), protocol: match[3]!, formats };
}

export function formatSessionDescription(description: SessionDescription): string {
  const lines = [...description.lines, ...description.media.flatMap((media) => media.lines)];
  return lines.map((line) => `${line}\r\n`).join('');
}

/** The description with one stream in the place of another. */
export function withMedia(
  description: SessionDescription,
  index: number,
  media: MediaDescription,
): SessionDescription {
  return { ...description, media: description.media.with(index, media) };
}

/** The stream with other lines behind its m= line. */
export function withMediaLines(media: MediaDescription, lines: readonly string[]): MediaDescription {
  return { ...media, lines: [media.lines[0]!, ...lines] };
}

/** The stream with another port on its m= line. */
export function withMediaPort(media: MediaDescription, port: number): MediaDescription {
  const first = media.lines[0]!.replace(/^(m=[^\s]+ )\d+/, `$1${port}`);
  return { ...media, port, lines: [first, ...media.lines.slice(1)] };
}
