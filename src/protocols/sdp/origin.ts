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

export function originOf({ session }: SessionDescription): Origin {
  const start = session.text.indexOf('\no=') + '\no='.length;
  const fields = session.text.slice(start, session.text.indexOf('\r\n', start)).split(' ');
  const [username = '-', sessionId = '0', sessionVersion = '0', , , address = ''] = fields;
  return { username, sessionId, sessionVersion, address };
}

export function withOrigin({ session, media }: SessionDescription, origin: Origin): SessionDescription {
  const text = replaceOrigin(session.text, originLineOf(origin, origin.sessionVersion));
  return { session: { text, connectionAddress: session.connectionAddress }, media };
}

function replaceOrigin(text: string, line: string): string {
  const start = text.indexOf('\no=') + 1;
  return text.slice(0, start) + line + text.slice(text.indexOf('\r\n', start));
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
    const text = formatSessionDescription(description);
    const again = this.#stamp(text);
    if (this.#lastText !== undefined && again !== this.#lastText) {
      this.#version++;
      this.#lastText = this.#stamp(text);
    } else this.#lastText = again;
    return this.#lastText;
  }

  #stamp(text: string): string {
    return replaceOrigin(text, originLineOf(this.#origin, String(this.#version)));
  }
}
