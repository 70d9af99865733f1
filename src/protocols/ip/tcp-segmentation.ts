/**
 * Cuts a TCP packet over IPv4 that is longer than a link allows into segments, as a network card does for its host (RFC 9293 §3.7.1 gives
 * the segment size): the data path of the tunnel takes such packets from the kernel. Only the headers are made; the payload stays where
 * it is. And the other direction: which segments make one packet. Leaves out IPv6 and IP options.
 */
import { checksumOf, onesComplementSumAt } from './internet-checksum.ts';
import { ipProtocol } from './ip-packet.ts';

export const tcpFlag = { fin: 0x01, syn: 0x02, psh: 0x08, ack: 0x10, cwr: 0x80 } as const;

/** IPv4 and TCP headers together, where the packet starts at `at`; `undefined` when there is no whole TCP header without IP options. */
export function tcpHeadersLength(view: DataView, at: number, length: number): number | undefined {
  if (length < IP_HEADER + 20 || view.getUint8(at) !== IPV4_WITHOUT_OPTIONS) return undefined;
  const isFragment = (view.getUint16(at + 6) & 0x3fff) !== 0;
  if (isFragment || view.getUint8(at + 9) !== ipProtocol.tcp) return undefined;
  const headers = IP_HEADER + 4 * (view.getUint8(at + IP_HEADER + 12) >> 4);
  return headers >= IP_HEADER + 20 && headers <= length ? headers : undefined;
}

/** A TCP packet in `view` from `at` on, with headers of `headersLength`, to be sent `segmentSize` payload octets at a time. */
export interface SegmentedPacket {
  readonly view: DataView;
  readonly at: number;
  readonly length: number;
  readonly headersLength: number;
  readonly segmentSize: number;
}

export function segmentCount({ length, headersLength, segmentSize }: SegmentedPacket): number {
  return Math.max(1, Math.ceil((length - headersLength) / segmentSize));
}

/** Writes the headers of segment 0 at `headersAt` of the same view, those of the next `stride` octets further, and so on. */
export function writeSegmentHeaders(packet: SegmentedPacket, headersAt: number, stride: number): void {
  const { view, at, length, headersLength, segmentSize } = packet;
  const tcp = at + IP_HEADER;
  const [sequence, flags, identification] = [
    view.getUint32(tcp + 4),
    view.getUint8(tcp + 13),
    view.getUint16(at + 4),
  ];
  // What changes from segment to segment counts as zero in the sums, and is added to each.
  clear(view, at);
  const ipSum = onesComplementSumAt(view, at, IP_HEADER);
  const tcpLength = headersLength - IP_HEADER;
  const tcpSum =
    onesComplementSumAt(view, tcp, tcpLength) + onesComplementSumAt(view, at + 12, 8) + ipProtocol.tcp;
  let [to, id] = [headersAt, identification];
  for (let from = headersLength; from < length; from += segmentSize) {
    const payload = Math.min(segmentSize, length - from);
    copyHeaders(view, at, to, headersLength);
    const segmentSequence = (sequence + from - headersLength) >>> 0;
    let segmentFlags = flags;
    if (from > headersLength) segmentFlags &= ~tcpFlag.cwr;
    if (from + payload < length) segmentFlags &= ~(tcpFlag.fin | tcpFlag.psh);
    view.setUint16(to + 2, headersLength + payload);
    view.setUint16(to + 4, id);
    view.setUint16(to + 10, checksumOf(ipSum + headersLength + payload + id));
    view.setUint32(to + IP_HEADER + 4, segmentSequence);
    view.setUint8(to + IP_HEADER + 13, segmentFlags);
    const changing =
      (segmentSequence >>> 16) + (segmentSequence & 0xffff) + segmentFlags + tcpLength + payload;
    const payloadSum = onesComplementSumAt(view, at + from, payload);
    view.setUint16(to + IP_HEADER + 16, checksumOf(tcpSum + changing + payloadSum));
    to += stride;
    id = (id + 1) & 0xffff;
  }
}

function clear(view: DataView, at: number): void {
  view.setUint32(at + 2, 0);
  view.setUint16(at + 10, 0);
  view.setUint32(at + IP_HEADER + 4, 0);
  view.setUint8(at + IP_HEADER + 13, 0);
  view.setUint16(at + IP_HEADER + 16, 0);
}

