/**
 * The way a message goes: transport, own address, peer address, and the connection when there is one. Where the response to a request
 * goes is decided by its top Via and by how it came in (RFC 3261 §18.2, RFC 3581 §4). Leaves out maddr (multicast).
 */
import type { ConnectionId, TransportAddress } from '../../../base/network.ts';
import { topViaOf } from '../message/header-fields.ts';
import { withParameter } from '../message/parameters.ts';
import type { SipMessage } from '../message/sip-message.ts';
import { formatVia } from '../message/via.ts';
import type { SipArrival, SipTransportProtocol } from '../transaction/sip-event.ts';
import type { SipFlow } from './sip-transport.ts';

export type SipRoute = DatagramRoute | StreamRoute;

export interface DatagramRoute {
  readonly transport: 'udp';
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly flow: SipFlow;
}

export interface StreamRoute {
  readonly transport: 'tcp' | 'tls';
  /** Own listening address, of which only the IP address counts. */
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  /** Taken when it is still open. */
  readonly connection?: ConnectionId | undefined;
  /** TLS: whose certificate a new connection must show. */
  readonly serverName?: string | undefined;
}

export const defaultSipPort = 5060;

/** RFC 3261 §18.2.2, §19.1.2. */
export function defaultPortOf(transport: SipTransportProtocol | undefined): number {
  return transport === 'tls' ? 5061 : defaultSipPort;
}

/**
 * Writes into the top Via, of the request or of an answer made from it, where the request really came from: `received` when sent-by says something else or `rport` asks for it
 * (RFC 3261 §18.2.1, RFC 3581 §4).
 */
export function markReceived(message: SipMessage, source: TransportAddress): void {
  const via = topViaOf(message);
  const wantsPort = via.parameters.has('rport');
  if (!wantsPort && via.host === source.address) return;
  let parameters = withParameter(via.parameters, 'received', source.address);
  if (wantsPort) parameters = withParameter(parameters, 'rport', String(source.port));
  message.headers.removeFirst('Via');
  message.headers.prepend('Via', formatVia({ ...via, parameters }));
}

/**
 * Where the response goes, from the request or an answer made from it (RFC 3261 §18.2.2): back to the address that it came from, at the port
 * of sent-by, where a new connection is opened if that of the request is gone; over UDP at the port that it came from if `rport` asks for it.
 */
export function responseTarget(message: SipMessage, { transport, source }: SipArrival): TransportAddress {
  const via = topViaOf(message);
  const usesSource = transport === 'udp' && via.parameters.has('rport');
  return usesSource ? source : { address: source.address, port: via.port ?? defaultPortOf(transport) };
}
