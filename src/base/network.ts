/**
 * What a network function and its host say to each other: datagrams and byte streams between transport addresses.
 *
 * The host is either the runtime (real sockets) or a virtual host in virtual time; a network function cannot tell which.
 * IP addresses are text in their canonical form (RFC 5952 for IPv6), so that equal addresses are equal strings.
 */

export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

/** Over UDP go datagrams, over the others byte streams; those of TLS are secured by the host (RFC 3261 §26.2), with its certificates. */
export type TransportProtocol = 'udp' | 'tcp' | 'tls';

/** Names one byte stream between two hosts; chosen by who opens it: the machine ("o…") or, for accepted ones, the host ("a…"). */
export type ConnectionId = string;

/** A question to the domain name system; names in lower case. */
export interface DnsQuery {
  readonly type: 'naptr' | 'srv' | 'a' | 'aaaa';
  readonly name: string;
}

export type DnsRecord =
  | {
      readonly type: 'naptr';
      readonly order: number;
      readonly preference: number;
      readonly flags: string;
      readonly service: string;
      readonly replacement: string;
    }
  | {
      readonly type: 'srv';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'a' | 'aaaa'; readonly address: string };

/** From the host to the machine. */
export type NetworkInput =
  | {
      readonly kind: 'datagram-received';
      readonly local: TransportAddress;
      readonly remote: TransportAddress;
      readonly payload: Uint8Array;
    }
  | {
      readonly kind: 'connection-accepted';
      readonly connection: ConnectionId;
      readonly local: TransportAddress;
      readonly remote: TransportAddress;
      /** TLS: names in the certificate of the peer, if it showed one that the host trusts. */
      readonly peerNames?: readonly string[];
    }
  | {
      readonly kind: 'connection-established';
      readonly connection: ConnectionId;
      readonly local: TransportAddress;
    }
  /** The host does not write to `payload` again: what it holds may wait at the machine without being copied. */
  | { readonly kind: 'stream-received'; readonly connection: ConnectionId; readonly payload: Uint8Array }
  /** The peer closed, the network failed, or a connection that was asked for could not be opened. */
  | { readonly kind: 'connection-closed'; readonly connection: ConnectionId; readonly reason: string }
  /** All records; none when there are none, or the resolver failed. */
  | { readonly kind: 'resolved'; readonly query: DnsQuery; readonly records: readonly DnsRecord[] }
  /** A datagram that was sent earlier came back as an error (ICMP port or host unreachable). */
  | {
      readonly kind: 'datagram-refused';
      readonly local: TransportAddress;
      readonly remote: TransportAddress;
    };

/** From the machine to the host. */
export type NetworkOutput =
  | {
      readonly kind: 'transmit';
      readonly transport: 'udp';
      readonly local: TransportAddress;
      readonly remote: TransportAddress;
      readonly payload: Uint8Array;
    }
  | {
      readonly kind: 'transmit';
      /** A byte stream, of TCP or TLS. */
      readonly transport: 'tcp';
      readonly connection: ConnectionId;
      readonly payload: Uint8Array;
    }
  /** Start listening: UDP sockets and TCP listeners are opened by the host when the machine first says so. */
  | { readonly kind: 'listen'; readonly transport: TransportProtocol; readonly local: TransportAddress }
  | {
      readonly kind: 'stop-listening';
      readonly transport: TransportProtocol;
      readonly local: TransportAddress;
    }
  /** `local` with port 0 binds the address only; absent lets the host choose. */
  | {
      readonly kind: 'connect';
      readonly connection: ConnectionId;
      readonly local?: TransportAddress;
      readonly remote: TransportAddress;
      /** Present: by TLS. The certificate of the peer must be trusted and hold this name or IP address (RFC 5922 §7). */
      readonly tls?: { readonly serverName: string };
    }
  | { readonly kind: 'close'; readonly connection: ConnectionId }
  | { readonly kind: 'resolve'; readonly query: DnsQuery };

/** "192.0.2.1:5060", "[2001:db8::1]:5060". */
export function formatTransportAddress(address: TransportAddress): string {
  return address.address.includes(':')
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}

export function sameTransportAddress(a: TransportAddress, b: TransportAddress): boolean {
  return a.port === b.port && a.address === b.address;
}
