/** Sends IP packets as they are and shows what comes out of a link, octet by octet: for tests of what translation does to a packet. */
import { parseIpAddress } from '../../src/base/ip-address.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import type { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  closeDescriptor,
  openSocket,
  receive,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  send,
} from '../../src/drivers/linux/system-calls.ts';
import { checksumOf, onesComplementSum } from '../../src/protocols/ip/internet-checksum.ts';
import { IpPacket } from '../../src/protocols/ip/ip-packet.ts';
import { addresses } from './translator-network.ts';
import { patienceMs } from './until.ts';

const THREE_G_LINK = 22;
/** The discard service (RFC 863). */
const MARKER_PORT = 9;
const AF_PACKET = 17;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const IPPROTO_RAW = 255;

export class PacketProbe {
  readonly #senders: Readonly<Record<4 | 6, number>>;
  readonly #taps: readonly number[];
  readonly #buffer = new Uint8Array(65536);
  readonly #markerLink: number | undefined;
  #markers = 0;

  /** `links` are the interface indexes to watch in `to`. */
  constructor(from: NetworkNamespace, to: NetworkNamespace, links: readonly number[]) {
    this.#markerLink = links[0];
    this.#senders = from.run(() => ({
      4: openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW),
      6: openSocket(AF_INET6, SOCK_RAW, IPPROTO_RAW),
    }));
    this.#taps = to.run(() =>
      links.flatMap((index) => [tap(index, ETHERTYPE_IPV4), tap(index, ETHERTYPE_IPV6)]),
    );
  }

  /**
   * Sends one packet and gives what came out. As a rule the whole path is walked within the sending, but a busy kernel puts some of it
   * off: a packet that is only forwarded is sent after it and waited for, and so are as many as must come out (the two may have been
   * put off on different processors).
   */
  pass(octets: Uint8Array, atLeast = 1): Uint8Array[] {
    const marker = this.#marker();
    this.#send(octets);
    this.#send(marker.octets);
    const seen: Uint8Array[] = [];
    const deadline = performance.now() + patienceMs;
    let isMarkerOut = false;
    while ((!isMarkerOut || seen.length < atLeast) && performance.now() < deadline) {
      for (const fd of this.#taps) {
        const length = receive(fd, this.#buffer);
        if (length === undefined) continue;
        const packet = this.#buffer.slice(0, length);
        if (marker.isIn(packet)) isMarkerOut = true;
        else if (isTransport(packet)) seen.push(packet);
      }
    }
    return seen;
  }

  #send(octets: Uint8Array): void {
    const packet = IpPacket.read(octets);
    if (isMalformed(packet)) throw new Error(packet.toString());
    send(this.#senders[packet.family], octets, socketAddress({ address: packet.destination, port: 0 }));
  }

  #marker(): { octets: Uint8Array; isIn: (packet: Uint8Array) => boolean } {
    const number = String(this.#markers++);
    const { correspondent: source, threeG, wlan } = addresses[4];
    const ports = { sourcePort: MARKER_PORT, destinationPort: MARKER_PORT };
    const payload = new TextEncoder().encode(`marker ${number}`);
    const destination = this.#markerLink === THREE_G_LINK ? threeG : wlan;
    return {
      octets: buildPacket({ protocol: 'udp', source, destination, payload, ...ports }),
      isIn: (packet) => new TextDecoder().decode(packet.subarray(28)) === `marker ${number}`,
    };
  }

  close(): void {
    for (const fd of [this.#senders[4], this.#senders[6], ...this.#taps]) closeDescriptor(fd);
  }
}

/** Not what the kernel sends of its own accord, such as multicast listener reports. */
function isTransport(octets: Uint8Array): boolean {
  const packet = IpPacket.read(octets);
  return !isMalformed(packet) && packet.hasPorts;
}

function tap(index: number, etherType: number): number {
  const protocol = ((etherType & 255) << 8) | (etherType >> 8);
  const fd = openSocket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, protocol);
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, etherType);
  view.setInt32(4, index, true);
  bindSocket(fd, address);
  return fd;
}

