/** The INVITE that makes a leg of ours, before it has a dialog (RFC 3261 §8.1.1, §13.2.1). */
import { type RandomSource, randomBelow, randomToken } from '../../../base/random-source.ts';
import { type RoutedRequest, routeRequest } from '../dialog/dialog.ts';
import { SipRequest } from '../message/sip-message.ts';

/** How an initial INVITE is addressed. From and To are name-addr without tag. */
export interface InviteAddressing {
  readonly requestUri: string;
  readonly routes: readonly string[];
  readonly from: string;
  readonly to: string;
}

export function buildInitialInvite(addressing: InviteAddressing, random: RandomSource): RoutedRequest {
  const request = new SipRequest('INVITE', addressing.requestUri);
  const { headers } = request;
  headers.appendLast('Max-Forwards', '70');
  headers.appendLast('From', `${addressing.from};tag=${randomToken(random, 12)}`);
  headers.appendLast('To', addressing.to);
  headers.appendLast('Call-ID', randomToken(random, 24));
  headers.appendLast('CSeq', `${1 + randomBelow(random, 0x10000)} INVITE`);
  return routeRequest(request, addressing.routes);
}
