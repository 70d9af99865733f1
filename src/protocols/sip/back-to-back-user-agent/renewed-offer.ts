/**
 * A callee that does not take the offer of the INVITE that makes its leg (488, RFC 3261 §21.4.26) may be offered another one, where the owner of
 * the call wants to be asked: in a second INVITE by the same route, whose answers go to the caller in place of the first one's.
 *
 *   caller ── INVITE ──▶ ── INVITE (offer) ──▶ callee
 *                        ◀── 488 ── owner ──▶
 *                        ── INVITE (another offer) ──▶
 *          ◀── 200 ──    ◀── 200 ──
 */
import { maxForwardsOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { changeHeaders, endToEndContent, type MessageContent } from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { OutgoingRoute } from './call-event.ts';

/** Whether the owner is to be asked about this response. */
export function isRefusedOffer(
  outgoing: OutgoingRequest,
  { statusCode }: SipResponse,
  route: OutgoingRoute | undefined,
): boolean {
  const isInitial = outgoing.method === 'INVITE' && outgoing.dialog === undefined && outgoing.hasOffer;
  const isWanted = route?.mayOfferAnew === true && !outgoing.isCancelled && !outgoing.isAbandoned;
  return statusCode === 488 && isInitial && isWanted;
}

/** What the second INVITE carries of the one that arrived. */
export function renewedContent(arrived: SipRequest, body: string): MessageContent {
  const content = { ...endToEndContent(arrived), body };
  return changeHeaders(content, [['Max-Forwards', String((maxForwardsOf(arrived) ?? 70) - 1)]]);
}
