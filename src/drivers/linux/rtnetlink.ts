/**
 * Links, addresses, routes, rules and neighbours of one network namespace, through rtnetlink (RFC 3549 §3.1): what `ip` does, without
 * the program. Requests are synchronous and in force when they return; a refusal is thrown with the kernel's errno as its code.
 */
import type { LinkCharacteristics } from '../../access-network/link-characteristics.ts';
import { formatIpAddress, ipFamilyOf } from '../../base/ip-address.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { netemOptions } from './netem.ts';
import { type NetlinkMessage, NetlinkWriter, readAttributes } from './netlink-message.ts';
import { NETLINK_ROUTE, NetlinkSocket, netlinkFlag } from './netlink-socket.ts';
import {
  type Link,
  type LinkAddress,
  type Neighbour,
  type ProxyNeighbour,
  parseMacAddress,
  parsePrefix,
  type QueueStatistics,
  type Route,
  type RoutingRule,
  readLink,
  readLinkAddress,
  readQueueStatistics,
  readRoute,
  readRule,
  routeMessage,
} from './route-messages.ts';
import { AF_INET, AF_INET6 } from './system-calls.ts';

/** One end of a veth pair. */
export interface VethEnd {
  readonly name: string;
  /**
   * Choose different indexes for ends in different namespaces: the kernel takes ends of equal index for no pair, and then tells a
   * lost carrier up to a second late (linkwatch).
   */
  readonly index: number;
  readonly macAddress?: string;
  /** Descriptor of the namespace that the end goes to; the socket's own when absent. */
  readonly namespaceFd?: number;
}

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly macAddress?: string;
  /** Packets that may wait for a TUN device's reader. */
  readonly queueLength?: number;
  /** 1 makes the kernel cut TCP into packets before this link, as on a line without segmentation offload. */
  readonly gsoMaxSegments?: number;
}

export class Rtnetlink {
  readonly #socket: NetlinkSocket;
  readonly #writer = new NetlinkWriter();

  /** Opens the conversation in the calling thread's network namespace; it stays there. */
  constructor() {
    this.#socket = new NetlinkSocket(NETLINK_ROUTE);
  }

