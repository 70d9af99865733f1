/** The policy of a scenario as the mobile node has it: an order that is written down, or the utility of the MIP–SIP paper (equations 1–7). */
import type { AccessSelector } from '../mobile-node/access-selection/access-selector.ts';
import { PreferenceOrder } from '../mobile-node/access-selection/preference-order.ts';
import { UtilitySelector } from '../mobile-node/access-selection/utility-selector.ts';
import type { LabAccess } from './lab-topology.ts';
import type { ScenarioPolicy } from './scenario.ts';

export function selectorOf(policy: ScenarioPolicy, accesses: readonly LabAccess[]): AccessSelector {
  if (policy.kind === 'preference') return new PreferenceOrder(policy.order);
  const { historyWindow, jitterWeight, options } = policy;
  return new UtilitySelector({
    load: { historyWindow, jitterWeight },
    policy: options,
    accesses: accesses.map(({ name, profile: { coverage, power, cost } }) => ({
      name,
      coverage,
      power,
      cost,
    })),
  });
}
