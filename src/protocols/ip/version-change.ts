/**
 * The other version's header in place of a packet's own (RFC 7915, stateless translation), in the memory that holds the packet, for UDP and
 * TCP and their fragments. The addresses come from the caller. Where IPv4 lets the network fragment, an IPv6 packet is cut to the size
 * that every IPv6 link carries (§4), since IPv6 routers do not. Leaves out ICMP (version-change-icmp.ts) and options, which §4.1 and §5.1 drop.
 */
import { checksumOf, onesComplementSum, onesComplementSumAt } from './internet-checksum.ts';
import { ipProtocol } from './ip-packet.ts';

/** A packet's place in its memory. */
export interface PacketSpan {
  readonly at: number;
  readonly length: number;
}

/**
 * `complete`: covers everything. `partial`: the sum of the pseudo-header alone, the rest is left to whoever sends the packet on. `quoted`: the
 * packet may be cut off, as in an ICMP error.
 */
export type TransportChecksum = 'complete' | 'partial' | 'quoted';

/** What has to be free ahead of an IPv4 packet: IPv6's headers are longer. */
export const versionHeadroom = 28;

/** `addresses`: 16 octets of source, 16 of destination. Undefined: cannot be translated (RFC 7915 §4, §4.5). */
export function toIpv6(
  view: DataView,
  { at, length }: PacketSpan,
  addresses: Uint8Array,
  checksum: TransportChecksum,
): PacketSpan | undefined {
  const headerLength = 4 * (view.getUint8(at) & 15);
  const totalLength = view.getUint16(at + 2);
  if (headerLength < 20 || length < headerLength || totalLength < headerLength) return undefined;
  const fragment = view.getUint16(at + 6);
  const isFragment = (fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0;
  const protocol = view.getUint8(at + 9);
  if (!isTransport(protocol)) return undefined;
  const transport = { at: at + headerLength, length: length - headerLength };
  const before = onesComplementSumAt(view, at + 12, 8);
  if ((fragment & FRAGMENT_OFFSET) === 0) {
    const hasNone = protocol === ipProtocol.udp && hasNoChecksum(view, transport) && checksum === 'complete';
    // RFC 7915 §4.5: IPv6 wants a checksum, and a fragment does not hold all that it covers.
    if (hasNone && isFragment) return undefined;
    if (hasNone) sumUdp(view, transport, addresses);
    else updateChecksum(view, transport, protocol, before, onesComplementSum(addresses), checksum);
  }
  const [service, identification, hopLimit] = [
    view.getUint8(at + 1),
    view.getUint16(at + 4),
    view.getUint8(at + 8),
  ];
  const extension = isFragment ? 8 : 0;
  const start = transport.at - extension - 40;
  view.setUint32(start, 0x6000_0000 | (service << 20));
  view.setUint16(start + 4, totalLength - headerLength + extension);
  view.setUint8(start + 6, isFragment ? FRAGMENT_HEADER : protocol);
  view.setUint8(start + 7, hopLimit);
  writeOctets(view, start + 8, addresses);
  if (isFragment) {
    view.setUint16(start + 40, protocol << 8);
    view.setUint16(start + 42, ((fragment & FRAGMENT_OFFSET) << 3) | (fragment & MORE_FRAGMENTS ? 1 : 0));
    view.setUint32(start + 44, identification);
  }
  return { at: start, length: length - headerLength + 40 + extension };
}

/** `addresses`: 4 octets of source, 4 of destination. `identification`: of a packet that may be fragmented on its way. */
export function toIpv4(
  view: DataView,
  { at, length }: PacketSpan,
  addresses: Uint8Array,
  checksum: TransportChecksum,
  identification: number,
): PacketSpan | undefined {
  const headers = length < 40 ? undefined : readHeaders(view, at, length);
  if (headers === undefined) return undefined;
  const { protocol, transportAt, fragment } = headers;
  const transport = { at: transportAt, length: at + length - transportAt };
  const totalLength = view.getUint16(at + 4) - (transportAt - at - 40) + 20;
  if (totalLength < 20 || totalLength > 0xffff) return undefined;
  const offset = fragment === undefined ? 0 : fragment.offset;
  if (offset === 0) {
    const before = onesComplementSumAt(view, at + 8, 32);
    // RFC 8200 §8.1: a receiver discards it.
    const hasNone = protocol === ipProtocol.udp && hasNoChecksum(view, transport) && checksum === 'complete';
    if (hasNone) return undefined;
    updateChecksum(view, transport, protocol, before, onesComplementSum(addresses), checksum);
  }
  const mayBeCut = fragment !== undefined || totalLength <= 1260;
  const [service, timeToLive] = [(view.getUint16(at) >> 4) & 255, view.getUint8(at + 7)];
  const start = transportAt - 20;
  view.setUint16(start, 0x4500 | service);
  view.setUint16(start + 2, totalLength);
  view.setUint16(start + 4, fragment?.identification ?? (mayBeCut ? identification : 0));
  view.setUint16(
    start + 6,
    (mayBeCut ? 0 : DONT_FRAGMENT) | (fragment?.isLast === false ? MORE_FRAGMENTS : 0) | offset,
  );
  view.setUint8(start + 8, timeToLive);
  view.setUint8(start + 9, protocol);
  view.setUint16(start + 10, 0);
  writeOctets(view, start + 12, addresses);
  view.setUint16(start + 10, checksumOf(onesComplementSumAt(view, start, 20)));
  return { at: start, length: at + length - start };
}

/** An IPv6 packet that came from one that the network may fragment, in pieces that every link carries (RFC 7915 §4, RFC 8200 §4.5). */
export function fragmentsOf(packet: Uint8Array, identification: number): Uint8Array[] {
  if (packet.length <= MINIMUM_LINK_MTU) return [packet];
  const whole = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const isFragment = whole.getUint8(6) === FRAGMENT_HEADER;
  const [firstOffset, isLast] = isFragment
    ? [whole.getUint16(42) & 0xfff8, (whole.getUint8(43) & 1) === 0]
    : [0, true];
  const content = packet.subarray(isFragment ? 48 : 40);
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < content.length; from += FRAGMENT_OCTETS) {
    const piece = new Uint8Array(48 + Math.min(FRAGMENT_OCTETS, content.length - from));
    const view = new DataView(piece.buffer);
    piece.set(packet.subarray(0, 40));
    piece.set(content.subarray(from, from + FRAGMENT_OCTETS), 48);
    view.setUint16(4, piece.length - 40);
    view.setUint8(6, FRAGMENT_HEADER);
    view.setUint8(40, isFragment ? whole.getUint8(40) : whole.getUint8(6));
    const hasMore = !isLast || from + FRAGMENT_OCTETS < content.length;
    view.setUint16(42, (firstOffset + from) | (hasMore ? 1 : 0));
    view.setUint32(44, isFragment ? whole.getUint32(44) : identification);
    pieces.push(piece);
  }
  return pieces;
}

