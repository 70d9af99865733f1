/**
 * Routing of a mobile node with several accesses (TRIM §3.3: "configures the lower layers to use the new interface"): every access has a
 * routing table of its own, chosen by the source address or by the upper eight bits of the packet mark, which the node's address translator
 * sets. The internal address lives on the loopback interface; what applications send from it finds a route even while there is no access,
 * so that they never see an error, and leaves by the access that its mark names. Towards the media of sessions, programs that choose no
 * source address get the internal one; other ports of the same peer are other programs' business.
 *
 *   ip rule 1000+n: fwmark n<<24/0xff000000 lookup 5944+n      ip rule 1200+n: from ADDRESS lookup 5944+n
 *   ip rule 1300:   to PEER ipproto P dport Q lookup 5944      ip rule 1400:   from INTERNAL lookup 5944
 *   table 5944:     default dev lo
 */
import { familyOf } from '../../base/ip-address.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type { Route, RoutingRule } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';

/** Tables 5944 … 6071, after the RFC of Mobile IPv4: numbers that nobody else is likely to use. */
const firstTable = 5944;
const lastTable = firstTable + 127;
const markRulePriority = 1000;
const addressRulePriority = 1200;
const peerRulePriority = 1300;
const internalRulePriority = 1400;
/** What a packet can hold on every access: applications learn their segment size from the route to nowhere. */
const internalMtu = 1500;

export interface RoutedAccess {
  /** 1 … 127 */
  readonly index: number;
  readonly interface: string;
  readonly address: string;
  /** Absent: the default route of the interface in the main table, or peers on the link itself. */
  readonly gateway: string | undefined;
}

/** Where applications send the media of a session. */
export interface SessionPeer {
  readonly address: string;
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
}

export class AccessRouting {
  readonly #rtnetlink = new Rtnetlink();
  readonly #internalAddress: string;

  /** Takes away what a predecessor that crashed has left, then installs the internal address. */
  constructor(internalAddress: string) {
    this.#internalAddress = internalAddress;
    this.#takeAway();
    this.#rtnetlink.addAddress('lo', `${internalAddress}/${hostBits(internalAddress)}`);
    this.#rtnetlink.changeLink('lo', { up: true });
    const family = familyOf(internalAddress);
    this.#rtnetlink.replaceRoute({
      destination: defaultDestination(family),
      link: 'lo',
      table: firstTable,
      source: internalAddress,
      mtu: internalMtu,
    });
    this.#addRule({ family, priority: internalRulePriority, table: firstTable, from: internalAddress });
  }

  attach(access: RoutedAccess): void {
    this.detach(access.index);
    const family = familyOf(access.address);
    const table = firstTable + access.index;
    const gateway = access.gateway ?? this.#defaultGateway(access.interface, family);
    this.#rtnetlink.replaceRoute({
      destination: defaultDestination(family),
      link: access.interface,
      table,
      source: access.address,
      ...(gateway !== undefined && { gateway }),
    });
    this.#addRule({ family, priority: addressRulePriority + access.index, table, from: access.address });
    const mark = access.index * 2 ** 24;
    this.#rtnetlink.addRule({
      family,
      priority: markRulePriority + access.index,
      table,
      mark,
      mask: 0xff00_0000,
    });
  }

  detach(index: number): void {
    this.#removeTable((table) => table === firstTable + index);
  }

  addPeer(peer: SessionPeer): void {
    this.#rtnetlink.addRule(peerRule(peer));
  }

  removePeer(peer: SessionPeer): void {
    this.#rtnetlink.deleteRule(peerRule(peer));
  }

  close(): void {
    this.#takeAway();
    this.#rtnetlink.close();
  }

  #takeAway(): void {
    this.#removeTable((table) => table >= firstTable && table <= lastTable);
    const address = `${this.#internalAddress}/${hostBits(this.#internalAddress)}`;
    const loopback = this.#rtnetlink.linkIndex('lo');
    const isThere = this.#rtnetlink
      .addresses()
      .some((present) => present.linkIndex === loopback && present.address === address);
    if (isThere) this.#rtnetlink.deleteAddress('lo', address);
  }

  /** Rules first: a packet must not meet an empty table. Routes of a link that went away went with it. */
  #removeTable(isOurs: (table: number) => boolean): void {
    for (const rule of this.#rtnetlink.rules()) if (isOurs(rule.table)) this.#rtnetlink.deleteRule(rule);
    for (const route of this.#rtnetlink.routes()) {
      if (route.table !== undefined && isOurs(route.table))
        ignoreGone(() => this.#rtnetlink.deleteRoute(route));
    }
  }

  #addRule(rule: Omit<RoutingRule, 'from'> & { readonly from: string }): void {
    this.#rtnetlink.addRule({ ...rule, from: `${rule.from}/${hostBits(rule.from)}` });
  }

  #defaultGateway(link: string, family: 4 | 6): string | undefined {
    return this.#rtnetlink
      .routes()
      .find((route: Route) => route.link === link && route.destination === defaultDestination(family))
      ?.gateway;
  }
}

function peerRule({ address, protocol, port }: SessionPeer): RoutingRule {
  return {
    family: familyOf(address),
    priority: peerRulePriority,
    table: firstTable,
    to: `${address}/${hostBits(address)}`,
    protocol: protocol === 'tcp' ? 6 : 17,
    destinationPort: port,
  };
}

function ignoreGone(change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof TrimaranError && /ESRCH|ENOENT|ENODEV/.test(`${error.code} ${error.message}`)))
      throw error;
  }
}

function hostBits(address: string): number {
  return familyOf(address) === 6 ? 128 : 32;
}

function defaultDestination(family: 4 | 6): string {
  return family === 6 ? '::/0' : '0.0.0.0/0';
}
