/**
 * Record-Route of a proxy (RFC 3261 §16.6 item 4). Where a request leaves by another transport or address than it came in by, the proxy
 * stands there twice, each side with the URI that it can reach (RFC 5658 §3.2); `r2=on` marks the two, which are taken off together.
 *
 *   Alice ── TLS, 10.0.0.1:5061 ──▶ proxy ── UDP, 10.0.0.1:5060 ──▶ Bob      Record-Route: <sip:10.0.0.1:5060;lr;r2=on>,
 *                                                                                          <sip:10.0.0.1:5061;transport=tls;lr;r2=on>
 */
import type { TransportAddress } from '../../../base/network.ts';
import { sameTransportAddress } from '../../../base/network.ts';
import { formatHostPort, type SipUri } from '../message/sip-uri.ts';

/** What an owner says of the Record-Route that he wants. */
export interface RecordRoute {
  /** User part of the URI. */
  readonly user?: string;
  /** Only where the two ends could not reach each other without the proxy. */
  readonly onlyBetweenSides?: boolean;
}

/** How requests within the dialog reach the proxy from one side. */
export interface ProxySide {
  /** undefined: UDP, and TCP for what is long (RFC 3261 §18.1.1). */
  readonly transport: 'tcp' | 'tls' | undefined;
  readonly local: TransportAddress;
}

/** Values for Record-Route, the top one first. With a sips: Request-URI they are sips: as well. */
export function recordRouteValues(
  { user, onlyBetweenSides = false }: RecordRoute,
  [from, to]: readonly [ProxySide, ProxySide],
  isSecure: boolean,
): readonly string[] {
  const uriOf = ({ transport, local }: ProxySide, more: string): string => {
    const parameter = transport === undefined || isSecure ? '' : `;transport=${transport}`;
    const place = formatHostPort(local.address, local.port);
    const authority = user === undefined ? place : `${user}@${place}`;
    return `<${isSecure ? 'sips' : 'sip'}:${authority}${parameter};lr${more}>`;
  };
  const isSame = from.transport === to.transport && sameTransportAddress(from.local, to.local);
  if (isSame) return onlyBetweenSides ? [] : [uriOf(from, '')];
  return [uriOf(to, ';r2=on'), uriOf(from, ';r2=on')];
}

/** Whether the Route below this one of the proxy's is its other side. */
export function isOneOfTwo(route: SipUri): boolean {
  return route.parameters.get('r2') === 'on';
}
