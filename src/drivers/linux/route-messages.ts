/**
 * The rtnetlink families as data (RFC 3549 §3.1; linux/rtnetlink.h): reads what the kernel lists or announces about links,
 * addresses, routes, rules and neighbours. Attributes nobody asked for are left out.
 */
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { type NetlinkMessage, readAttributes } from './netlink-message.ts';

export const routeMessage = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  deleteNeighbour: 29,
  getNeighbour: 30,
  newRule: 32,
  deleteRule: 33,
  getRule: 34,
  newQueueingDiscipline: 36,
  getQueueingDiscipline: 38,
} as const;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly macAddress: string;
  readonly mtu: number;
  /** Switched on by the administrator. */
  readonly isUp: boolean;
  /** The line carries, the other end is on too, and the kernel sends: right after a carrier came back it drops for a moment more. */
  readonly hasCarrier: boolean;
}

/** Of one queueing discipline. */
export interface QueueStatistics {
  readonly packets: number;
  readonly octets: number;
  readonly drops: number;
}

export interface LinkAddress {
  readonly linkIndex: number;
  /** "192.0.2.1/24" */
  readonly address: string;
  /** Usable: duplicate address detection (RFC 4862 §5.4) is over, or was not asked for. */
  readonly isReady: boolean;
}

export interface Route {
  /** "0.0.0.0/0" and "::/0" are the default routes. */
  readonly destination: string;
  readonly gateway?: string;
  readonly link?: string;
  /** The source address that sockets without one get. */
  readonly source?: string;
  /** 254 (main) when absent. */
  readonly table?: number;
  readonly metric?: number;
  /** Octets of IP packet; written, not read back. */
  readonly mtu?: number;
}

export interface RoutingRule {
  readonly family: 4 | 6;
  /** The lower is looked at first. */
  readonly priority: number;
  readonly table: number;
  readonly mark?: number;
  /** Which bits of the packet mark count; all when absent. */
  readonly mask?: number;
  /** Source and destination prefix: "10.64.0.1/32" */
  readonly from?: string;
  readonly to?: string;
  /** IP protocol number. */
  readonly protocol?: number;
  readonly destinationPort?: number;
  /** Routes of the table with a prefix of this length or less do not count; 0 leaves out the default route. */
  readonly suppressPrefixLength?: number;
}

export interface Neighbour {
  readonly link: string;
  readonly address: string;
  readonly macAddress: string;
}

export interface ProxyNeighbour {
  readonly link: string;
  readonly address: string;
  /** 1 … 255, as in the protocol of routes. */
  readonly owner: number;
}

export function readLink({ payload }: NetlinkMessage): Link {
  const flags = viewOf(payload).getUint32(8, true);
  const attributes = readAttributes(payload.subarray(16));
  return {
    index: viewOf(payload).getInt32(4, true),
    name: textOf(attributes.get(3)),
    macAddress: formatMacAddress(attributes.get(1) ?? new Uint8Array()),
    mtu: numberOf(attributes.get(4)),
    isUp: (flags & 0x1) !== 0,
    hasCarrier: (flags & IFF_RUNNING) !== 0,
  };
}

export function readLinkAddress({ payload }: NetlinkMessage): LinkAddress {
  const attributes = readAttributes(payload.subarray(8));
  const flags = attributes.has(8) ? numberOf(attributes.get(8)) : (payload[2] ?? 0);
  const tentativeOrFailed = 0x40 | 0x08;
  return {
    linkIndex: viewOf(payload).getUint32(4, true),
    // IFA_LOCAL is the own end of a point-to-point link; IPv6 has IFA_ADDRESS only.
    address: `${addressOf(attributes.get(2) ?? attributes.get(1))}/${payload[1]}`,
    isReady: (flags & tentativeOrFailed) === 0,
  };
}

