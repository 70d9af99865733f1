/**
 * Builds a topology (TRIM fig. 7) from network namespaces, veth pairs and link emulators, without any program of the system. All of it
 * is held by descriptors of this process, so it is gone when the process ends, however it ends; the host's own networking is not
 * touched. Addresses are resolved beforehand: the first packet of a flow must not wait for ARP over a slow link.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { TrimaranError } from '../base/trimaran-error.ts';
import { NetworkNamespace } from '../drivers/linux/network-namespace.ts';
import { Rtnetlink } from '../drivers/linux/rtnetlink.ts';
import { forwarding, hasIpFamily, type Sysctl, writeSysctl } from '../drivers/linux/sysctl.ts';
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
    for (const node of description.nodes) {
      const speaksIpv6 = ipv6AddressesOf(node, description).length > 0;
      this.#nodes.set(node.name, this.#createPlace(node, speaksIpv6));
    }
    for (const link of description.links) this.#createLink(link);
    for (const node of description.nodes) {
      const { rtnetlink } = this.#place(node.name);
      for (const address of node.loopbackAddresses ?? []) rtnetlink.addAddress('lo', address);
      for (const route of node.routes ?? []) rtnetlink.replaceRoute(route);
      this.namespaceOf(node.name).run(() => guardRouter(node));
    }
    for (const node of description.nodes)
      untilTheirOwn(this.#place(node.name).rtnetlink, ipv6AddressesOf(node, description));
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

  #createPlace({ isRouter }: Pick<NodeDescription, 'isRouter'>, speaksIpv6: boolean): Place {
    const namespace = NetworkNamespace.create();
    const rtnetlink = namespace.run(() => {
      // To switch forwarding resets others, so it comes first.
      writeSysctl({ name: 'ipv4/ip_forward', value: isRouter ? '1' : '0' });
      for (const name of switchedOff) writeSysctl({ name, value: '0' });
      if (speaksIpv6 && isRouter) writeSysctl(forwarding[6]);
      if (hasIpFamily(6)) for (const setting of ipv6Settings(speaksIpv6)) writeSysctl(setting);
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
    const { namespace, rtnetlink } = this.#createPlace({}, false);
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
/** Nobody solicits routers or looks for duplicates among the packets that are counted, nor has addresses that the topology does not name. */
function ipv6Settings(speaksIpv6: boolean): Sysctl[] {
  const settings: Readonly<Record<string, string>> = speaksIpv6
    ? { addr_gen_mode: '1', accept_ra: '0', router_solicitations: '0', accept_redirects: '0' }
    : { disable_ipv6: '1' };
  return ['all', 'default'].flatMap((link) =>
    Object.entries(settings).map(([name, value]) => ({ name: `ipv6/conf/${link}/${name}`, value })),
  );
}

/** On the loopback interface and on links; without prefix length. */
function ipv6AddressesOf(
  { name, loopbackAddresses = [] }: NodeDescription,
  { links }: TopologyDescription,
): string[] {
  const ends = links.flatMap((link) => link.ends).filter(({ node }) => node === name);
  return [...loopbackAddresses, ...ends.flatMap(({ addresses }) => addresses)]
    .filter((address) => address.includes(':'))
    .map((address) => address.split('/')[0] ?? '');
}

/** The kernel makes IPv6 addresses its own a moment after it was told of them (net/ipv6/addrconf.c, in a work queue). Throws LAB_TIMEOUT. */
function untilTheirOwn(rtnetlink: Rtnetlink, addresses: readonly string[]): void {
  if (addresses.length === 0) return;
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs++) {
    const own = new Set(
      rtnetlink.routes().flatMap(({ table, destination }) => (table === localTable ? destination : [])),
    );
    if (addresses.every((address) => own.has(`${address}/128`))) return;
    Atomics.wait(sleep, 0, 0, 1);
  }
  throw new TrimaranError('LAB_TIMEOUT', `the kernel does not take ${addresses.join(', ')} for its own`);
}

const localTable = 255;
const patienceMs = 10_000;
