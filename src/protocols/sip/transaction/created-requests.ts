/** The two requests that are made from an INVITE and belong to it: ACK for a non-2xx (RFC 3261 §17.1.1.3) and CANCEL (§9.1). */
import { cseqOf } from '../message/header-fields.ts';
import { type SipMessage, SipRequest } from '../message/sip-message.ts';

/** Same branch, Route and Request-URI as the INVITE; To, with its tag, of the response. */
export function createAck(invite: SipRequest, response: SipMessage): SipRequest {
  const ack = createFromInvite(invite, 'ACK');
  ack.headers.set('To', response.headers.get('To') ?? '');
  return ack;
}

/** Same branch, Route and Request-URI as the INVITE; To exactly as there, so that the other side can match it. */
export function createCancel(invite: SipRequest): SipRequest {
  return createFromInvite(invite, 'CANCEL');
}

function createFromInvite(invite: SipRequest, method: string): SipRequest {
  const request = new SipRequest(method, invite.requestUri);
  const { headers } = request;
  headers.append('Via', invite.headers.get('Via') ?? '');
  for (const route of invite.headers.getAll('Route')) headers.append('Route', route);
  headers.append('Max-Forwards', '70');
  for (const name of ['From', 'To', 'Call-ID']) headers.append(name, invite.headers.get(name) ?? '');
  headers.append('CSeq', `${cseqOf(invite).number} ${method}`);
  return request;
}
