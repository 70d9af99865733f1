/**
 * The o= line (RFC 4566 §5.2). A back-to-back user agent speaks on each leg with an origin of its own: one session id for the life of
 * the leg, and a version that rises by one whenever the description differs from the one sent before, and only then (RFC 3264 §8).
 */
import { ownText } from '../../base/own-text.ts';
import type { SessionDescription } from './session-description.ts';

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

export function withOrigin(description: SessionDescription, origin: Origin): SessionDescription {
  const { connectionAddress } = description.session;
  const text = replaceOrigin(description, originLineOf(origin, origin.sessionVersion));
  return { session: { text, connectionAddress }, media: description.media };
}

/** The session's own part with another o= line. */
function replaceOrigin({ session: { text } }: SessionDescription, line: string): string {
  const start = text.indexOf('\no=') + 1;
  return text.slice(0, start) + line + text.slice(text.indexOf('\r\n', start));
}

function originLineOf(
  { username, sessionId, address }: Omit<Origin, 'sessionVersion'>,
  version: string,
): string {
  return `o=${username} ${sessionId} ${version} IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
}

/**
 * The text of the description as a leg of this origin sends it after `last`, what it sent before (absent: nothing yet): under the same version
 * if that makes it the same, else under the next. It may be kept for long: nothing else is kept alive by it.
 */
export function nextDescription(
  description: SessionDescription,
  origin: Omit<Origin, 'sessionVersion'>,
  last: string | undefined,
): string {
  if (last === undefined) return ownText(underVersion(1, description, origin));
  const version = Number(/^o=[^\s]+ \d+ (\d+)/m.exec(last)?.[1]);
  const isSame = underVersion(version, description, origin) === last;
  return isSame ? last : ownText(underVersion(version + 1, description, origin));
}

function underVersion(
  version: number,
  description: SessionDescription,
  origin: Omit<Origin, 'sessionVersion'>,
): string {
  let text = replaceOrigin(description, originLineOf(origin, String(version)));
  for (const stream of description.media) text += stream.text;
  return text;
}

export class LegOrigin {
  readonly #origin: Omit<Origin, 'sessionVersion'>;
  #last: string | undefined;

  constructor(origin: Omit<Origin, 'sessionVersion'>) {
    this.#origin = origin;
  }

  /** The description as this leg sends it. */
  format(description: SessionDescription): string {
    this.#last = nextDescription(description, this.#origin, this.#last);
    return this.#last;
  }
}