/** The type octet of struct rtmsg and the table are kept, so that snapshots can tell local from forwarded destinations. */
export function readRoute({
  payload,
}: NetlinkMessage): Route & { readonly type: number; readonly linkIndex: number } {
  const attributes = readAttributes(payload.subarray(12));
  const unspecified = payload[0] === 2 ? '0.0.0.0' : '::';
  const gateway = attributes.get(5);
  const source = attributes.get(7);
  return {
    destination: `${attributes.has(1) ? addressOf(attributes.get(1)) : unspecified}/${payload[1]}`,
    ...(gateway && { gateway: addressOf(gateway) }),
    ...(source && { source: addressOf(source) }),
    table: attributes.has(15) ? numberOf(attributes.get(15)) : (payload[4] ?? 0),
    ...(attributes.has(6) && { metric: numberOf(attributes.get(6)) }),
    type: payload[7] ?? 0,
    linkIndex: numberOf(attributes.get(4)),
  };
}

export function readRule({ payload }: NetlinkMessage): RoutingRule {
  const attributes = readAttributes(payload.subarray(12));
  const ports = attributes.get(24);
  const suppressed = numberOf(attributes.get(14));
  return {
    family: payload[0] === 2 ? 4 : 6,
    priority: numberOf(attributes.get(6)),
    table: attributes.has(15) ? numberOf(attributes.get(15)) : (payload[4] ?? 0),
    ...(attributes.has(10) && { mark: numberOf(attributes.get(10)), mask: numberOf(attributes.get(16)) }),
    ...(attributes.has(2) && { from: `${addressOf(attributes.get(2))}/${payload[2]}` }),
    ...(attributes.has(1) && { to: `${addressOf(attributes.get(1))}/${payload[1]}` }),
    ...(attributes.has(22) && { protocol: attributes.get(22)?.[0] ?? 0 }),
    ...(ports && { destinationPort: viewOf(ports).getUint16(0, true) }),
    ...(attributes.has(14) && suppressed !== 0xffff_ffff && { suppressPrefixLength: suppressed }),
  };
}

/** "192.0.2.0/24" as octets and prefix length; a bare address has all bits. */
export function parsePrefix(text: string): { readonly octets: Uint8Array; readonly prefixLength: number } {
  const [address = '', length] = text.split('/');
  const octets = parseIpAddress(address);
  const prefixLength = length === undefined ? (octets?.length ?? 0) * 8 : Number(length);
  if (octets === undefined || !(prefixLength >= 0 && prefixLength <= octets.length * 8))
    throw new TrimaranError('NOT_AN_ADDRESS', `"${text}" is not an IP address with a prefix length`);
  return { octets, prefixLength };
}

export function parseMacAddress(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

export function formatMacAddress(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/** RFC 2863's operational state; IFF_LOWER_UP comes earlier, before the kernel sends again (linkwatch). */
const IFF_RUNNING = 0x40;

function addressOf(octets: Uint8Array | undefined): string {
  return octets === undefined ? '' : formatIpAddress(octets);
}

function numberOf(octets: Uint8Array | undefined): number {
  return octets === undefined ? 0 : viewOf(octets).getUint32(0, true);
}

function textOf(octets: Uint8Array | undefined): string {
  return octets === undefined ? '' : new TextDecoder().decode(octets.subarray(0, -1));
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}

/** struct tcmsg with attributes; inside TCA_STATS2 are struct gnet_stats_basic and struct gnet_stats_queue (linux/gen_stats.h). */
export function readQueueStatistics(payload: Uint8Array = new Uint8Array(20)): QueueStatistics {
  const statistics = readAttributes(readAttributes(payload.subarray(20)).get(TCA_STATS2) ?? new Uint8Array());
  const view = (type: number): DataView => {
    const octets = statistics.get(type) ?? new Uint8Array(20);
    return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  };
  const [basic, queue] = [view(TCA_STATS_BASIC), view(TCA_STATS_QUEUE)];
  return {
    packets: basic.getUint32(8, true),
    octets: Number(basic.getBigUint64(0, true)),
    drops: queue.getUint32(8, true),
  };
}

const TCA_STATS2 = 7;
const TCA_STATS_BASIC = 1;
const TCA_STATS_QUEUE = 3;
