/**
 * An access network as the handover manager uses it: where the node is reachable over it, and the way into the IMS from there (TRIM §3.3).
 */
import { formatTransportAddress } from '../../base/network.ts';
import type { HeaderChange, SignallingPath } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { SipTarget } from '../../protocols/sip/transaction/sip-event.ts';
import type { LocalAccess } from '../../translation/local-binding-table.ts';
import { proxyRoute, transportParameter } from '../sip-user-agent/proxy-uris.ts';

export interface NetworkAccess extends LocalAccess {
  readonly name: string;
  /** Where the node listens for SIP on the access's address. */
  readonly signallingPort: number;
  /** By TLS where it says so: then everything goes to it, over the one connection, whatever the routes of the core say. */
  readonly proxyCscf: SipTarget;
  /** Value of P-Access-Network-Info (RFC 7315 §5.4), such as "IEEE-802.11". */
  readonly accessNetworkInfo: string | undefined;
  /** Service-Route of the registration over this access (RFC 3608), top first. */
  readonly serviceRoute: readonly string[];
}

/** Where requests of a session leave from; they carry the address that they leave from, or the answers would go to the old one. */
export function signallingPathOf(access: NetworkAccess, user: string): SignallingPath {
  const { proxyCscf } = access;
  const local = { address: access.address, port: access.signallingPort };
  const contact = `<sip:${user}@${formatTransportAddress(local)}${transportParameter(proxyCscf)}>`;
  return proxyCscf.transport === 'tls' ? { contact, local, nextHop: proxyCscf } : { contact, local };
}

/** The preloaded Route of initial requests: the P-CSCF, then the Service-Route (RFC 3608 §6.1). */
export function routesOf(access: NetworkAccess): string[] {
  return [proxyRoute(access.proxyCscf), ...access.serviceRoute];
}

export function accessHeadersOf(access: NetworkAccess): HeaderChange[] {
  return [['P-Access-Network-Info', access.accessNetworkInfo]];
}
