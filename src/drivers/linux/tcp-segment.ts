/** What the beginning of an IP packet says of the TCP segment in it (RFC 9293 §3.1), for telling flows apart and in order. */
import { formatIpAddress } from '../../base/ip-address.ts';
import type { TcpSegmentPlace } from '../../translation/segment-sequence.ts';
import type { FlowKey } from '../../translation/translation-operation.ts';
import type { IpFamily } from './nftables-batch.ts';

/** The longest IPv4 header, or that of IPv6, and TCP's as far as its flags. */
export const segmentHeaderOctets = 74;

export interface TcpSegment extends TcpSegmentPlace {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** `undefined`: cut off, or a packet that TCP does not follow on directly. */
export function readTcpSegment(packet: Uint8Array, family: IpFamily): TcpSegment | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (packet.length < (family === 4 ? 20 : 40) || packet[family === 4 ? 9 : 6] !== IPPROTO_TCP)
    return undefined;
  const tcpAt = family === 4 ? 4 * (view.getUint8(0) & 15) : 40;
  if (packet.length < tcpAt + 14) return undefined;
  const octetsBehindHeader = family === 4 ? view.getUint16(2) - tcpAt : view.getUint16(4);
  const flags = view.getUint8(tcpAt + 13);
  const controls = (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
  const [addressAt, addressOctets] = family === 4 ? [12, 4] : [8, 16];
  const addressOf = (at: number): string => formatIpAddress(packet.subarray(at, at + addressOctets));
  const source = addressOf(addressAt);
  const [sourcePort, destinationPort] = [view.getUint16(tcpAt), view.getUint16(tcpAt + 2)];
  return {
    source,
    destination: addressOf(addressAt + addressOctets),
    sourcePort,
    destinationPort,
    connection: `${source} ${sourcePort} ${destinationPort}`,
    sequence: view.getUint32(tcpAt + 4),
    length: octetsBehindHeader - 4 * (view.getUint8(tcpAt + 12) >> 4) + controls,
  };
}

export function belongsTo(segment: TcpSegment, { source, destination, port, portOf }: FlowKey): boolean {
  const own = portOf === 'source' ? segment.sourcePort : segment.destinationPort;
  return own === port && segment.source === source && segment.destination === destination;
}

const IPPROTO_TCP = 6;
const TCP_FIN = 0x01;
const TCP_SYN = 0x02;
