/** Which offers of the mobile node are handovers (TRIM §3.3), and when the resources that one asks for are there. */
import { originOf } from '../../protocols/sdp/origin.ts';
import { arePreconditionsMet, preconditionsOf } from '../../protocols/sdp/preconditions.ts';
import { isPureHandover } from '../../protocols/sdp/pure-handover.ts';
import type { SessionDescription } from '../../protocols/sdp/session-description.ts';
import type { CallEvent } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { AnchoredSession } from './anchored-session.ts';
import { moved } from './session-bindings.ts';

/**
 * The mobile node offers what it offered before, from another place, or from the same one after a move that came to nothing: then it has
 * reservations to make again, or its description has another version (RFC 3264 §8). An UPDATE while the call is set up, and a refresh (RFC
 * 4028), whose version is the same, go to the correspondent.
 */
export function isHandover(
  session: AnchoredSession,
  event: Extract<CallEvent, { readonly type: 'body-arrived' }>,
  description: SessionDescription,
): boolean {
  const { message, role, leg } = event;
  if (role !== 'offer' || leg !== session.mobileLeg || message.kind !== 'request') return false;
  const previous = session.agreed('mobileNode');
  if (previous === undefined || !isPureHandover(previous, description)) return false;
  if (moved(session.components, description).install.length > 0) return true;
  const isNew = originOf(previous).sessionVersion !== originOf(description).sessionVersion;
  return message.method === 'INVITE' && (isNew || !areResourcesReady(description));
}

export function areResourcesReady(offer: SessionDescription): boolean {
  return offer.media.every((media) => {
    const preconditions = preconditionsOf(media);
    return media.port === 0 || preconditions === undefined || arePreconditionsMet(preconditions);
  });
}
