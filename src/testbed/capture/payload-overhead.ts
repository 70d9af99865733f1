/**
 * MIP–SIP Table 1, from captured frames: how many octets of headers each RTP packet has on its way over an access, sent directly (SIP
 * mobility) or through the tunnel of Mobile IP, and their share of the packet. Layer 2 does not count, as in the paper.
 */
import { isMalformed } from '../../base/malformed.ts';
import { decodeTunnelData, isTunnelData } from '../../protocols/mobile-ip/tunnel-data.ts';
import { decodeRtpPacket } from '../../protocols/rtp/rtp-header.ts';

export interface PayloadOverhead {
  readonly path: 'direct' | 'tunnel, RFC 3519' | 'tunnel, plain';
  /** RTP payload type (RFC 3551 §6): 8 is G.711, 4 is G.723.1. */
  readonly payloadType: number;
  readonly payloadOctets: number;
  readonly headerOctets: number;
  readonly percent: number;
  readonly packets: number;
}

const ethernetOctets = 14;
const udpHeaderOctets = 8;
const mobileIpPort = 434;
const IPPROTO_UDP = 17;
/** Media ports of the lab begin here (lab-flows.ts). */
const firstMediaPort = 40_000;
const lastMediaPort = 40_100;

/** One row per path, payload type and payload length, for streams whose packets all have the same length. */
export function payloadOverheads(frames: readonly Uint8Array[]): PayloadOverhead[] {
  const rows = new Map<string, PayloadOverhead>();
  for (const frame of frames) {
    const measured = measure(frame.subarray(ethernetOctets));
    if (measured === undefined) continue;
    const { path, payloadType, payloadOctets, headerOctets } = measured;
    const key = `${path} ${payloadType} ${payloadOctets} ${headerOctets}`;
    const percent = (100 * headerOctets) / (headerOctets + payloadOctets);
    rows.set(key, { ...measured, percent, packets: (rows.get(key)?.packets ?? 0) + 1 });
  }
  return [...rows.values()].filter(({ payloadType }) => payloadType < 96);
}

export function formatOverheads(rows: readonly PayloadOverhead[]): string {
  const lines = rows.map(({ path, payloadType, payloadOctets, headerOctets, percent, packets }) =>
    [`"${path}"`, payloadType, payloadOctets, headerOctets, percent.toFixed(2), packets].join(','),
  );
  return `${['path,payload type,payload octets,header octets,percent,packets', ...lines].join('\n')}\n`;
}

type Measured = Omit<PayloadOverhead, 'percent' | 'packets'>;

function measure(packet: Uint8Array): Measured | undefined {
  const outer = udpOf(packet);
  if (outer === undefined) return undefined;
  const isTunnel = outer.sourcePort === mobileIpPort || outer.destinationPort === mobileIpPort;
  if (!isTunnel) return rtpIn(packet, packet, 'direct');
  if (!isTunnelData(outer.payload)) return undefined;
  const isPlain = (outer.payload[0] ?? 0) >> 4 === 4;
  const inner = decodeTunnelData(outer.payload, isPlain ? 'plain' : 'rfc3519');
  if (isMalformed(inner)) return undefined;
  return rtpIn(packet, inner, isPlain ? 'tunnel, plain' : 'tunnel, RFC 3519');
}

/** `packet` is what the access carries, `inner` what the program sent. */
function rtpIn(packet: Uint8Array, inner: Uint8Array, path: PayloadOverhead['path']): Measured | undefined {
  const udp = udpOf(inner);
  if (udp === undefined || !isMediaPort(udp.destinationPort)) return undefined;
  const rtp = decodeRtpPacket(udp.payload);
  if (isMalformed(rtp)) return undefined;
  const payloadOctets = rtp.payload.length;
  const headerOctets = lengthOf(packet) - payloadOctets;
  return { path, payloadType: rtp.header.payloadType, payloadOctets, headerOctets };
}

function udpOf(packet: Uint8Array) {
  if ((packet[0] ?? 0) >> 4 !== 4 || packet[9] !== IPPROTO_UDP) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const at = 4 * ((packet[0] ?? 0) & 15);
  if (view.byteLength < at + udpHeaderOctets) return undefined;
  return {
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    payload: packet.subarray(at + udpHeaderOctets, lengthOf(packet)),
  };
}

/** Total length of the IPv4 packet: frames may be padded. */
function lengthOf(packet: Uint8Array): number {
  return ((packet[2] ?? 0) << 8) | (packet[3] ?? 0);
}

function isMediaPort(port: number): boolean {
  return port >= firstMediaPort && port <= lastMediaPort;
}
