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

export interface SipRoute {
  readonly transport: SipTransportProtocol;
  /** Own listening address; over TCP only its IP address counts. */
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  /** Taken when it is still open. */
  readonly connection?: ConnectionId | undefined;
  /** TLS: whose certificate a new connection must show. */
  readonly serverName?: string | undefined;
  /** The name of the flow that datagrams take by this route, once it has been asked for. */
  flow?: SipFlow | undefined;
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
 * For a request, or an answer made from it (RFC 3261 §18.2.2): back over the connection of the request, or a new one to the port of
 * sent-by. Over UDP from the port at which the request came in; to the port it came from if `rport` asks for it, else to the port of
 * sent-by.
 */
export function responseRoute(
  message: SipMessage,
  arrival: SipArrival,
  connection: ConnectionId | undefined,
): SipRoute {
  const { transport, local, source } = arrival;
  const via = topViaOf(message);
  const usesSource = transport === 'udp' && via.parameters.has('rport');
  const remote = usesSource
    ? source
    : { address: source.address, port: via.port ?? defaultPortOf(transport) };
  return { transport, local, remote, connection };
}
