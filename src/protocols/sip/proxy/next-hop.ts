/**
 * From a URI to the address of the next hop, by literal or by a table of names: RFC 3263 without DNS. A sips: URI leads over TLS only
 * (RFC 3261 §26.2.2).
 */
import { formatIpAddress, parseIpAddress } from '../../../base/ip-address.ts';
import type { Uri } from '../message/sip-uri.ts';
import type { SipDomain, SipTarget, SipTransportProtocol } from '../transaction/sip-event.ts';
import { defaultPortOf } from '../transport/sip-route.ts';

/** What a name stands for; port 5060 and UDP unless said otherwise, here or in the URI. */
export interface HostAddress {
  readonly address: string;
  readonly port?: number;
  readonly transport?: SipTransportProtocol;
}

/** Names are in lower case. `undefined` when the URI is no SIP URI, its name is unknown or its transport is none of ours. */
export function nextHopOf(uri: Uri, hosts: ReadonlyMap<string, HostAddress>): SipTarget | undefined {
  if (uri.kind !== 'sip') return undefined;
  const host = hostAddressOf(uri.parameters.get('maddr') ?? uri.host, hosts);
  if (host === undefined) return undefined;
  const wanted = uri.parameters.get('transport')?.toLowerCase() ?? host.transport;
  const transport = uri.scheme === 'sips' ? securedBy(wanted) : wanted;
  if (transport === undefined && uri.scheme === 'sips') return undefined;
  if (transport === 'tls') {
    const port = uri.port ?? host.port ?? defaultPortOf('tls');
    return { transport, address: host.address, port, serverName: uri.host.toLowerCase() };
  }
  const target = { address: host.address, port: uri.port ?? host.port ?? defaultPortOf('udp') };
  if (transport === undefined) return target;
  return transport === 'udp' || transport === 'tcp' ? { ...target, transport } : undefined;
}

/** Where it leads, by the table if it knows the name, else by the DNS if there is one. */
export function destinationOf(
  uri: Uri,
  hosts: ReadonlyMap<string, HostAddress>,
  locatesServers: boolean,
): SipTarget | SipDomain | undefined {
  const known = nextHopOf(uri, hosts);
  if (known !== undefined || !locatesServers || uri.kind !== 'sip') return known;
  const host = uri.parameters.get('maddr') ?? uri.host;
  return hostAddressOf(host, hosts) === undefined ? { uri } : undefined;
}

/** A sips: URI with transport=tcp means TLS over TCP (RFC 3261 §26.2.2); over UDP there is none. */
function securedBy(transport: string | undefined): 'tls' | undefined {
  return transport === undefined || transport === 'tcp' || transport === 'tls' ? 'tls' : undefined;
}

function hostAddressOf(host: string, hosts: ReadonlyMap<string, HostAddress>): HostAddress | undefined {
  const octets = parseIpAddress(host);
  return octets === undefined ? hosts.get(host.toLowerCase()) : { address: formatIpAddress(octets) };
}
