/** Where one call leg sends from and to. Hosts are IP literals, names of a table given in configuration, or domains. */
import { isMalformed } from '../../../base/malformed.ts';
import type { TransportAddress } from '../../../base/network.ts';
import { parseUri } from '../message/sip-uri.ts';
import { destinationOf, type HostAddress } from '../proxy/next-hop.ts';
import type { SipDomain, SipTarget } from '../transaction/sip-event.ts';

/** Where a leg's requests leave from and go to. */
export interface SignallingPath {
  /** Our Contact on this leg, a name-addr with any header parameters: `<sip:mn@192.0.2.1:5060>`. */
  readonly contact: string;
  /** The address of ours that requests leave from; absent: the endpoint's first listener of that transport and address family. */
  readonly local?: TransportAddress;
  /** Where requests go. Absent: wherever the first Route or, without one, the Request-URI says (IP literals or the table of hosts). */
  readonly nextHop?: SipTarget;
}

/** Without what else is said of a route. */
export function pathOf({ contact, local, nextHop }: SignallingPath): SignallingPath {
  if (local === undefined && nextHop === undefined) return { contact };
  return { contact, ...(local && { local }), ...(nextHop && { nextHop }) };
}

export type HostTable = ReadonlyMap<string, HostAddress>;

/** `undefined` when the URI is no SIP URI or its host is in no table. */
export function resolveTarget(
  path: SignallingPath,
  nextHop: string,
  hosts: HostTable,
  locatesServers: boolean,
): SipTarget | SipDomain | undefined {
  const uri = parseUri(nextHop);
  const target = path.nextHop ?? (isMalformed(uri) ? undefined : destinationOf(uri, hosts, locatesServers));
  if (target === undefined || path.local === undefined || target.local !== undefined) return target;
  return { ...target, local: path.local };
}
