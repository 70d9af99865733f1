/** Offer and answer on the UAC side of a leg (RFC 3264; RFC 3262 §4): what a response is to its request, and what that does to the dialog. */
import type { SipResponse } from '../message/sip-message.ts';
import type { LegDialog } from './leg-dialog.ts';
import type { OfferRole } from './leg-host.ts';
import { isSessionDescription } from './message-content.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

/** RFC 3262 §4: in order and once; anything else is dropped, the peer sends it again. */
export function isNextReliable(invite: OutgoingRequest, dialog: LegDialog, rseq: number): boolean {
  const last = dialog.lastReliable;
  if (last?.invite === invite && rseq !== last.rseq + 1) return false;
  dialog.lastReliable = { invite, rseq };
  return true;
}

/** A response to INVITE with its session description, or a 2xx without. An offer in a later UPDATE or PRACK is another matter. */
export function noteOffer(dialog: LegDialog, role: OfferRole | undefined): void {
  if (role === 'offer') dialog.openOffer = 'theirs';
  else if (role === 'answer' && dialog.openOffer === 'ours' && dialog.inFlight?.hasOffer !== true)
    dialog.openOffer = undefined;
}

export function roleOf(outgoing: OutgoingRequest, response: SipResponse): OfferRole | undefined {
  if (!isSessionDescription(response) || response.statusCode >= 300) return undefined;
  return outgoing.method === 'INVITE' && !outgoing.hasOffer ? 'offer' : 'answer';
}
