/**
 * Builds a topology (TRIM fig. 7) from network namespaces, veth pairs and link emulators, without any program of the system. All of it
 * is held by descriptors of this process, so it is gone when the process ends, however it ends; the host's own networking is not
 * touched. Addresses are resolved beforehand: the first packet of a flow must not wait for ARP over a slow link.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { NetworkNamespace } from '../drivers/linux/network-namespace.ts';
import { Rtnetlink } from '../drivers/linux/rtnetlink.ts';
import { hasIpFamily, writeSysctl } from '../drivers/linux/sysctl.ts';
import { AccessLink, accessLinkEnds } from './access-link.ts';
import type { LinkShaping } from './link-shaping.ts';
import { addMasquerade } from './masquerade.ts';
import type { LinkDescription, LinkEnd, NodeDescription, TopologyDescription } from './topology.ts';

interface Place {
  readonly namespace: NetworkNamespace;
  readonly rtnetlink: Rtnetlink;
}

export interface KernelTopologyOptions {
  /** Of losses and jitter, where the emulator draws them. */
  readonly seed: number;
  /** Who shapes the access link of that name; the emulator when absent. */
  readonly shaperOf?: (link: string) => LinkShaping['by'];
}

export class KernelTopology {
  readonly #nodes = new Map<string, Place>();
  readonly #links = new Map<string, AccessLink>();
  readonly #options: KernelTopologyOptions;
  /** Interface indexes and MAC addresses count through the whole topology (see VethEnd.index). */
  #nextIndex = 10;

  /** Built when it returns. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN in its user namespace: throws EPERM without. */
  constructor(description: TopologyDescription, options: KernelTopologyOptions) {
    this.#options = options;
    for (const node of description.nodes) this.#nodes.set(node.name, this.#createPlace(node));
    for (const link of description.links) this.#createLink(link);
    for (const node of description.nodes) {
      const { rtnetlink } = this.#place(node.name);
      for (const address of node.loopbackAddresses ?? []) rtnetlink.addAddress('lo', address);
      for (const route of node.routes ?? []) rtnetlink.replaceRoute(route);
      this.namespaceOf(node.name).run(() => guardRouter(node));
    }
  }

  namespaceOf(node: string): NetworkNamespace {
    return this.#place(node).namespace;
  }

  /** Changes a node's links, addresses, routes or rules while the lab runs. */
  configure(node: string, change: (rtnetlink: Rtnetlink) => void): void {
    change(this.#place(node).rtnetlink);
  }

  /** The shaped link of that name. */
  link(name: string): AccessLink {
    const link = this.#links.get(name);
    assert.ok(link !== undefined, `the topology has no access link "${name}"`);
    return link;
  }

  /** Starts a program on a node. It does not outlive the lab's process namespace. */
  spawn(node: string, command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.namespaceOf(node).run(() => spawn(command, args, options));
  }

  /** Stops the emulators and gives the namespaces up; programs that still run in one keep it. */
  async close(): Promise<void> {
    for (const link of this.#links.values()) await link.close();
    for (const { namespace, rtnetlink } of this.#nodes.values()) {
      rtnetlink.close();
      namespace.close();
    }
  }

  #place(node: string): Place {
    const place = this.#nodes.get(node);
    assert.ok(place !== undefined, `the topology has no node "${node}"`);
    return place;
  }

  #createPlace({ isRouter }: Pick<NodeDescription, 'isRouter'>): Place {
    const namespace = NetworkNamespace.create();
    const rtnetlink = namespace.run(() => {
      // To switch forwarding resets others, so it comes first.
      writeSysctl({ name: 'ipv4/ip_forward', value: isRouter ? '1' : '0' });
      for (const name of switchedOff) writeSysctl({ name, value: '0' });
      if (hasIpFamily(6)) for (const name of ipv6Switches) writeSysctl({ name, value: '1' });
      return new Rtnetlink();
    });
    rtnetlink.changeLink('lo', { up: true });
    return { namespace, rtnetlink };
  }

  #createLink(link: LinkDescription): void {
    const [a, b] = link.ends;
    if (link.profile === undefined) {
      const [first, second] = [this.#vethEnd(a), this.#vethEnd(b)];
      this.#place(a.node).rtnetlink.createVethPair(first, second);
      this.#introduce(link, first.macAddress, second.macAddress);
      return;
    }
    const { namespace, rtnetlink } = this.#createPlace({});
    const macAddresses = accessLinkEnds.map((name, index) => {
      const far = this.#vethEnd(index === 0 ? a : b);
      rtnetlink.createVethPair(this.#vethEnd({ interface: name }), far);
      rtnetlink.changeLink(name, { up: true });
      return far.macAddress;
    });
    this.#introduce(link, macAddresses[0] ?? '', macAddresses[1] ?? '');
    const { name, profile } = link;
    const accessLink = new AccessLink({
      name,
      namespace,
      rtnetlink,
      profile,
      shaper: this.#options.shaperOf?.(name) ?? 'emulator',
      seed: this.#options.seed + this.#links.size,
    });
    this.#links.set(name, accessLink);
  }

  #vethEnd(end: { readonly interface: string; readonly node?: string }) {
    const index = this.#nextIndex++;
    const macAddress = `02:00:00:00:00:${index.toString(16).padStart(2, '0')}`;
    const namespaceFd = end.node === undefined ? undefined : this.namespaceOf(end.node).fd;
    return { name: end.interface, index, macAddress, ...(namespaceFd !== undefined && { namespaceFd }) };
  }

  /** Switches both ends on, gives them their addresses, and tells each the other's. */
  #introduce({ ends: [a, b], profile }: LinkDescription, macOfA: string, macOfB: string): void {
    // A line of limited rate carries packets, not the 64 KiB pieces that offload would hand it.
    const isSlow = profile?.uplink.rateBitsPerSecond !== undefined;
    for (const end of [a, b]) {
      const { rtnetlink } = this.#place(end.node);
      rtnetlink.changeLink(end.interface, { up: true, ...(isSlow && { gsoMaxSegments: 1 }) });
      for (const address of end.addresses) rtnetlink.addAddress(end.interface, address);
    }
    this.#introduceOne(a, b, macOfB);
    this.#introduceOne(b, a, macOfA);
  }

  #introduceOne(to: LinkEnd, other: LinkEnd, macAddress: string): void {
    for (const address of other.addresses)
      this.#place(to.node).rtnetlink.replaceNeighbour({
        link: to.interface,
        address: address.split('/')[0] ?? '',
        macAddress,
      });
  }
}

/** Strict reverse path filtering (RFC 3704 §2.2) is the kernel's own; address translation is a rule of nftables. */
function guardRouter({ strictSourceOn, natOn }: NodeDescription): void {
  if (strictSourceOn !== undefined)
    writeSysctl({ name: `ipv4/conf/${strictSourceOn}/rp_filter`, value: '1' });
  if (natOn !== undefined) addMasquerade(natOn);
}

/** Redirects that nobody asked for, and the rule that answers take the way the packet came. */
const switchedOff: readonly string[] = ['all', 'default'].flatMap((link) =>
  ['rp_filter', 'send_redirects', 'accept_redirects'].map((name) => `ipv4/conf/${link}/${name}`),
);
/** The lab speaks IPv4: no router solicitations or duplicate detection among the packets that are counted. */
const ipv6Switches: readonly string[] = ['all', 'default'].map((link) => `ipv6/conf/${link}/disable_ipv6`);
