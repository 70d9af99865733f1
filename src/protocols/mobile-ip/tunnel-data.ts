/**
 * Packets inside UDP (RFC 3519 §3.3): the four octets before a tunnelled packet, and the ICMP echo in the tunnel that keeps the address
 * translators on the way open (RFC 3519 §4.9) and measures the round trip (MIP-SIP equation 3). In the 'plain' encapsulation the IP packet
 * follows the UDP header at once, as in the paper's Table 1; its first octet cannot be mistaken for a message type.
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { Malformed } from '../../base/malformed.ts';
import { checksumOf, onesComplementSum } from '../ip/internet-checksum.ts';
import type { TunnelEncapsulation } from './tunnel-state.ts';

/** Type 4, Next Header 4 (IPv4), two reserved octets. */
export const tunnelDataHeader: Uint8Array = Uint8Array.of(4, 4, 0, 0);

/** ICMP echo (RFC 792) between home address and home agent. */
export interface TunnelledEcho {
  readonly isReply: boolean;
  readonly source: string;
  readonly destination: string;
  readonly identifier: number;
  readonly sequenceNumber: number;
}

/** Whether a UDP payload on port 434 is user traffic (or an echo) rather than a control message. */
export function isTunnelData(payload: Uint8Array): boolean {
  return payload[0] === tunnelDataHeader[0] || isIpv4(payload);
}

/** The packet in a UDP payload. The Next Header must be that of the tunnel (RFC 3519 §3.3). */
export function decodeTunnelData(
  payload: Uint8Array,
  encapsulation: TunnelEncapsulation,
): Uint8Array | Malformed {
  const packet = encapsulation === 'rfc3519' ? payload.subarray(tunnelDataHeader.length) : payload;
  const hasHeader = payload[0] === tunnelDataHeader[0] && payload[1] === tunnelDataHeader[1];
  if (encapsulation === 'rfc3519' && !hasHeader)
    return new Malformed('Next Header', 1, 'RFC 3519 §3.3: that of the tunnel, 4');
  return isIpv4(packet) ? packet : new Malformed('Version', 0, 'RFC 791 §3.1: an IPv4 packet in the tunnel');
}

/** The UDP payload with an echo in it. */
export function encodeTunnelledEcho(echo: TunnelledEcho, encapsulation: TunnelEncapsulation): Uint8Array {
  const packet = new Uint8Array(echoOctets);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, echoOctets);
  // The sequence number serves as IPv4 identification: nothing of 28 octets is ever fragmented.
  view.setUint16(4, echo.sequenceNumber);
  view.setUint8(8, 64);
  view.setUint8(9, 1);
  packet.set(parseIpAddress(echo.source) ?? [], 12);
  packet.set(parseIpAddress(echo.destination) ?? [], 16);
  view.setUint16(10, checksumOf(onesComplementSum(packet.subarray(0, 20))));
  view.setUint8(20, echo.isReply ? 0 : 8);
  view.setUint16(24, echo.identifier);
  view.setUint16(26, echo.sequenceNumber);
  view.setUint16(22, checksumOf(onesComplementSum(packet.subarray(20))));
  if (encapsulation === 'plain') return packet;
  return Uint8Array.from([...tunnelDataHeader, ...packet]);
}

/** undefined when the packet is something else, or damaged. */
export function decodeTunnelledEcho(packet: Uint8Array): TunnelledEcho | undefined {
  if (packet.length < echoOctets || packet[0] !== 0x45 || packet[9] !== 1) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const isWhole = view.getUint16(2) === packet.length && (view.getUint16(6) & 0x3fff) === 0;
  if (!isWhole || onesComplementSum(packet.subarray(20)) !== 0xffff) return undefined;
  if (onesComplementSum(packet.subarray(0, 20)) !== 0xffff) return undefined;
  const type = view.getUint8(20);
  if ((type !== 0 && type !== 8) || view.getUint8(21) !== 0) return undefined;
  return {
    isReply: type === 0,
    source: formatIpAddress(packet.subarray(12, 16)),
    destination: formatIpAddress(packet.subarray(16, 20)),
    identifier: view.getUint16(24),
    sequenceNumber: view.getUint16(26),
  };
}

/** IPv4 header and ICMP echo without data. */
const echoOctets = 28;

function isIpv4(packet: Uint8Array): boolean {
  return (packet[0] ?? 0) >> 4 === 4;
}
