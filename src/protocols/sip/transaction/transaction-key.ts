/**
 * How messages find their transaction (RFC 3261 §17.1.3, §17.2.3). Requests of RFC 2543 elements, whose branch does not begin with
 * the magic cookie, are matched by Request-URI, From tag, Call-ID, CSeq number and top Via.
 */
import type { TransportAddress } from '../../../base/network.ts';
import { callIdOf, cseqOf, fromTagOf, topViaOf, toTagOf } from '../message/header-fields.ts';
import { headerNameOf } from '../message/header-names.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { formatHostPort } from '../message/sip-uri.ts';
import type { Via } from '../message/via.ts';

export const magicCookie = 'z9hG4bK';
/** As it stands in keys. */
export const cookieKey: string = magicCookie.toLowerCase();

const viaName = headerNameOf('Via');

/** A Via of ours as far as its branch, as nearly every response repeats it: of the rest nothing is in the key. */
const usualVia =
  /^SIP\/2\.0\/[A-Z]+ ((?:[a-z\d.-]+|\[[\da-f.]*:[\da-f:.]*\]):[1-9]\d{0,4});branch=(z9hG4bK[^\s;,"<>]+)(?:;|$)/;

/** For a request of our own: branch, method, and sent-by, which a response must repeat (§18.1.2). */
export function clientKeyOf(message: SipRequest | SipResponse): string {
  const { method } = cseqOf(message);
  const usual = usualVia.exec(message.headers.get(viaName) ?? '');
  if (usual !== null) return `${usual[2]!.toLowerCase()} ${usual[1]} ${method}`;
  const via = topViaOf(message);
  return `${branchOf(via)} ${sentByOf(via)} ${method}`;
}

/** The same for a request whose Via is just being made; the branch in lower case. */
export function clientKey(branch: string, { address, port }: TransportAddress, method: string): string {
  return `${branch} ${formatHostPort(address, port)} ${method}`;
}

/** For a request of a peer. ACK and CANCEL have to find their INVITE: `method` says in whose name the key is made. */
export function serverKeyOf(request: SipRequest, method: string = request.method): string {
  const via = topViaOf(request);
  const branch = branchOf(via);
  if (isUnique(branch)) return `${branch} ${sentByOf(via)} ${method}`;
  const parts = [request.requestUri, fromTagOf(request), callIdOf(request), cseqOf(request).number];
  return [...parts, via.transport, sentByOf(via), branch, method].join(' ');
}

export function hasMagicCookie(request: SipRequest): boolean {
  return isUnique(branchOf(topViaOf(request)));
}

/** The cookie alone is the same for every request of its sender (RFC 4475 §3.2.1). */
function isUnique(branch: string): boolean {
  return branch.startsWith(cookieKey) && branch.length > cookieKey.length;
}

/** Equal for copies of one request that took different ways (§8.2.2.2); `undefined` inside a dialog. */
export function mergeKeyOf(request: SipRequest): string | undefined {
  if (toTagOf(request) !== undefined) return undefined;
  const { number, method } = cseqOf(request);
  return `${callIdOf(request)} ${fromTagOf(request)} ${number} ${method}`;
}

/** Branches are tokens and so compared without regard to case (§7.3.1), but those of RFC 2543, which is older than the rule. */
function branchOf(via: Via): string {
  const branch = via.parameters.get('branch') ?? '';
  const key = branch.toLowerCase();
  return key.startsWith(cookieKey) ? key : branch;
}

function sentByOf(via: Via): string {
  return formatHostPort(via.host.toLowerCase(), via.port ?? 5060);
}
