/**
 * IPv4 (RFC 791) and IPv6 (RFC 8200) packets with UDP, TCP or ICMP in them, as a view of their octets: what an address translator
 * reads and changes. A change keeps every checksum right that covers it. IPv6 extension headers before the transport header are passed
 * over; fragments other than the first have no transport header here. Leaves out options, reassembly and building packets.
 */
import { formatIpAddress } from '../../base/ip-address.ts';
import { Malformed } from '../../base/malformed.ts';
import { checksumOf, onesComplementSum, updatedChecksum } from './internet-checksum.ts';

export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

/** Which of the two addresses, or of the two ports. */
export type Side = 'source' | 'destination';

export class IpPacket {
  readonly octets: Uint8Array;
  readonly family: 4 | 6;
  /** The protocol of the transport header; undefined where that is in another fragment. */
  readonly protocol: number | undefined;
  readonly transportOffset: number;
  readonly #view: DataView;

  private constructor(
    octets: Uint8Array,
    family: 4 | 6,
    protocol: number | undefined,
    transportOffset: number,
  ) {
    this.octets = octets;
    this.family = family;
    this.protocol = protocol;
    this.transportOffset = transportOffset;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  /** The packet is a view: it changes `octets`. What ICMP quotes may be cut off anywhere behind the IP header. */
  static read(octets: Uint8Array): IpPacket | Malformed {
    const version = (octets[0] ?? 0) >> 4;
    if (version === 4) return readIpv4(octets);
    if (version === 6) return readIpv6(octets);
    return new Malformed('Version', 0, 'RFC 791 §3.1, RFC 8200 §3: 4 or 6');

    function readIpv4(packet: Uint8Array): IpPacket | Malformed {
      const headerLength = 4 * ((packet[0] ?? 0) & 15);
      if (headerLength < 20 || packet.length < headerLength)
        return new Malformed('IHL', 0, 'RFC 791 §3.1: a whole header of at least 20 octets');
      const fragmentOffset = (((packet[6] ?? 0) & 0x1f) << 8) | (packet[7] ?? 0);
      return new IpPacket(packet, 4, fragmentOffset === 0 ? packet[9] : undefined, headerLength);
    }

    function readIpv6(packet: Uint8Array): IpPacket | Malformed {
      if (packet.length < 40) return new Malformed('Version', 0, 'RFC 8200 §3: a header of 40 octets');
      let [next, at] = [packet[6] ?? 0, 40];
      while (next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS || next === FRAGMENT) {
        if (at + 8 > packet.length)
          return new Malformed('Next Header', at, 'RFC 8200 §4: a whole extension header');
        const isLaterFragment =
          next === FRAGMENT && ((packet[at + 2] ?? 0) << 8) + ((packet[at + 3] ?? 0) & 0xf8) > 0;
        if (isLaterFragment) return new IpPacket(packet, 6, undefined, at + 8);
        const length = next === FRAGMENT ? 8 : 8 * (1 + (packet[at + 1] ?? 0));
        next = packet[at] ?? 0;
        at += length;
      }
      return new IpPacket(packet, 6, next, at);
    }
  }

  get source(): string {
    return formatIpAddress(this.#address('source'));
  }

  get destination(): string {
    return formatIpAddress(this.#address('destination'));
  }

  /** Whether both ports are there: UDP or TCP, and not cut off before them. */
  get hasPorts(): boolean {
    const isTransport = this.protocol === ipProtocol.udp || this.protocol === ipProtocol.tcp;
    return isTransport && this.transportOffset + 4 <= this.octets.length;
  }

  port(side: Side): number {
    return this.#view.getUint16(this.#portOffset(side));
  }

  /** What follows the transport header's start. */
  get transport(): Uint8Array {
    return this.octets.subarray(this.transportOffset);
  }

  setAddress(side: Side, address: Uint8Array): void {
    const field = this.#address(side);
    if (this.family === 4) this.#update(IPV4_CHECKSUM, field, address);
    this.#updateTransport(field, address);
    field.set(address);
  }

  setPort(side: Side, port: number): void {
    const at = this.#portOffset(side);
    const after = Uint8Array.of(port >> 8, port & 255);
    this.#updateTransport(this.octets.subarray(at, at + 2), after);
    this.octets.set(after, at);
  }

  /** Sums the ICMP message anew; in IPv6 the pseudo-header counts too (RFC 4443 §2.3). */
  sumIcmp(): void {
    const at = this.transportOffset + 2;
    this.#view.setUint16(at, 0);
    let sum = onesComplementSum(this.transport);
    if (this.family === 6) {
      sum = onesComplementSum(this.octets.subarray(8, 40), sum);
      sum += this.transport.length + ipProtocol.icmpv6;
    }
    this.#view.setUint16(at, checksumOf(sum));
  }

  #address(side: Side): Uint8Array {
    const length = this.family === 4 ? 4 : 16;
    const first = this.family === 4 ? 12 : 8;
    const at = side === 'source' ? first : first + length;
    return this.octets.subarray(at, at + length);
  }

  #portOffset(side: Side): number {
    return this.transportOffset + (side === 'source' ? 0 : 2);
  }

  #updateTransport(before: Uint8Array, after: Uint8Array): void {
    const at = this.transportOffset + (this.protocol === ipProtocol.udp ? 6 : 16);
    if (!this.hasPorts || at + 2 > this.octets.length) return;
    if (this.protocol === ipProtocol.tcp) this.#update(at, before, after);
    // Zero means that the sender gave none, so a sum of zero is sent as its other form (RFC 768).
    else if (this.#view.getUint16(at) !== 0) {
      this.#update(at, before, after);
      if (this.#view.getUint16(at) === 0) this.#view.setUint16(at, 0xffff);
    }
  }

  #update(checksumOffset: number, before: Uint8Array, after: Uint8Array): void {
    const checksum = this.#view.getUint16(checksumOffset);
    this.#view.setUint16(checksumOffset, updatedChecksum(checksum, before, after));
  }
}

const IPV4_CHECKSUM = 10;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
