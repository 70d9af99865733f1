/** What a host shows of its traffic: a datagram, or a piece of a byte stream, as it passed (runtime/host.ts, sim/virtual-host.ts). */
import type { ConnectionId, TransportAddress } from '../base/network.ts';

export interface ObservedOctets {
  readonly direction: 'sent' | 'received';
  /** The byte stream that the piece belongs to; absent for a datagram. */
  readonly connection?: ConnectionId;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly payload: Uint8Array;
}
