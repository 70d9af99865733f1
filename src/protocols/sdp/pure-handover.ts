/**
 * Tells a handover from a change of the session. A mobile node that moved offers what it offered before, from another place: only
 * addresses, the o= version and preconditions, which start from scratch on a new address (RFC 4032 §4.1), may differ.
 * Then nothing has to be asked of the correspondent (TRIM fig. 6).
 */
import { originOf } from './origin.ts';
import { type SessionDescription, textBehindPort } from './session-description.ts';

/** Whether `next` differs from `previous` at most in addresses, ports in use, o= version, a=connection and preconditions. */
export function isPureHandover(previous: SessionDescription, next: SessionDescription): boolean {
  const before = originOf(previous);
  const after = originOf(next);
  return (
    before.username === after.username &&
    before.sessionId === after.sessionId &&
    previous.media.length === next.media.length &&
    withoutPlaces(previous.session.text) === withoutPlaces(next.session.text) &&
    previous.media.every((media, index) => {
      const moved = next.media[index]!;
      // A stream that is switched on or off is a change of the session.
      const isInUse = media.port !== 0 && moved.port !== 0;
      return (
        media.media === moved.media &&
        (isInUse || media.port === moved.port) &&
        withoutPlaces(textBehindPort(media)) === withoutPlaces(textBehindPort(moved))
      );
    })
  );
}

/** Lines behind the first one of a section that a move may change. */
const places =
  /\n(?:[oc]=|a=(?:(?:rtcp|candidate|remote-candidates|end-of-candidates|ice-ufrag|ice-pwd|connection)(?::|(?=\r\n))|(?:curr|des|conf):qos ))[^\n]*(?=\n)/g;

function withoutPlaces(text: string): string {
  return text.replace(places, '');
}
