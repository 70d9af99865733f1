/**
 * The policy of the MIP–SIP paper (section 3) as it is asked by the mobile node: one Relative Network Load per access (equations 1–5), from
 * the round trips to the home agent, into the utility of each access (equations 6–7). Classes of flows may weigh power, cost and load in
 * another way, and then move on their own.
 */
import type { Instant } from '../../base/instant.ts';
import {
  RelativeNetworkLoad,
  type RelativeNetworkLoadOptions,
} from '../access-monitor/relative-network-load.ts';
import {
  type AccessCandidate,
  AccessPolicy,
  type AccessPolicyOptions,
  type Coverage,
  type Judgement,
  type PolicyDecision,
} from './access-policy.ts';
import type {
  AccessDecision,
  AccessJudgement,
  AccessSelector,
  AccessSituation,
  CandidateAccess,
  ClassDecision,
  HandoverOutcome,
  RoundTrip,
} from './access-selector.ts';

export interface UtilitySelectorOptions {
  readonly load: RelativeNetworkLoadOptions;
  readonly policy: AccessPolicyOptions;
  readonly accesses: readonly AccessScores[];
  /** What differs from `policy` for a class of flows. */
  readonly classes?: readonly { readonly name: string; readonly policy: Partial<AccessPolicyOptions> }[];
}

/** Scores without unit, positive, 1 is best. */
export interface AccessScores {
  readonly name: string;
  readonly coverage: Coverage;
  /** P_j */
  readonly power: number;
  /** C_j */
  readonly cost: number;
}

interface FlowClassPolicy {
  readonly name: string;
  readonly policy: AccessPolicy;
  current: string | undefined;
}

export class UtilitySelector implements AccessSelector {
  readonly #options: UtilitySelectorOptions;
  readonly #policy: AccessPolicy;
  readonly #classes: readonly FlowClassPolicy[];
  readonly #loads = new Map<string, RelativeNetworkLoad>();

  constructor(options: UtilitySelectorOptions) {
    this.#options = options;
    this.#policy = new AccessPolicy(options.policy);
    this.#classes = (options.classes ?? []).map(({ name, policy }) => ({
      name,
      policy: new AccessPolicy({ ...options.policy, ...policy }),
      current: undefined,
    }));
  }

  measured(roundTrip: RoundTrip): void {
    const load = this.#loadOf(roundTrip.access);
    if (roundTrip.kind === 'answered') load.addReply(roundTrip.rttMs);
    else load.addLoss(roundTrip.waitedMs);
  }

  accessLost(access: string): void {
    this.#loads.delete(access);
  }

  handoverEnded({ to, result }: HandoverOutcome, now: Instant): void {
    for (const policy of [this.#policy, ...this.#classes.map((one) => one.policy)]) {
      if (result !== 'completed') policy.handoverFailed(to, now);
      else if (policy === this.#policy) policy.handoverCompleted(now);
    }
  }

  decide({ candidates, current }: AccessSituation, now: Instant): AccessDecision {
    const known = candidates.flatMap((candidate) => this.#candidate(candidate) ?? []);
    const { chosen, judgements, reviewAt } = this.#policy.decide(known, current, now);
    const classes = this.#classes.map((one) => decideClass(one, known, current, now));
    return {
      at: now,
      current,
      chosen,
      judgements: judgements.map((one) => this.#account(one)),
      ...(classes.length > 0 && { classes: classes.map((one) => this.#classDecision(one)) }),
      reviewAt: earliest([reviewAt, ...classes.map(({ decision }) => decision.reviewAt)]),
    };
  }

  #candidate(candidate: CandidateAccess): AccessCandidate | undefined {
    const scores = this.#options.accesses.find(({ name }) => name === candidate.name);
    if (scores === undefined) return undefined;
    const load = this.#loadOf(candidate.name);
    return { ...scores, ...candidate, load: load.value, samples: load.samples };
  }

  #classDecision({ name, decision }: ReturnType<typeof decideClass>): ClassDecision {
    const { chosen, judgements } = decision;
    return { name, chosen, judgements: judgements.map((one) => this.#account(one)) };
  }

  /** Named as in the paper: z and J are the parts of L = RNL. */
  #account({ name, verdict, power, cost, load, samples, utility, threshold }: Judgement): AccessJudgement {
    const measured = this.#loadOf(name);
    const numbers: Record<string, number> = { P: power, C: cost };
    if (load !== undefined) {
      numbers['z'] = measured.smoothedRttMs;
      numbers['J'] = measured.jitterMs;
      numbers['RNL'] = load;
    }
    numbers['samples'] = samples;
    numbers['missed'] = measured.missedProbes;
    if (utility !== undefined) numbers['U'] = utility;
    if (threshold !== undefined) numbers['below'] = threshold;
    return { access: name, verdict, numbers };
  }

  #loadOf(access: string): RelativeNetworkLoad {
    const known = this.#loads.get(access);
    if (known !== undefined) return known;
    const load = new RelativeNetworkLoad(this.#options.load);
    this.#loads.set(access, load);
    return load;
  }
}

/** A class begins where everything is, and moves at once: its flows are told another way, nothing has to be confirmed. */
function decideClass(
  one: FlowClassPolicy,
  candidates: readonly AccessCandidate[],
  generalCurrent: string | undefined,
  now: Instant,
): { readonly name: string; readonly decision: PolicyDecision } {
  const decision = one.policy.decide(candidates, one.current ?? generalCurrent, now);
  if (one.current !== undefined && decision.chosen !== one.current) one.policy.handoverCompleted(now);
  one.current = decision.chosen;
  return { name: one.name, decision };
}

function earliest(instants: readonly (Instant | undefined)[]): Instant | undefined {
  const known = instants.filter((at) => at !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
