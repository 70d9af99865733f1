/**
 * Routing of a host that is reached at a home address through a tunnel (MIP–SIP §3): what ordinary programs send, which bind no address,
 * takes the home address and the tunnel, whatever default routes the accesses have brought. Networks that the host is on are reached
 * directly, as before. The tunnel's own datagrams, SIP and the media of sessions go by the rules of access-routing.ts, which come first,
 * and so does the rule here for media that the node's address translator has given the home address.
 *
 *   ip rule 1128: fwmark 128<<24/0xff000000 lookup 6072
 *   ip rule 1350: from HOME lookup 6072         a connection that has the home address keeps it, also towards a network that the host comes upon
 *   ip rule 1500: lookup main suppress_prefixlength 0          ip rule 1501: lookup 6072          table 6072: default dev TUN src HOME
 *
 * The home address is on the loopback interface, so that sockets keep it while there is no binding.
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import { homeAddressIndex } from '../../translation/local-binding-table.ts';
import type { RoutingRule } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';

/** After those of access-routing.ts: tables and rules there are numbered by the access's index. */
const homeTable = 5944 + homeAddressIndex;
const markRulePriority = 1000 + homeAddressIndex;
const mainTable = 254;
const homeRulePriority = 1350;
const directRulePriority = 1500;
const tunnelRulePriority = 1501;

export class HomeAddressRouting {
  readonly #rtnetlink = new Rtnetlink();
  readonly #address: string;

  /** Takes away what a predecessor that crashed has left. The device must be there. */
  constructor(homeAddress: string, device: string) {
    this.#address = `${homeAddress}/32`;
    this.#takeAway();
    this.#rtnetlink.addAddress('lo', this.#address);
    this.#rtnetlink.changeLink('lo', { up: true });
    this.#rtnetlink.replaceRoute({
      destination: '0.0.0.0/0',
      link: device,
      table: homeTable,
      source: homeAddress,
    });
    for (const rule of this.#rules) this.#rtnetlink.addRule(rule);
  }

  close(): void {
    this.#takeAway();
    this.#rtnetlink.close();
  }

  get #rules(): readonly RoutingRule[] {
    const mark = homeAddressIndex * 2 ** 24;
    return [
      { family: 4, priority: markRulePriority, table: homeTable, mark, mask: 0xff00_0000 },
      { family: 4, priority: homeRulePriority, table: homeTable, from: this.#address },
      { family: 4, priority: directRulePriority, table: mainTable, suppressPrefixLength: 0 },
      { family: 4, priority: tunnelRulePriority, table: homeTable },
    ];
  }

  /** The route goes with its device. */
  #takeAway(): void {
    for (const rule of this.#rtnetlink.rules()) {
      const isDirect = rule.priority === directRulePriority && rule.suppressPrefixLength === 0;
      if (rule.table === homeTable || isDirect) this.#rtnetlink.deleteRule(rule);
    }
    for (const route of this.#rtnetlink.routes()) if (route.table === homeTable) this.#deleteRoute(route);
    const loopback = this.#rtnetlink.linkIndex('lo');
    const isThere = this.#rtnetlink
      .addresses()
      .some(({ linkIndex, address }) => linkIndex === loopback && address === this.#address);
    if (isThere) this.#rtnetlink.deleteAddress('lo', this.#address);
  }

  #deleteRoute(route: Parameters<Rtnetlink['deleteRoute']>[0]): void {
    try {
      this.#rtnetlink.deleteRoute(route);
    } catch (error) {
      // With its device, in between.
      if (!(error instanceof TrimaranError && error.code === 'ESRCH')) throw error;
    }
  }
}
