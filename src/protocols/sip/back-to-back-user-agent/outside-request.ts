/** A request outside of calls on its way through the back-to-back user agent: a dialog of its own on the other side (RFC 3261 §6). */
import type { Instant } from '../../../base/instant.ts';
import { randomToken } from '../../../base/random-source.ts';
import { type RoutedRequest, routeRequest, withoutTag } from '../dialog/dialog.ts';
import { maxForwardsOf } from '../message/header-fields.ts';
import { SipRequest } from '../message/sip-message.ts';
import { changeHeaders, endToEndContent, writeContent } from '../user-agent/message-content.ts';
import type { UserAgent } from '../user-agent/user-agent.ts';
import type { OutgoingRoute } from './call-event.ts';
import { withReferredDialog } from './transferred-dialog.ts';

/** `undefined` when Max-Forwards is used up. */
export function rebuildOutsideRequest(
  request: SipRequest,
  route: OutgoingRoute,
  agent: UserAgent,
  now: Instant,
): RoutedRequest | undefined {
  const hops = maxForwardsOf(request) ?? 70;
  if (hops === 0) return undefined;
  const { random } = agent;
  const rebuilt = new SipRequest(request.method, route.requestUri);
  const from = withoutTag(route.from ?? request.headers.get('From')!);
  rebuilt.headers.append('Max-Forwards', String(hops - 1));
  rebuilt.headers.append('From', `${from};tag=${randomToken(random, 12)}`);
  rebuilt.headers.append('To', withoutTag(route.to ?? request.headers.get('To')!));
  rebuilt.headers.append('Call-ID', randomToken(random, 24));
  rebuilt.headers.append('CSeq', `1 ${request.method}`);
  const routed = routeRequest(rebuilt, route.routes);
  if (route.contact !== '') rebuilt.headers.append('Contact', route.contact);
  const content = withReferredDialog(endToEndContent(request), agent, now);
  writeContent(rebuilt, changeHeaders(content, route.headers ?? []));
  return routed;
}