export interface PacketFields {
  readonly protocol: 'udp' | 'tcp';
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  /** IPv4 with the flag "don't fragment"; not set by default. */
  readonly dontFragment?: boolean;
  /** UDP without a checksum. */
  readonly withoutChecksum?: boolean;
  /** TCP: flags and options of the header. */
  readonly tcpFlags?: number;
  readonly tcpOptions?: Uint8Array;
}

/** A whole packet with its checksums. */
export function buildPacket(fields: PacketFields): Uint8Array {
  const source = parseIpAddress(fields.source) ?? new Uint8Array(4);
  const destination = parseIpAddress(fields.destination) ?? new Uint8Array(4);
  const transport = fields.protocol === 'udp' ? udpHeader(fields) : tcpHeader(fields);
  const protocol = fields.protocol === 'udp' ? 17 : 6;
  const checksumAt = fields.protocol === 'udp' ? 6 : 16;
  if (!fields.withoutChecksum) {
    const pseudo = onesComplementSum(destination, onesComplementSum(source)) + transport.length + protocol;
    new DataView(transport.buffer).setUint16(
      checksumAt,
      checksumOf(onesComplementSum(transport, pseudo)) || 0xffff,
    );
  }
  const header =
    source.length === 4
      ? ipv4Header(fields, protocol, transport.length)
      : ipv6Header(protocol, transport.length);
  header.set(source, source.length === 4 ? 12 : 8);
  header.set(destination, source.length === 4 ? 16 : 24);
  if (source.length === 4) new DataView(header.buffer).setUint16(10, checksumOf(onesComplementSum(header)));
  return Uint8Array.of(...header, ...transport);
}

/** Whether IP and transport checksums are right. */
export function hasRightChecksums(octets: Uint8Array): boolean {
  const packet = IpPacket.read(octets);
  if (isMalformed(packet)) return false;
  const hasNone = packet.protocol === 17 && packet.transport[6] === 0 && packet.transport[7] === 0;
  if (hasNone) return packet.family === 4;
  const isIpv4 = packet.family === 4;
  if (isIpv4 && onesComplementSum(octets.subarray(0, packet.transportOffset)) !== 0xffff) return false;
  const addresses = isIpv4 ? octets.subarray(12, 20) : octets.subarray(8, 40);
  const pseudo = onesComplementSum(addresses) + packet.transport.length + (packet.protocol ?? 0);
  return checksumOf(onesComplementSum(packet.transport, pseudo)) === 0;
}

function udpHeader({ sourcePort, destinationPort, payload }: PacketFields): Uint8Array {
  const octets = new Uint8Array(8 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, octets.length);
  octets.set(payload, 8);
  return octets;
}

function tcpHeader(fields: PacketFields): Uint8Array {
  const options = fields.tcpOptions ?? new Uint8Array();
  const octets = new Uint8Array(20 + options.length + fields.payload.length);
  const view = new DataView(octets.buffer);
  view.setUint16(0, fields.sourcePort);
  view.setUint16(2, fields.destinationPort);
  view.setUint8(12, (5 + options.length / 4) << 4);
  view.setUint8(13, fields.tcpFlags ?? 0x10);
  octets.set(options, 20);
  octets.set(fields.payload, 20 + options.length);
  return octets;
}

function ipv4Header({ dontFragment }: PacketFields, protocol: number, length: number): Uint8Array {
  const octets = new Uint8Array(20);
  const view = new DataView(octets.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, 20 + length);
  view.setUint16(4, 1);
  view.setUint16(6, dontFragment ? 0x4000 : 0);
  view.setUint8(8, 64);
  view.setUint8(9, protocol);
  return octets;
}

function ipv6Header(protocol: number, length: number): Uint8Array {
  const octets = new Uint8Array(40);
  const view = new DataView(octets.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, length);
  view.setUint8(6, protocol);
  view.setUint8(7, 64);
  return octets;
}