interface Ipv6Headers {
  readonly protocol: number;
  readonly transportAt: number;
  /** `offset` in units of 8 octets. */
  readonly fragment:
    | { readonly offset: number; readonly isLast: boolean; readonly identification: number }
    | undefined;
}

/** RFC 7915 §5.1: extension headers are passed over; a Routing header that is not at its end cannot be translated. */
function readHeaders(view: DataView, at: number, length: number): Ipv6Headers | undefined {
  let [next, transportAt] = [view.getUint8(at + 6), at + 40];
  let fragment: Ipv6Headers['fragment'];
  while (
    next === HOP_BY_HOP ||
    next === ROUTING ||
    next === DESTINATION_OPTIONS ||
    next === FRAGMENT_HEADER
  ) {
    if (transportAt + 8 > at + length) return undefined;
    if (next === ROUTING && view.getUint8(transportAt + 3) !== 0) return undefined;
    let headerLength = 8;
    if (next === FRAGMENT_HEADER) {
      const field = view.getUint16(transportAt + 2);
      const identification = view.getUint32(transportAt + 4) & 0xffff;
      fragment = { offset: field >> 3, isLast: (field & 1) === 0, identification };
    } else headerLength += 8 * view.getUint8(transportAt + 1);
    next = view.getUint8(transportAt);
    transportAt += headerLength;
    if (fragment !== undefined && fragment.offset > 0) break;
  }
  if (transportAt > at + length) return undefined;
  return isTransport(next) ? { protocol: next, transportAt, fragment } : undefined;
}

function isTransport(protocol: number): boolean {
  return protocol === ipProtocol.udp || protocol === ipProtocol.tcp;
}

function checksumAt({ at }: PacketSpan, protocol: number): number {
  return at + (protocol === ipProtocol.udp ? 6 : 16);
}

function hasNoChecksum(view: DataView, transport: PacketSpan): boolean {
  return transport.length >= 8 && view.getUint16(checksumAt(transport, ipProtocol.udp)) === 0;
}

/** By the difference between the pseudo-headers, which is that between the addresses (RFC 1624). */
function updateChecksum(
  view: DataView,
  transport: PacketSpan,
  protocol: number,
  before: number,
  after: number,
  checksum: TransportChecksum,
): void {
  const at = checksumAt(transport, protocol);
  if (at + 2 > transport.at + transport.length) return;
  const present = view.getUint16(at);
  const isUdp = protocol === ipProtocol.udp;
  if (isUdp && present === 0 && checksum !== 'partial') return;
  const difference = (~before & 0xffff) + after;
  // checksumOf is the complement of a sum; a partial one is not complemented.
  if (checksum === 'partial') view.setUint16(at, ~checksumOf(present + difference) & 0xffff);
  else {
    const updated = checksumOf((~present & 0xffff) + difference);
    view.setUint16(at, isUdp && updated === 0 ? 0xffff : updated);
  }
}

function sumUdp(view: DataView, { at, length }: PacketSpan, addresses: Uint8Array): void {
  const sum = onesComplementSumAt(view, at, length) + onesComplementSum(addresses) + length + ipProtocol.udp;
  view.setUint16(at + 6, checksumOf(sum) || 0xffff);
}

function writeOctets(view: DataView, at: number, octets: Uint8Array): void {
  for (let index = 0; index < octets.length; index++) view.setUint8(at + index, octets[index] ?? 0);
}

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT_HEADER = 44;
const DESTINATION_OPTIONS = 60;
/** RFC 8200 §5. */
const MINIMUM_LINK_MTU = 1280;
/** Behind both headers, in units of 8 octets. */
const FRAGMENT_OCTETS = (MINIMUM_LINK_MTU - 48) & ~7;
