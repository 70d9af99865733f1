/**
 * The virtual twin of the kernel's address translator: the same operations (TranslationTable) on real IPv4 and IPv6 packets. It also
 * translates the ICMP errors of both (RFC 792, RFC 4443; RFC 5508 §4 for the header inside), which nftables cannot, and packets from one
 * version of IP to the other. Leaves out what the kernel's rules do beside translating: segment size, fragments.
 */
import { familyOf, parseIpAddress } from '../base/ip-address.ts';
import { isMalformed } from '../base/malformed.ts';
import { checksumOf, onesComplementSum } from '../protocols/ip/internet-checksum.ts';
import { IpPacket, ipProtocol, type Side } from '../protocols/ip/ip-packet.ts';
import { type TransportChecksum, toIpv4, toIpv6, versionHeadroom } from '../protocols/ip/version-change.ts';
import { type IcmpErrorHeader, toIcmpv4Error, toIcmpv6Error } from '../protocols/ip/version-change-icmp.ts';
import type { Mark, Rewrite, TranslationOperation } from './translation-operation.ts';
import { type SelectedVersion, TranslationTable } from './translation-table.ts';

export interface TranslatedPacket {
  readonly octets: Uint8Array;
  readonly mark: Mark;
}

/** One direction of a flow as a packet shows it. */
interface Flow {
  readonly family: 4 | 6;
  readonly protocol: 'udp' | 'tcp';
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

export class PacketTranslator {
  readonly #table: TranslationTable;

  /** A table of its own unless it is to follow another engine's. */
  constructor(table: TranslationTable = new TranslationTable()) {
    this.#table = table;
  }

  apply(operations: readonly TranslationOperation[]): void {
    this.#table.apply(operations);
  }

  /** A translated copy; undefined when the packet belongs to no flow. */
  translate(octets: Uint8Array): TranslatedPacket | undefined {
    const packet = IpPacket.read(octets.slice());
    const flow = isMalformed(packet) ? undefined : flowOf(packet);
    const version = flow && this.#find(flow);
    if (isMalformed(packet) || flow === undefined || version === undefined) return undefined;
    const translated = written(packet, rewritten(flow, version.rewrite), 'complete');
    return translated && { octets: translated, mark: version.mark };
  }

  /**
   * The error as the sender of the packet in question must see it, with that packet as it was sent; undefined when the packet was not
   * translated here or would not be translated so any more (an error about the path before a handover is not news). The error comes
   * from the translator whoever found it, so that nobody learns of addresses behind it.
   */
  translateIcmpError(octets: Uint8Array): TranslatedPacket | undefined {
    const error = IpPacket.read(octets.slice());
    if (isMalformed(error) || !isIcmpError(error)) return undefined;
    const quoted = IpPacket.read(error.octets.subarray(error.transportOffset + ICMP_HEADER));
    const sent = isMalformed(quoted) ? undefined : flowOf(quoted);
    if (isMalformed(quoted) || sent === undefined) return undefined;
    // What was translated one way is found again by translating an answer to it the other way.
    const answer = this.#find(reversed(sent));
    if (answer === undefined) return undefined;
    const original = reversed(rewritten(reversed(sent), answer.rewrite));
    const present = this.#find(original);
    if (present === undefined || !isSame(rewritten(original, present.rewrite), sent)) return undefined;
    const translated =
      familyOf(original.source) === error.family ? error : inOtherVersion(error, quoted, original);
    if (translated === undefined) return undefined;
    if (translated === error) write(quoted, original);
    translated.setAddress('source', octetsOf(original.destination));
    translated.setAddress('destination', octetsOf(original.source));
    translated.sumIcmp();
    return { octets: translated.octets, mark: answer.mark };
  }

  #find(flow: Flow): SelectedVersion | undefined {
    const { family, protocol, source, destination } = flow;
    const findBy = (portOf: Side): SelectedVersion | undefined => {
      const port = portOf === 'source' ? flow.sourcePort : flow.destinationPort;
      return this.#table.find({ family, protocol, source, destination, port, portOf });
    };
    return findBy('destination') ?? findBy('source');
  }
}

function flowOf(packet: IpPacket): Flow | undefined {
  if (!packet.hasPorts) return undefined;
  return {
    family: packet.family,
    protocol: packet.protocol === ipProtocol.udp ? 'udp' : 'tcp',
    source: packet.source,
    sourcePort: packet.port('source'),
    destination: packet.destination,
    destinationPort: packet.port('destination'),
  };
}

function rewritten(flow: Flow, rewrite: Rewrite): Flow {
  return { ...flow, ...rewrite, family: familyOf(rewrite.destination ?? flow.destination) };
}