  createVethPair(a: VethEnd, b: VethEnd): void {
    const peer = new NetlinkWriter();
    peer.beginMessage(0, 0, 0, linkHeader(b.index));
    writeVethEnd(peer, b);
    const { create, exclusive } = netlinkFlag;
    this.#change(
      routeMessage.newLink,
      create | exclusive,
      linkHeader(a.index),
      `create veth ${a.name}`,
      (writer) => {
        writeVethEnd(writer, a);
        writer.nest(IFLA_LINKINFO, () => {
          writer.text(IFLA_INFO_KIND, 'veth');
          writer.nest(IFLA_INFO_DATA, () => {
            // VETH_INFO_PEER holds a struct ifinfomsg with attributes: a message without its netlink header.
            writer.attribute(VETH_INFO_PEER, peer.octets().subarray(NETLINK_HEADER_OCTETS));
          });
        });
      },
    );
  }

  /** A switch between links, which keep their own queues; it sends nothing of its own, and is up when this returns. */
  createBridge(name: string, ports: readonly string[]): void {
    const { create, exclusive } = netlinkFlag;
    this.#change(
      routeMessage.newLink,
      create | exclusive,
      linkHeader(),
      `create bridge ${name}`,
      (writer) => {
        writer.text(IFLA_IFNAME, name);
        writer.nest(IFLA_LINKINFO, () => {
          writer.text(IFLA_INFO_KIND, 'bridge');
          // It would send multicast of its own.
          writer.nest(IFLA_INFO_DATA, () => writer.uint8(IFLA_BR_MCAST_SNOOPING, 0));
        });
      },
    );
    this.changeLink(name, { up: true });
    const bridge = this.linkIndex(name);
    for (const port of ports)
      this.#change(
        routeMessage.newLink,
        0,
        linkHeader(this.linkIndex(port)),
        `port ${port} of ${name}`,
        (writer) => writer.uint32(IFLA_MASTER, bridge),
      );
  }

  /** netem at the link's way out: new, or in place with what waits in it. Throws ENOENT when the kernel has none. */
  replaceNetem(link: string, characteristics: LinkCharacteristics): void {
    const { create, replace } = netlinkFlag;
    const header = queueHeader(this.linkIndex(link));
    this.#change(
      routeMessage.newQueueingDiscipline,
      create | replace,
      header,
      `netem on ${link}`,
      (writer) => {
        writer.text(TCA_KIND, 'netem');
        writer.attribute(TCA_OPTIONS, netemOptions(characteristics));
      },
    );
  }

  /** What has left the link's queue, in packets and octets of frame, and what was dropped instead. */
  queueStatistics(link: string): QueueStatistics {
    const index = this.linkIndex(link);
    const found = this.#dump(routeMessage.getQueueingDiscipline, queueHeader(index)).find(
      ({ payload }) => new DataView(payload.buffer, payload.byteOffset).getInt32(4, true) === index,
    );
    return readQueueStatistics(found?.payload);
  }

  changeLink(name: string, change: LinkChange): void {
    const header = linkHeader(this.linkIndex(name), change.up);
    this.#change(routeMessage.newLink, 0, header, `change link ${name}`, (writer) => {
      if (change.mtu !== undefined) writer.uint32(IFLA_MTU, change.mtu);
      if (change.macAddress !== undefined) writer.attribute(IFLA_ADDRESS, parseMacAddress(change.macAddress));
      if (change.queueLength !== undefined) writer.uint32(IFLA_TXQLEN, change.queueLength);
      if (change.gsoMaxSegments !== undefined) writer.uint32(IFLA_GSO_MAX_SEGS, change.gsoMaxSegments);
    });
  }

  deleteLink(name: string): void {
    this.#change(routeMessage.deleteLink, 0, linkHeader(this.linkIndex(name)), `delete link ${name}`);
  }

  /** `address` with prefix length: "192.0.2.1/24". IPv6 addresses skip duplicate address detection and are usable at once. */
  addAddress(link: string, address: string): void {
    const { create, exclusive } = netlinkFlag;
    this.#changeAddress(routeMessage.newAddress, create | exclusive, link, address);
  }

  deleteAddress(link: string, address: string): void {
    this.#changeAddress(routeMessage.deleteAddress, 0, link, address);
  }

  /** Adds the route, or replaces the one with the same destination, table and metric in one step. */
  replaceRoute(route: Route): void {
    this.#changeRoute(routeMessage.newRoute, netlinkFlag.create | netlinkFlag.replace, route);
  }

  deleteRoute(route: Route): void {
    this.#changeRoute(routeMessage.deleteRoute, 0, route);
  }

  addRule(rule: RoutingRule): void {
    this.#changeRule(routeMessage.newRule, netlinkFlag.create | netlinkFlag.exclusive, rule);
  }

  deleteRule(rule: RoutingRule): void {
    this.#changeRule(routeMessage.deleteRule, 0, rule);
  }

  /** A permanent entry: packets to that address need no address resolution. */
  replaceNeighbour({ link, address, macAddress }: Neighbour): void {
    const header = new DataView(new ArrayBuffer(12));
    header.setUint8(0, familyNumber(address));
    header.setInt32(4, this.linkIndex(link), true);
    header.setUint16(8, NUD_PERMANENT, true);
    const flags = netlinkFlag.create | netlinkFlag.replace;
    this.#change(routeMessage.newNeighbour, flags, octetsOf(header), `neighbour ${address}`, (writer) => {
      writer.attribute(NDA_DST, parsePrefix(address).octets);
      writer.attribute(NDA_LLADDR, parseMacAddress(macAddress));
    });
  }

  /** Answers ARP for an address that is another's; `owner` marks it as ours. */
  replaceProxyNeighbour(neighbour: ProxyNeighbour): void {
    const { create, replace } = netlinkFlag;
    this.#changeProxyNeighbour(routeMessage.newNeighbour, create | replace, neighbour);
  }

  deleteProxyNeighbour(neighbour: ProxyNeighbour): void {
    this.#changeProxyNeighbour(routeMessage.deleteNeighbour, 0, neighbour);
  }

  /** IPv4's, on all links. */
  proxyNeighbours(): ProxyNeighbour[] {
    const names = new Map(this.links().map(({ index, name }) => [index, name]));
    const header = proxyNeighbourHeader(0);
    return this.#dump(routeMessage.getNeighbour, header).map(({ payload }) => {
      const attributes = readAttributes(payload.subarray(12));
      const index = new DataView(payload.buffer, payload.byteOffset).getInt32(4, true);
      return {
        link: names.get(index) ?? '',
        address: formatIpAddress(attributes.get(NDA_DST) ?? new Uint8Array(4)),
        owner: attributes.get(NDA_PROTOCOL)?.[0] ?? 0,
      };
    });
  }

  links(): Link[] {
    return this.#dump(routeMessage.getLink, linkHeader()).map(readLink);
  }

  addresses(): LinkAddress[] {
    return this.#dump(routeMessage.getAddress, new Uint8Array(8)).map(readLinkAddress);
  }

  /** Every table of both families; `link` is filled in. */
  routes(): (Route & { readonly type: number })[] {
    const names = new Map(this.links().map(({ index, name }) => [index, name]));
    return this.#dump(routeMessage.getRoute, new Uint8Array(12)).map((message) => {
      const { linkIndex, ...route } = readRoute(message);
      const link = names.get(linkIndex);
      return link === undefined ? route : { ...route, link };
    });
  }

  rules(): RoutingRule[] {
    return this.#dump(routeMessage.getRule, new Uint8Array(12)).map(readRule);
  }

  /** Throws ENODEV when there is no such link. */
  linkIndex(name: string): number {
    const link = this.links().find((candidate) => candidate.name === name);
    if (link === undefined) throw new TrimaranError('ENODEV', `there is no network interface "${name}"`);
    return link.index;
  }

  close(): void {
    this.#socket.close();
  }

  #changeProxyNeighbour(type: number, flags: number, { link, address, owner }: ProxyNeighbour): void {
    const header = proxyNeighbourHeader(this.linkIndex(link));
    this.#change(type, flags, header, `proxy ARP for ${address}`, (writer) => {
      writer.attribute(NDA_DST, parsePrefix(address).octets);
      writer.attribute(NDA_PROTOCOL, Uint8Array.of(owner));
    });
  }

  #changeAddress(type: number, flags: number, link: string, address: string): void {
    const { octets, prefixLength } = parsePrefix(address);
    const header = new DataView(new ArrayBuffer(8));
    header.setUint8(0, familyNumber(address));
    header.setUint8(1, prefixLength);
    header.setUint8(2, octets.length === 16 ? IFA_F_NODAD : 0);
    header.setUint32(4, this.linkIndex(link), true);
    this.#change(type, flags, octetsOf(header), `address ${address} on ${link}`, (writer) => {
      writer.attribute(IFA_LOCAL, octets);
      writer.attribute(IFA_ADDRESS, octets);
    });
  }

  #changeRoute(type: number, flags: number, route: Route): void {
    const { octets, prefixLength } = parsePrefix(route.destination);
    const isDeletion = type === routeMessage.deleteRoute;
    const scope = route.gateway === undefined && octets.length === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    // Scope "nowhere" and no protocol or type make a deletion match whichever the route has.
    const [protocol, scopeOrAny, routeType] = isDeletion
      ? [0, RT_SCOPE_NOWHERE, 0]
      : [RTPROT_STATIC, scope, RTN_UNICAST];
    const header = Uint8Array.of(
      ...[familyNumber(route.destination), prefixLength, 0, 0, 0, protocol, scopeOrAny, routeType],
      ...[0, 0, 0, 0],
    );
    this.#change(type, flags, header, `route ${route.destination}`, (writer) => {
      if (prefixLength > 0) writer.attribute(RTA_DST, octets);
      if (route.gateway !== undefined) writer.attribute(RTA_GATEWAY, parsePrefix(route.gateway).octets);
      if (route.link !== undefined) writer.uint32(RTA_OIF, this.linkIndex(route.link));
      if (route.source !== undefined) writer.attribute(RTA_PREFSRC, parsePrefix(route.source).octets);
      if (route.metric !== undefined) writer.uint32(RTA_PRIORITY, route.metric);
      writer.uint32(RTA_TABLE, route.table ?? RT_TABLE_MAIN);
      if (route.mtu !== undefined) writer.attribute(RTA_METRICS, routeMetric(RTAX_MTU, route.mtu));
    });
  }

  #changeRule(type: number, flags: number, rule: RoutingRule): void {
    const from = rule.from === undefined ? undefined : parsePrefix(rule.from);
    const to = rule.to === undefined ? undefined : parsePrefix(rule.to);
    const family = rule.family === 4 ? AF_INET : AF_INET6;
    const header = new Uint8Array(12);
    header.set([family, to?.prefixLength ?? 0, from?.prefixLength ?? 0, 0, 0, 0, 0, FR_ACT_TO_TBL]);
    this.#change(type, flags, header, `rule ${rule.priority}`, (writer) => {
      writer.uint32(FRA_PRIORITY, rule.priority);
      writer.uint32(FRA_TABLE, rule.table);
      if (to !== undefined) writer.attribute(FRA_DST, to.octets);
      if (from !== undefined) writer.attribute(FRA_SRC, from.octets);
      if (rule.mark !== undefined) writer.uint32(FRA_FWMARK, rule.mark);
      if (rule.mask !== undefined) writer.uint32(FRA_FWMASK, rule.mask);
      if (rule.protocol !== undefined) writer.uint8(FRA_IP_PROTO, rule.protocol);
      if (rule.destinationPort !== undefined)
        writer.attribute(FRA_DPORT_RANGE, portRange(rule.destinationPort));
      if (rule.suppressPrefixLength !== undefined)
        writer.uint32(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
    });
  }

  #change(
    type: number,
    flags: number,
    header: Uint8Array,
    what: string,
    write: (writer: NetlinkWriter) => void = () => {},
  ): void {
    // `write` may itself list links through this conversation, so the message gets a writer of its own.
    const writer = new NetlinkWriter(512);
    const attributes = new NetlinkWriter(512);
    attributes.beginMessage(0, 0, 0, header);
    write(attributes);
    const { request, ack } = netlinkFlag;
    writer.beginMessage(
      type,
      request | ack | flags,
      this.#socket.nextSequence(),
      attributes.octets().subarray(NETLINK_HEADER_OCTETS),
    );
    writer.endMessage();
    this.#socket.request(writer, what);
  }

  #dump(type: number, header: Uint8Array): NetlinkMessage[] {
    this.#writer.clear();
    const { request, dump } = netlinkFlag;
    this.#writer.beginMessage(type, request | dump, this.#socket.nextSequence(), header);
    this.#writer.endMessage();
    return this.#socket.dump(this.#writer, 'list');
  }
}

