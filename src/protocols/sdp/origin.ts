/**
 * The o= line (RFC 4566 §5.2). A back-to-back user agent speaks on each leg with an origin of its own: one session id for the life of
 * the leg, and a version that rises by one whenever the description differs from the one sent before, and only then (RFC 3264 §8).
 */
import { formatSessionDescription, type SessionDescription } from './session-description.ts';

export interface Origin {
  readonly username: string;
  /** Decimal digits: the standard lets it grow beyond what a number holds. */
  readonly sessionId: string;
  readonly sessionVersion: string;
  readonly address: string;
}

export function originOf(description: SessionDescription): Origin {
  const line = description.lines.find((candidate) => candidate.startsWith('o=')) ?? '';
  const [username = '-', sessionId = '0', sessionVersion = '0', , , address = ''] = line.slice(2).split(' ');
  return { username, sessionId, sessionVersion, address };
}

export function withOrigin({ lines, media }: SessionDescription, origin: Origin): SessionDescription {
  const line = originLineOf(origin, origin.sessionVersion);
  return { lines: lines.map((old) => (old.startsWith('o=') ? line : old)), media };
}

function originLineOf(
  { username, sessionId, address }: Omit<Origin, 'sessionVersion'>,
  version: string,
): string {
  return `o=${username} ${sessionId} ${version} IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
}

export class LegOrigin {
  readonly #origin: Omit<Origin, 'sessionVersion'>;
  #version = 1;
  #lastText: string | undefined;

  constructor(origin: Omit<Origin, 'sessionVersion'>) {
    this.#origin = origin;
  }

  /** The description as this leg sends it. */
  format(description: SessionDescription): string {
    const text = formatSessionDescription(withOrigin(description, { ...this.#origin, sessionVersion: '0' }));
    if (this.#lastText !== undefined && text !== this.#lastText) this.#version++;
    this.#lastText = text;
    const line = originLineOf(this.#origin, String(this.#version));
    return text.replaceAll(`${originLineOf(this.#origin, '0')}\r\n`, () => `${line}\r\n`);
  }
}
