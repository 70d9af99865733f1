/**
 * Attributes of a stream that decide who sends, who connects and who waits: direction (RFC 4566 §6), setup and connection of TCP media
 * (RFC 4145). A stream without an attribute of its own takes the session's (RFC 4566 §5.13).
 */
import {
  type DescriptionSection,
  linesOf,
  type MediaDescription,
  type SessionDescription,
  withMediaLines,
} from './session-description.ts';

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
export type Setup = 'active' | 'passive' | 'actpass' | 'holdconn';

/** The value of `a=name:value`, '' for `a=name`, `undefined` when neither the stream nor the session has it. */
export function attributeOf(
  { session, media }: SessionDescription,
  index: number,
  name: string,
): string | undefined {
  const stream = media[index];
  return (stream && attributeIn(stream, name)) ?? attributeIn(session, name);
}

/** Of the section's own lines. */
export function attributeIn({ text }: DescriptionSection, name: string): string | undefined {
  const line = `\na=${name}`;
  for (let start = text.indexOf(line); start >= 0; start = text.indexOf(line, start + 1)) {
    const end = start + line.length;
    if (text[end] === ':') return text.slice(end + 1, text.indexOf('\r\n', end)).trim();
    if (text.startsWith('\r\n', end)) return '';
  }
  return undefined;
}

export function isAttribute(line: string, name: string): boolean {
  return line === `a=${name}` || line.startsWith(`a=${name}:`);
}

const directionLine = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/;

export function directionOf({ session, media }: SessionDescription, index: number): Direction {
  const sections = [media[index] ?? session, session];
  for (const line of sections.flatMap(linesOf)) {
    const match = directionLine.exec(line);
    if (match !== null) return match[1] as Direction;
  }
  return 'sendrecv';
}

/** RFC 4145 §4: without the attribute the offerer is active and the answerer passive. */
export function setupOf(description: SessionDescription, index: number, role: 'offer' | 'answer'): Setup {
  const value = attributeOf(description, index, 'setup');
  if (value === 'active' || value === 'passive' || value === 'actpass' || value === 'holdconn') return value;
  return role === 'offer' ? 'active' : 'passive';
}

/** RFC 4145 §5: "new" when nothing is said. */
export function connectionOf(description: SessionDescription, index: number): 'new' | 'existing' {
  return attributeOf(description, index, 'connection') === 'existing' ? 'existing' : 'new';
}

/** By the protocol of the m= line: "TCP", "TCP/RTP/AVP" (RFC 4145, RFC 4571) run over TCP, all else over UDP. */
export function transportOf(media: MediaDescription): 'udp' | 'tcp' {
  return /^TCP(?:\/|$)/i.test(media.protocol) ? 'tcp' : 'udp';
}

/** Puts `a=name:value` (or `a=name` for '') in the place of the stream's first such line; appends when there is none. */
export function withAttribute(media: MediaDescription, name: string, value: string): MediaDescription {
  const line = value === '' ? `a=${name}` : `a=${name}:${value}`;
  const [, ...rest] = linesOf(media);
  const index = rest.findIndex((candidate) => isAttribute(candidate, name));
  return withMediaLines(media, index < 0 ? [...rest, line] : rest.with(index, line));
}

export function withDirection(media: MediaDescription, direction: Direction): MediaDescription {
  const [, ...rest] = linesOf(media);
  return withMediaLines(media, [...rest.filter((line) => !directionLine.test(line)), `a=${direction}`]);
}
