/**
 * An access network as the handover manager uses it: where the node is reachable over it, and the way into the IMS from there (TRIM §3.3).
 */
import type { TransportAddress } from '../../base/network.ts';
import { formatTransportAddress } from '../../base/network.ts';
import type { HeaderChange, SignallingPath } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { LocalAccess } from '../../translation/local-binding-table.ts';

export interface NetworkAccess extends LocalAccess {
  readonly name: string;
  /** Where the node listens for SIP on the access's address. */
  readonly signallingPort: number;
  readonly proxyCscf: TransportAddress;
  /** Value of P-Access-Network-Info (RFC 7315 §5.4), such as "IEEE-802.11". */
  readonly accessNetworkInfo: string | undefined;
  /** Service-Route of the registration over this access (RFC 3608), top first. */
  readonly serviceRoute: readonly string[];
}

/** Where requests of a session leave from; they carry the address that they leave from, or the answers would go to the old one. */
export function signallingPathOf(access: NetworkAccess, user: string): SignallingPath {
  const local = { address: access.address, port: access.signallingPort };
  return { contact: `<sip:${user}@${formatTransportAddress(local)}>`, local };
}

/** The preloaded Route of initial requests: the P-CSCF, then the Service-Route (RFC 3608 §6.1). */
export function routesOf(access: NetworkAccess): string[] {
  return [`<sip:${formatTransportAddress(access.proxyCscf)};lr>`, ...access.serviceRoute];
}

export function accessHeadersOf(access: NetworkAccess): HeaderChange[] {
  return [['P-Access-Network-Info', access.accessNetworkInfo]];
}
