/**
 * Loose and strict routing: which Route is the proxy's own (RFC 3261 §16.4), and how the next one shapes the request that goes out
 * (§16.6 items 2 to 6).
 */

import { isMalformed } from '../../../base/malformed.ts';
import { firstRouteOf, maxForwardsOf, routesOf, toTagOf } from '../message/header-fields.ts';
import type { SipRequest } from '../message/sip-message.ts';
import { formatHostPort, formatUri, parseUri, type SipUri, type Uri } from '../message/sip-uri.ts';
import { defaultPortOf } from '../transport/sip-route.ts';
import type { ForwardTarget } from './proxy-event.ts';
import { isOneOfTwo } from './record-route.ts';

/** The names that stand for one element: "host" (whatever the port) or "host:port"; an IPv6 address has brackets only with a port. */
export class OwnNames {
  readonly #names: ReadonlySet<string>;

  constructor(names: readonly string[]) {
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  includes(uri: Uri): uri is SipUri {
    if (uri.kind !== 'sip') return false;
    const host = uri.host.toLowerCase();
    const transport = uri.parameters.get('transport')?.toLowerCase() === 'tls' ? 'tls' : 'udp';
    return (
      this.#names.has(host) || this.#names.has(formatHostPort(host, uri.port ?? defaultPortOf(transport)))
    );
  }
}

/**
 * Takes the proxy's own entry off a received request and returns it. A Route that names the proxy is its own without lr, too: an
 * I-CSCF of Kamailio 5.6.3 writes the S-CSCF's name so. `isSpiralSkipped`: with what lies below as long as that is its own, too, when the
 * request is within a dialog; it would only come straight back.
 */
export function takeOwnRoute(
  request: SipRequest,
  ownNames: OwnNames,
  isSpiralSkipped = false,
): SipUri | undefined {
  const strict = takeStrictRoute(request, ownNames);
  const own = takeRoute(request, ownNames, () => true);
  if (own === undefined) return strict;
  if (isSpiralSkipped && toTagOf(request) !== undefined) {
    while (takeRoute(request, ownNames, () => true) !== undefined);
  } else if (isOneOfTwo(own)) takeRoute(request, ownNames, isOneOfTwo);
  return own;
}

/** The first Route, if it is the proxy's own and as wanted. */
function takeRoute(
  request: SipRequest,
  ownNames: OwnNames,
  isWanted: (uri: SipUri) => boolean,
): SipUri | undefined {
  const uri = firstRouteOf(request)?.uri;
  if (uri === undefined || !ownNames.includes(uri) || !isWanted(uri)) return undefined;
  request.headers.removeFirst('Route');
  return uri;
}

/** Most requests have no lr in their Request-URI, and then nothing has to be read. */
const looseRouter = /;lr\b/i;

/** A strict router put our Record-Route value into the Request-URI and the Request-URI at the end of Route (§16.4). */
function takeStrictRoute(request: SipRequest, ownNames: OwnNames): SipUri | undefined {
  if (!looseRouter.test(request.requestUri)) return undefined;
  const uri = parseUri(request.requestUri);
  const last = routesOf(request).at(-1);
  if (isMalformed(uri) || last === undefined || !ownNames.includes(uri) || !uri.parameters.has('lr'))
    return undefined;
  request.requestUri = formatUri(last.uri);
  setRoutes(request, request.headers.getAll('Route').slice(0, -1));
  return uri;
}

/** The copy that goes to one target, and the URI that says where: the first Route, else the Request-URI. */
export function prepareForward(
  request: SipRequest,
  target: ForwardTarget,
): { request: SipRequest; next: Uri } {
  const copy = request.clone();
  if (target.requestUri !== undefined) copy.requestUri = target.requestUri;
  copy.headers.set('Max-Forwards', String((maxForwardsOf(request) ?? 71) - 1));
  if (typeof target.recordRoute === 'string') copy.headers.prepend('Record-Route', target.recordRoute);
  for (const route of target.routes?.toReversed() ?? []) copy.headers.prepend('Route', route);
  const first = firstRouteOf(copy)?.uri;
  if (first?.kind === 'sip' && !first.parameters.has('lr') && target.nextHop === undefined)
    putStrictRoute(copy, first);
  return { request: copy, next: first ?? uriOf(copy.requestUri) };
}

/** The next hop is a strict router: it wants its own URI in the Request-URI (§16.6 item 6). */
function putStrictRoute(request: SipRequest, first: SipUri): void {
  const rest = request.headers.getAll('Route').slice(1);
  setRoutes(request, [...rest, `<${request.requestUri}>`]);
  request.requestUri = formatUri(first);
}

function setRoutes(request: SipRequest, routes: readonly string[]): void {
  request.headers.removeAll('Route');
  for (const route of routes) request.headers.append('Route', route);
}

/** A Request-URI that cannot be read leads nowhere. */
function uriOf(text: string): Uri {
  const uri = parseUri(text);
  return isMalformed(uri) ? { kind: 'opaque', scheme: '', text } : uri;
}
