/**
 * The virtual twin of the kernel's address translator: the same operations (TranslationTable) on real IPv4 and IPv6 packets. It also
 * translates the ICMP errors of both (RFC 792, RFC 4443; RFC 5508 §4 for the header inside), which nftables cannot. Leaves out what
 * the kernel's rules do beside translating: segment size, fragments.
 */
import { parseIpAddress } from '../base/ip-address.ts';
import { isMalformed } from '../base/malformed.ts';
import { IpPacket, ipProtocol, type Side } from '../protocols/ip/ip-packet.ts';
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
    write(packet, rewritten(flow, version.rewrite));
    return { octets: packet.octets, mark: version.mark };
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
    write(quoted, original);
    error.setAddress('source', octetsOf(original.destination));
    error.setAddress('destination', octetsOf(original.source));
    error.sumIcmp();
    return { octets: error.octets, mark: answer.mark };
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
  return { ...flow, ...rewrite };
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

function isIcmpError(packet: IpPacket): boolean {
  const type = packet.transport[0] ?? 0;
  if (packet.family === 4)
    return packet.protocol === ipProtocol.icmp && (type === 3 || type === 11 || type === 12);
  return packet.protocol === ipProtocol.icmpv6 && type >= 1 && type <= 4;
}

function octetsOf(address: string): Uint8Array {
  return parseIpAddress(address) ?? new Uint8Array(4);
}

/** Type, code, checksum and four octets that depend on the type precede the quoted packet. */
const ICMP_HEADER = 8;
