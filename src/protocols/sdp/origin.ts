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

export function withOrigin(description: SessionDescription, origin: Origin): SessionDescription {
  const family = origin.address.includes(':') ? 'IP6' : 'IP4';
  const line = `o=${origin.username} ${origin.sessionId} ${origin.sessionVersion} IN ${family} ${origin.address}`;
  return { ...description, lines: description.lines.map((old) => (old.startsWith('o=') ? line : old)) };
}

export class LegOrigin {
  #origin: Origin;
  #lastText: string | undefined;

  constructor(origin: Omit<Origin, 'sessionVersion'>) {
    this.#origin = { ...origin, sessionVersion: '1' };
  }

  /** The description as this leg sends it. */
  stamp(description: SessionDescription): SessionDescription {
    const text = formatSessionDescription(withOrigin(description, { ...this.#origin, sessionVersion: '0' }));
    if (this.#lastText !== undefined && text !== this.#lastText) {
      const version = BigInt(this.#origin.sessionVersion) + 1n;
      this.#origin = { ...this.#origin, sessionVersion: version.toString() };
    }
    this.#lastText = text;
    return withOrigin(description, this.#origin);
  }
}
