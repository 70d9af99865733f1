/** How the mobile node writes the transport to its P-CSCF into URIs (RFC 3261 §19.1.1). */
import { formatTransportAddress } from '../../base/network.ts';
import type { SipTarget } from '../../protocols/sip/transaction/sip-event.ts';

/** For the contact of an access, too: a P-CSCF reached by TLS reaches the node by TLS. */
export function transportParameter({ transport }: SipTarget): string {
  return transport === 'tls' ? ';transport=tls' : '';
}

/** The first of the preloaded Routes (RFC 3608 §6.1). */
export function proxyRoute(proxy: SipTarget): string {
  return `<sip:${formatTransportAddress(proxy)}${transportParameter(proxy)};lr>`;
}
