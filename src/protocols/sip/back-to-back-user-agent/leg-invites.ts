/** INVITEs that make a leg: the one that a call is routed by, and the one that takes the place of a leg (RFC 3891 §4). */
import type { Instant } from '../../../base/instant.ts';
import { withoutTag } from '../dialog/dialog.ts';
import { formatReplaces } from '../message/replaces.ts';
import type { SipRequest } from '../message/sip-message.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { InviteAddressing } from '../user-agent/initial-invite.ts';
import { contentOf, type HeaderChange } from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { OutgoingRoute } from './call-event.ts';
import { localHeaders } from './local-answer.ts';

/** From and To are those of the INVITE that arrived, unless the route has its own. */
export function addressingOf(route: OutgoingRoute, arrived: SipRequest | undefined): InviteAddressing {
  const { requestUri, routes } = route;
  const from = withoutTag(route.from ?? arrived?.headers.get('From') ?? '');
  const to = withoutTag(route.to ?? arrived?.headers.get('To') ?? '');
  return { requestUri, routes, from, to };
}

/** On `leg`, which is to become what `old` is. Undefined: `old` is not confirmed. */
export function sendReplacement(
  old: CallLeg | undefined,
  leg: CallLeg,
  route: OutgoingRoute & { readonly body?: string },
  now: Instant,
): OutgoingRequest | undefined {
  const dialog = old?.confirmed?.dialog;
  if (old === undefined || dialog === undefined) return undefined;
  const { callId, remoteTag: toTag, localTag: fromTag } = dialog;
  const headers: HeaderChange[] = [
    ['Require', 'replaces'],
    ['Replaces', formatReplaces({ callId, toTag, fromTag, earlyOnly: false })],
  ];
  const content = contentOf(route.body, [...headers, ...(route.headers ?? [])], localHeaders);
  const from = withoutTag(route.from ?? dialog.localParty);
  const to = withoutTag(route.to ?? dialog.remoteParty);
  leg.sessionTimer.adopt(old.sessionTimer);
  return leg.invite({ ...route, from, to }, content, now);
}
