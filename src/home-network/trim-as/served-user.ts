/**
 * Which end of an INVITE on ISC is the mobile node: the served user of the S-CSCF (RFC 5502; TS 24.229 §5.7.1.3A). P-Served-User says it;
 * without it the "orig" parameter of the AS's own Route (TS 24.229 §5.4.3.2), else whether the asserted identity or the Request-URI is
 * one of a user that the S-CSCF told the AS of by third-party registration.
 */
import { isMalformed } from '../../base/malformed.ts';
import type {
  HeaderChange,
  LegName,
  OutgoingRoute,
  SignallingPath,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { addressesOf, fromOf } from '../../protocols/sip/message/header-fields.ts';
import { parseNameAddress } from '../../protocols/sip/message/name-address.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { parseUri, type Uri } from '../../protocols/sip/message/sip-uri.ts';

export interface ServedUser {
  readonly leg: LegName;
  /** The public identity of the mobile node. */
  readonly identity: string;
}

/** `isKnown` tells whether an identity has been announced by a third-party registration. */
export function servedUserOf(request: SipRequest, isKnown: (identity: string) => boolean): ServedUser {
  const served = parseNameAddress(request.headers.get('P-Served-User') ?? '');
  const sessionCase = isMalformed(served) ? undefined : served.parameters.get('sescase');
  if (!isMalformed(served) && sessionCase !== undefined)
    return { leg: sessionCase === 'term' ? 'callee' : 'caller', identity: identityOf(served.uri) };
  const caller: ServedUser = { leg: 'caller', identity: identityOfCaller(request) };
  const own = parseNameAddress(request.headers.get('Route') ?? '');
  const isOriginating = !isMalformed(own) && own.uri.kind === 'sip' && own.uri.parameters.has('orig');
  if (isOriginating || isKnown(caller.identity)) return caller;
  const callee = parseUri(request.requestUri);
  const calleeIdentity = isMalformed(callee) ? request.requestUri : identityOf(callee);
  return isKnown(calleeIdentity) ? { leg: 'callee', identity: calleeIdentity } : caller;
}

/** The asserted identity, inside the trust domain (RFC 3325 §9.1), else From. */
export function identityOfCaller(request: SipRequest): string {
  return identityOf((addressesOf(request, 'P-Asserted-Identity')[0] ?? fromOf(request)).uri);
}

/** "sip:bob@ims.test", whatever parameters and port-less form it came in. */
export function identityOf(uri: Uri): string {
  if (uri.kind === 'sip')
    return `sip:${uri.user === undefined ? '' : `${uri.user}@`}${uri.host.toLowerCase()}`;
  return uri.kind === 'tel' ? `tel:${uri.number}` : uri.text;
}

/** A request on ISC goes back to the S-CSCF with what is left of its Route, untouched: the mark there is the original dialog identifier. */
export function onwardRoute(request: SipRequest, { contact }: SignallingPath): OutgoingRoute {
  const routes = request.headers.getAll('Route').slice(1);
  const { requestUri } = request;
  return { contact, requestUri, routes, headers: withoutServedUser, mayOfferAnew: true };
}

const withoutServedUser: readonly HeaderChange[] = [['P-Served-User', undefined]];
