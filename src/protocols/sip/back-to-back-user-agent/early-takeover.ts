/**
 * An INVITE that still rings goes on in another dialog: its caller has moved, and the answers would go where he was (the Via of the INVITE).
 * Replaces cannot name a dialog that its sender began (RFC 3891 §3: 481), so a second INVITE names it in Target-Dialog (RFC 4538), as TS 24.237
 * has it for the transfer of sessions. The first answer to it repeats how far the call is. Nobody else hears of it: what the far end says goes
 * back by the second INVITE from now on.
 *
 * A caller who has heard nothing yet knows no tag of the other end: his second INVITE names the first by Call-ID and his own tag, and is an
 * ordinary call where the first never arrived.
 *
 *   caller of the leg:   INVITE ── 180 ── moved ── INVITE, Target-Dialog ── 180 ── … ── 200
 *   callee of the leg:   the first INVITE is answered with 487, wherever that may go
 */
import type { Instant } from '../../../base/instant.ts';
import { withoutTag } from '../dialog/dialog.ts';
import { callIdOf, fromTagOf } from '../message/header-fields.ts';
import { formatTargetDialog } from '../message/target-dialog.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { IncomingRequest } from '../user-agent/incoming-request.ts';
import { contentOf, emptyContent, type HeaderChange } from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { OutgoingRoute } from './call-event.ts';
import type { CallLegs } from './call-legs.ts';
import { localHeaders } from './local-answer.ts';
import type { Relay } from './relay.ts';

/** The second INVITE in place of the first, from here. Undefined: the leg does not ring. */
export function takeOverOutgoing(
  legs: CallLegs,
  relay: Relay,
  leg: CallLeg,
  route: OutgoingRoute & { readonly body: string },
  now: Instant,
): OutgoingRequest | undefined {
  const old = legs.callee;
  const known = legs.lastDialogOf('callee')?.dialog;
  const first = old?.sender.initialInvite;
  if (old === undefined || first?.request === undefined) return undefined;
  if (old.confirmed !== undefined || !relay.canTakeOver(first)) return undefined;
  const target = formatTargetDialog({
    callId: callIdOf(first.request),
    localTag: known?.remoteTag,
    remoteTag: fromTagOf(first.request) ?? '',
  });
  // Nobody knows whether the first has arrived anywhere: where it has not, the second is an ordinary call.
  const headers: HeaderChange[] = known === undefined ? [] : [['Require', 'tdialog']];
  headers.push(['Target-Dialog', target]);
  const content = contentOf(route.body, [...headers, ...(route.headers ?? [])], localHeaders);
  const from = withoutTag(route.from ?? first.request.headers.get('From')!);
  const to = withoutTag(route.to ?? first.request.headers.get('To')!);
  const second = leg.invite({ ...route, from, to }, content, now);
  relay.takeOverOutgoing(first, second);
  legs.takeOver('callee', leg);
  old.abandon(now);
  return second;
}

/** The second INVITE has arrived. False: the first is answered by now, or has not gone on to the other leg. */
export function takeOverIncoming(
  legs: CallLegs,
  relay: Relay,
  first: IncomingRequest,
  { leg, second, body }: { readonly leg: CallLeg; readonly second: IncomingRequest; readonly body?: string },
  now: Instant,
): boolean {
  const old = legs.caller;
  if (old === undefined || first.state !== 'open' || !relay.takeOverIncoming(first, { leg, second }))
    return false;
  legs.takeOver('caller', leg);
  // A reliable answer that the caller may not have seen: its PRACK is still awaited at the far end.
  const missed = first.unacknowledged;
  leg.respond(
    second,
    {
      statusCode: first.progress ?? 183,
      content: contentOf(body),
      isReliable: true,
      hasSessionDescription: body !== undefined,
      ...(missed?.origin && { origin: missed.origin }),
    },
    undefined,
    now,
  );
  old.hangUp({ statusCode: 487, content: emptyContent }, now);
  return true;
}
