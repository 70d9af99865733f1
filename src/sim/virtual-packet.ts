/** An IP packet in the simulator: the fields that routing, translation and links look at, and its content as a value. */
import { familyOf } from '../base/ip-address.ts';
import type { FlowKey, TransportProtocol } from '../translation/translation-operation.ts';

export interface VirtualPacket {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly content: PacketContent;
}

export type PacketContent =
  /** `tunnelled`: the packet behind the payload, which is its tunnel's header then. */
  | { readonly protocol: 'udp'; readonly payload: Uint8Array; readonly tunnelled?: VirtualPacket }
  | { readonly protocol: 'tcp'; readonly segment: TcpSegment }
  /** Port unreachable: nobody listens where a datagram from `destination` went. */
  | { readonly protocol: 'icmp' };

/** Sequence numbers count octets from 0 (the SYN) and do not wrap. */
export interface TcpSegment {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly isSyn: boolean;
  readonly isAck: boolean;
  readonly isFin: boolean;
  readonly isReset: boolean;
  readonly payload: Uint8Array;
}

/** Length of the IP packet: headers of 20 (IPv4) or 40 octets (IPv6), 8 (UDP, ICMP) or 20 (TCP). */
export function octetsOf(packet: VirtualPacket): number {
  const ip = packet.destination.includes(':') ? 40 : 20;
  const tunnelled = packet.content.protocol === 'udp' ? packet.content.tunnelled : undefined;
  switch (packet.content.protocol) {
    case 'udp':
      return ip + 8 + packet.content.payload.length + (tunnelled === undefined ? 0 : octetsOf(tunnelled));
    case 'tcp':
      return ip + 20 + packet.content.segment.payload.length;
    case 'icmp':
      return 2 * ip + 16;
  }
}

/** The flow it belongs to, by one of its ports. */
export function keyOf(
  packet: VirtualPacket,
  protocol: TransportProtocol,
  portOf: 'source' | 'destination',
): FlowKey {
  const { source, destination } = packet;
  const port = portOf === 'source' ? packet.sourcePort : packet.destinationPort;
  return { family: familyOf(source), protocol, source, destination, port, portOf };
}
