/**
 * Routing of a correspondent that keeps bindings (MIP–SIP §3, route optimisation): what this host sends to the home address of a bound
 * mobile node takes the tunnel to it, and its usual route again as soon as the binding is gone. Only what bears, or is about to get, the
 * address that the mobile nodes know goes there: they accept nothing else from this tunnel, and this host is no router of theirs.
 *
 *   ip rule 1340: from ADDRESS, or from no address yet, lookup 6073          table 6073: HOME dev TUN src ADDRESS (the tunnel's, one per binding)
 */
import type { RoutingRule } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';

/** After that of home-address-routing.ts. */
export const correspondentTable = 6073;
const correspondentRulePriority = 1340;

export class CorrespondentRouting {
  readonly #rtnetlink = new Rtnetlink();
  readonly #rules: readonly RoutingRule[];

  /** Takes away what a predecessor that crashed has left; its routes went with its device. */
  constructor(address: string) {
    this.#rules = [address, '0.0.0.0'].map((from) => ({
      family: 4,
      priority: correspondentRulePriority,
      table: correspondentTable,
      from: `${from}/32`,
    }));
    this.#takeAway();
    for (const rule of this.#rules) this.#rtnetlink.addRule(rule);
  }

  close(): void {
    this.#takeAway();
    this.#rtnetlink.close();
  }

  #takeAway(): void {
    for (const rule of this.#rtnetlink.rules())
      if (rule.table === correspondentTable) this.#rtnetlink.deleteRule(rule);
  }
}
