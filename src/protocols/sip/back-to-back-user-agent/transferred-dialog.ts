/**
 * Attended transfer through a B2BUA (RFC 5589 §7): the dialog that a Replaces names, in an INVITE or in the Refer-To of a REFER (RFC 3515 §2.1), is
 * one of this host's; whom the message goes to knows it by the names of the other leg.
 *
 *   transferor ──dialog 1── here ──dialog 2── target        Replaces: dialog 1 ──▶ Replaces: dialog 2
 *
 * A dialog that is not known here is left as it was named. So is the rest of Refer-To, but for our own Contact, which only the transferor reaches.
 */
import type { Instant } from '../../../base/instant.ts';
import { isMalformed } from '../../../base/malformed.ts';
import { replacesOf } from '../message/header-fields.ts';
import { formatNameAddress, parseNameAddress } from '../message/name-address.ts';
import { formatReplaces, parseReplaces, type Replaces } from '../message/replaces.ts';
import type { SipRequest } from '../message/sip-message.ts';
import { parseUri, type SipUri } from '../message/sip-uri.ts';
import { sipUrisEqual, unescaped } from '../message/sip-uri-equality.ts';
import { changeHeaders, type HeaderChange, type MessageContent } from '../user-agent/message-content.ts';
import type { UserAgent } from '../user-agent/user-agent.ts';

/** The same dialog on the other leg, as the peer there is told of it, and where he is. */
interface OtherSide {
  readonly replaces: Replaces;
  readonly target: string;
  /** What the peer of this leg reaches us at. */
  readonly contact: string;
}

/** For an INVITE that goes on to another user agent: what of Replaces goes with it. */
export function replacementHeaders(request: SipRequest, agent: UserAgent, now: Instant): HeaderChange[] {
  const replaces = replacesOf(request);
  if (replaces === undefined || isMalformed(replaces)) return [];
  const named = otherSideOf(replaces, agent, now)?.replaces ?? replaces;
  const isRequired = request.headers.getAll('Require').some((option) => option.toLowerCase() === 'replaces');
  const field: HeaderChange = ['Replaces', formatReplaces(named)];
  return isRequired ? [field, ['Require', 'replaces']] : [field];
}

/** For a REFER that goes on to the other leg. */
export function withReferredDialog(content: MessageContent, agent: UserAgent, now: Instant): MessageContent {
  const address = parseNameAddress(content.headers.get('Refer-To') ?? '');
  if (isMalformed(address) || address.uri.kind !== 'sip') return content;
  const fields = address.uri.headers.split('&');
  const index = fields.findIndex((field) => /^replaces=/i.test(field));
  const replaces = index < 0 ? undefined : parseReplaces(unescaped(fields[index]!.slice('replaces='.length)));
  const other =
    replaces === undefined || isMalformed(replaces) ? undefined : otherSideOf(replaces, agent, now);
  if (other === undefined) return content;
  fields[index] = `Replaces=${encodeURIComponent(formatReplaces(other.replaces))}`;
  const uri = { ...reachable(address.uri, other), headers: fields.join('&') };
  return changeHeaders(content, [['Refer-To', formatNameAddress({ ...address, uri })]]);
}

/** The target's own address in place of ours. */
function reachable(uri: SipUri, { contact, target }: OtherSide): SipUri {
  const own = parseNameAddress(contact);
  const known = parseUri(target);
  const isOurs = !isMalformed(own) && sipUrisEqual({ ...uri, headers: '' }, own.uri);
  return isOurs && !isMalformed(known) && known.kind === 'sip' ? known : uri;
}

function otherSideOf(replaces: Replaces, agent: UserAgent, now: Instant): OtherSide | undefined {
  const found = agent.findReplaced(replaces, now);
  if (found === undefined || found === 'ended') return undefined;
  const { leg } = found;
  const dialog = leg.owner?.counterpartOf(leg)?.mainDialog?.dialog;
  if (dialog === undefined) return undefined;
  const { callId, localTag: fromTag, remoteTag: toTag, remoteTarget: target } = dialog;
  const named = { callId, toTag, fromTag, earlyOnly: replaces.earlyOnly };
  return { replaces: named, target, contact: leg.path.contact };
}
