/**
 * From a URI to the address of the next hop, by literal or by a table of names: RFC 3263 without DNS. Leaves out TLS, so a sips: URI
 * leads nowhere.
 */
import { formatIpAddress, parseIpAddress } from '../../../base/ip-address.ts';
import type { Uri } from '../message/sip-uri.ts';
import type { SipTarget, SipTransportProtocol } from '../transaction/sip-event.ts';
import { defaultSipPort } from '../transport/sip-route.ts';

/** What a name stands for; port 5060 and UDP unless said otherwise, here or in the URI. */
export interface HostAddress {
  readonly address: string;
  readonly port?: number;
  readonly transport?: SipTransportProtocol;
}

/** Names are in lower case. `undefined` when the URI is no sip: URI, its name is unknown or its transport is not UDP or TCP. */
export function nextHopOf(uri: Uri, hosts: ReadonlyMap<string, HostAddress>): SipTarget | undefined {
  if (uri.kind !== 'sip' || uri.scheme === 'sips') return undefined;
  const host = hostAddressOf(uri.parameters.get('maddr') ?? uri.host, hosts);
  const transport = uri.parameters.get('transport')?.toLowerCase() ?? host?.transport;
  if (host === undefined) return undefined;
  const target = { address: host.address, port: uri.port ?? host.port ?? defaultSipPort };
  if (transport === undefined) return target;
  return transport === 'udp' || transport === 'tcp' ? { ...target, transport } : undefined;
}

function hostAddressOf(host: string, hosts: ReadonlyMap<string, HostAddress>): HostAddress | undefined {
  const octets = parseIpAddress(host);
  return octets === undefined ? hosts.get(host.toLowerCase()) : { address: formatIpAddress(octets) };
}
