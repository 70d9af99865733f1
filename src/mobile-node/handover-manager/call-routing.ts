/**
 * How the handover manager routes requests between the applications and the network (TRIM §3.1): it gives the node's identity and the way
 * through the P-CSCF to what applications ask for, and finds the application for what the network asks for. Who may ask is decided
 * here too: programs of this host on one side, the P-CSCFs on the other.
 */
import { isMalformed } from '../../base/malformed.ts';
import { formatTransportAddress, type TransportAddress } from '../../base/network.ts';
import type {
  OutgoingRoute,
  SignallingPath,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { fromOf } from '../../protocols/sip/message/header-fields.ts';
import { formatNameAddress } from '../../protocols/sip/message/name-address.ts';
import { noParameters } from '../../protocols/sip/message/parameters.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { formatUri, parseUri, type SipUri, userPartOf } from '../../protocols/sip/message/sip-uri.ts';
import { accessHeadersOf, type NetworkAccess, routesOf, signallingPathOf } from './network-access.ts';

/** The INVITE of an application on its way to the network. The application's own idea of who it is stays on this host. */
export function routeToNetwork(
  request: SipRequest,
  access: NetworkAccess,
  publicIdentity: string,
): OutgoingRoute | undefined {
  const identity = parseUri(publicIdentity);
  if (isMalformed(identity)) return undefined;
  const { displayName } = fromOf(request);
  return {
    ...signallingPathOf(access, userOf(publicIdentity)),
    requestUri: request.requestUri,
    routes: routesOf(access),
    nextHop: access.proxyCscf,
    from: formatNameAddress({ displayName, uri: identity, parameters: noParameters }),
    headers: [...accessHeadersOf(access), ['P-Preferred-Identity', `<${publicIdentity}>`]],
  };
}

/** An INVITE of the network on its way to a softphone of this host. */
export function routeToApplication(application: SipUri, path: SignallingPath): OutgoingRoute {
  const { address = '' } = path.local ?? {};
  const port = application.port ?? 5060;
  return {
    ...path,
    requestUri: formatUri(application),
    routes: [],
    nextHop: { address, port, ...(isTcp(application.parameters.get('transport')) && { transport: 'tcp' }) },
    headers: [['P-Access-Network-Info', undefined]],
  };
}

/** The path of a leg towards an application: over the transport that it uses itself, since it may know no other. */
export function applicationPath(
  local: TransportAddress,
  user: string,
  transport: string | undefined,
): SignallingPath {
  const place = formatTransportAddress(local) + (isTcp(transport) ? ';transport=tcp' : '');
  return { contact: `<sip:${user}@${place}>`, local };
}

function isTcp(transport: string | undefined): boolean {
  return transport?.toLowerCase() === 'tcp';
}

export function userOf(publicIdentity: string): string {
  return userPartOf(publicIdentity) ?? 'anonymous';
}

/** Requests from the network are taken from proxies only: whoever else reaches the access address is no part of the node's SIP network. */
export function comesFromProxy(
  source: TransportAddress,
  accesses: Iterable<NetworkAccess>,
  homeProxy: string | undefined,
): boolean {
  for (const { proxyCscf } of accesses) if (proxyCscf.address === source.address) return true;
  return source.address === homeProxy;
}