/** A loop beats copyWithin for so few octets; headers are multiples of four. */
function copyHeaders(view: DataView, from: number, to: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setUint32(to + i, view.getUint32(from + i));
}

/** Whether the TCP checksum of a packet is right. */
export function hasRightTcpChecksum(view: DataView, at: number, length: number): boolean {
  const pseudo = onesComplementSumAt(view, at + 12, 8) + ipProtocol.tcp + (length - IP_HEADER);
  return checksumOf(onesComplementSumAt(view, at + IP_HEADER, length - IP_HEADER) + pseudo) === 0;
}

/** Whether both packets may be segments of one: all that segments share is the same in their headers (as the kernel's GRO asks). */
export function sameSegmentedPacket(view: DataView, a: number, b: number, headersLength: number): boolean {
  // Type of service; fragment flags; time to live and protocol; addresses; ports.
  if (view.getUint8(a + 1) !== view.getUint8(b + 1)) return false;
  if (view.getUint32(a + 6) >>> 8 !== view.getUint32(b + 6) >>> 8) return false;
  if (view.getUint8(a + 9) !== view.getUint8(b + 9)) return false;
  for (let i = 12; i < 24; i += 4) if (view.getUint32(a + i) !== view.getUint32(b + i)) return false;
  // Acknowledgement number; header length, flags and window; options.
  if (view.getUint32(a + 28) !== view.getUint32(b + 28)) return false;
  const freeFlags = (tcpFlag.fin | tcpFlag.psh | tcpFlag.cwr) << 16;
  if (((view.getUint32(a + 32) ^ view.getUint32(b + 32)) & ~freeFlags) !== 0) return false;
  for (let i = IP_HEADER + 20; i < headersLength; i += 4)
    if (view.getUint32(a + i) !== view.getUint32(b + i)) return false;
  return true;
}

/**
 * Makes the headers at `at` those of one packet of `length` octets for a kernel that segments it again (virtio-net: the checksum field
 * holds the sum of the pseudo-header alone, and the last segment's flags).
 */
export function writeMergedHeaders(view: DataView, at: number, length: number, lastFlags: number): void {
  view.setUint16(at + 2, length);
  view.setUint16(at + 10, 0);
  view.setUint16(at + 10, checksumOf(onesComplementSumAt(view, at, IP_HEADER)));
  const flagsAt = at + IP_HEADER + 13;
  view.setUint8(flagsAt, view.getUint8(flagsAt) | lastFlags);
  const pseudo = onesComplementSumAt(view, at + 12, 8) + ipProtocol.tcp + (length - IP_HEADER);
  view.setUint16(at + IP_HEADER + 16, ~checksumOf(pseudo) & 0xffff);
}

/**
 * Lowers the maximum segment size that a SYN offers (RFC 9293 §3.7.1) to what fits the tunnel, and keeps the checksum right. Other packets
 * are left alone.
 */
export function clampSegmentSize(view: DataView, at: number, headersLength: number, limit: number): void {
  const tcp = at + IP_HEADER;
  if ((view.getUint8(tcp + 13) & tcpFlag.syn) === 0) return;
  for (let i = tcp + 20; i + 4 <= at + headersLength; ) {
    const kind = view.getUint8(i);
    if (kind === OPTION_END) return;
    if (kind === OPTION_MAXIMUM_SEGMENT_SIZE && view.getUint8(i + 1) === 4) {
      const offered = view.getUint16(i + 2);
      if (offered > limit) {
        view.setUint16(i + 2, limit);
        // RFC 1624, equation 3; an option at an odd offset counts with its octets the other way round.
        const [before, after] = (i - tcp) % 2 === 0 ? [offered, limit] : [turned(offered), turned(limit)];
        view.setUint16(
          tcp + 16,
          checksumOf((~view.getUint16(tcp + 16) & 0xffff) + (~before & 0xffff) + after),
        );
      }
      return;
    }
    i += kind === OPTION_NONE ? 1 : Math.max(2, view.getUint8(i + 1));
  }
}

function turned(word: number): number {
  return ((word & 255) << 8) | (word >> 8);
}

const IP_HEADER = 20;
const IPV4_WITHOUT_OPTIONS = 0x45;
const OPTION_END = 0;
const OPTION_NONE = 1;
const OPTION_MAXIMUM_SEGMENT_SIZE = 2;
