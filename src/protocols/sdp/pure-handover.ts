/**
 * Tells a handover from a change of the session. A mobile node that moved offers what it offered before, from another place: only
 * addresses, the o= version and preconditions, which start from scratch on a new address (RFC 4032 §4.1), may differ.
 * Then nothing has to be asked of the correspondent (TRIM fig. 6).
 */
import { isAttribute } from './media-attributes.ts';
import { originOf } from './origin.ts';
import { isPreconditionLine } from './preconditions.ts';
import type { SessionDescription } from './session-description.ts';

/** Whether `next` differs from `previous` at most in addresses, ports in use, o= version, a=connection and preconditions. */
export function isPureHandover(previous: SessionDescription, next: SessionDescription): boolean {
  const before = originOf(previous);
  const after = originOf(next);
  return (
    before.username === after.username &&
    before.sessionId === after.sessionId &&
    placelessText(previous) === placelessText(next)
  );
}

/** The description without everything that a move may change. */
function placelessText(description: SessionDescription): string {
  return [description.lines, ...description.media.map((media) => media.lines)]
    .flatMap((lines) => lines.filter((line) => !isPlace(line)).map(withoutPort))
    .join('\n');
}

function isPlace(line: string): boolean {
  const isAddressAttribute = [
    'rtcp',
    'candidate',
    'remote-candidates',
    'end-of-candidates',
    'ice-ufrag',
    'ice-pwd',
  ].some((name) => isAttribute(line, name));
  return (
    /^[oc]=/.test(line) || isAddressAttribute || isAttribute(line, 'connection') || isPreconditionLine(line)
  );
}

/** Port 0 stays: a stream that is switched on or off is a change of the session. */
function withoutPort(line: string): string {
  return line.replace(/^(m=[^\s]+ )0*[1-9]\d*/, '$1port');
}