function reversed(flow: Flow): Flow {
  return {
    ...flow,
    source: flow.destination,
    sourcePort: flow.destinationPort,
    destination: flow.source,
    destinationPort: flow.sourcePort,
  };
}

function isSame(a: Flow, b: Flow): boolean {
  return (
    a.source === b.source &&
    a.sourcePort === b.sourcePort &&
    a.destination === b.destination &&
    a.destinationPort === b.destinationPort
  );
}

function write(packet: IpPacket, flow: Flow): void {
  packet.setAddress('source', octetsOf(flow.source));
  packet.setAddress('destination', octetsOf(flow.destination));
  packet.setPort('source', flow.sourcePort);
  packet.setPort('destination', flow.destinationPort);
}

/** The packet with the fields of the flow, in the memory that it had or, in the other version of IP, in memory of its own. */
function written(packet: IpPacket, flow: Flow, checksum: TransportChecksum): Uint8Array | undefined {
  if (flow.family === packet.family) {
    write(packet, flow);
    return packet.octets;
  }
  packet.setPort('source', flow.sourcePort);
  packet.setPort('destination', flow.destinationPort);
  const octets = new Uint8Array(versionHeadroom + packet.octets.length);
  octets.set(packet.octets, versionHeadroom);
  const view = new DataView(octets.buffer);
  const span = { at: versionHeadroom, length: packet.octets.length };
  const addresses = Uint8Array.of(...octetsOf(flow.source), ...octetsOf(flow.destination));
  const changed =
    flow.family === 6 ? toIpv6(view, span, addresses, checksum) : toIpv4(view, span, addresses, checksum, 0);
  return changed && octets.subarray(changed.at, changed.at + changed.length);
}

/** The error as IPv4 or IPv6 has it (RFC 7915 §4.2, §5.2), about that packet as it was sent; its addresses and checksum are still to be set. */
function inOtherVersion(error: IpPacket, quoted: IpPacket, original: Flow): IpPacket | undefined {
  const isToIpv6 = original.family === 6;
  const header = icmpHeaderOf(error);
  const translated = isToIpv6 ? toIcmpv6Error(header) : toIcmpv4Error(header);
  const quotation = translated && written(quoted, original, 'quoted');
  if (translated === undefined || quotation === undefined) return undefined;
  const ipLength = isToIpv6 ? 40 : 20;
  const room = (isToIpv6 ? LONGEST_ICMPV6_ERROR : LONGEST_ICMP_ERROR) - ipLength - ICMP_HEADER;
  const quotedOctets = quotation.subarray(0, room);
  const octets = new Uint8Array(ipLength + ICMP_HEADER + quotedOctets.length);
  const view = new DataView(octets.buffer);
  if (isToIpv6) {
    view.setUint32(0, 0x6000_0000);
    view.setUint16(4, octets.length - ipLength);
    octets.set([ipProtocol.icmpv6, HOP_LIMIT], 6);
  } else {
    octets.set([0x45, 0], 0);
    view.setUint16(2, octets.length);
    octets.set([HOP_LIMIT, ipProtocol.icmp], 8);
    view.setUint16(10, checksumOf(onesComplementSum(octets.subarray(0, 20))));
  }
  octets.set([translated.type, translated.code], ipLength);
  view.setUint32(ipLength + 4, translated.rest);
  octets.set(quotedOctets, ipLength + ICMP_HEADER);
  const packet = IpPacket.read(octets);
  return isMalformed(packet) ? undefined : packet;
}

function icmpHeaderOf({ transport }: IpPacket): IcmpErrorHeader {
  const view = new DataView(transport.buffer, transport.byteOffset, transport.byteLength);
  return { type: view.getUint8(0), code: view.getUint8(1), rest: view.getUint32(4) };
}

function isIcmpError(packet: IpPacket): boolean {
  const type = packet.transport[0] ?? 0;
  if (packet.family === 4)
    return packet.protocol === ipProtocol.icmp && (type === 3 || type === 11 || type === 12);
  return packet.protocol === ipProtocol.icmpv6 && type >= 1 && type <= 4;
}

function octetsOf(address: string): Uint8Array {
  return parseIpAddress(address) ?? new Uint8Array(4);
}

/** RFC 1812 §4.3.2.3; RFC 4443 §2.4 (c). */
const LONGEST_ICMP_ERROR = 576;
const LONGEST_ICMPV6_ERROR = 1280;
const HOP_LIMIT = 64;
/** Type, code, checksum and four octets that depend on the type precede the quoted packet. */
const ICMP_HEADER = 8;