const NETLINK_HEADER_OCTETS = 16;
const IFF_UP = 1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_NET_NS_FD = 28;
const IFLA_BR_MCAST_SNOOPING = 23;
const IFLA_GSO_MAX_SEGS = 40;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TC_H_ROOT = 0xffff_ffff;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_IP_PROTO = 22;
const FRA_DPORT_RANGE = 24;
const FR_ACT_TO_TBL = 1;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_PROTOCOL = 12;
const NTF_PROXY = 0x08;
const NUD_PERMANENT = 0x80;

/** struct ifinfomsg; `up` absent leaves the administrative state as it is. */
function linkHeader(index = 0, up?: boolean): Uint8Array {
  const header = new DataView(new ArrayBuffer(16));
  header.setInt32(4, index, true);
  header.setUint32(8, up === true ? IFF_UP : 0, true);
  header.setUint32(12, up === undefined ? 0 : IFF_UP, true);
  return octetsOf(header);
}

/** struct tcmsg: what is at the root of the link, as number 1:0. */
function queueHeader(linkIndex: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(20));
  header.setInt32(4, linkIndex, true);
  header.setUint32(8, 0x10000, true);
  header.setUint32(12, TC_H_ROOT, true);
  return octetsOf(header);
}

/** struct ndmsg. */
function proxyNeighbourHeader(linkIndex: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(12));
  header.setUint8(0, AF_INET);
  header.setInt32(4, linkIndex, true);
  header.setUint8(10, NTF_PROXY);
  return octetsOf(header);
}

function writeVethEnd(writer: NetlinkWriter, end: VethEnd): void {
  writer.text(IFLA_IFNAME, end.name);
  if (end.macAddress !== undefined) writer.attribute(IFLA_ADDRESS, parseMacAddress(end.macAddress));
  if (end.namespaceFd !== undefined) writer.uint32(IFLA_NET_NS_FD, end.namespaceFd);
}

/** Of an address with or without prefix length. */
function familyNumber(address: string): number {
  return ipFamilyOf(address.split('/')[0] ?? '') === 6 ? AF_INET6 : AF_INET;
}

function octetsOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
const RTA_METRICS = 8;
const RTAX_MTU = 2;

/** One attribute inside RTA_METRICS. */
function routeMetric(type: number, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint16(0, 8, true);
  view.setUint16(2, type, true);
  view.setUint32(4, value, true);
  return octetsOf(view);
}

/** struct fib_rule_port_range, first and last in the host's order. */
function portRange(port: number): Uint8Array {
  return new Uint8Array(Uint16Array.of(port, port).buffer);
}
