/**
 * The access selection of the mobile node (MIP–SIP §3): asks the policy, sets a person's wish above it, and keeps what was decided and why
 * (`trimaran why`).
 */
import type { Instant } from '../../base/instant.ts';
import type { AccessDecision, AccessSelector, AccessSituation } from './access-selector.ts';

/** Decisions for another access that are kept: at one per dwell time (10 s) more than five minutes of a node that never rests. */
const maximumDecisions = 32;

/** The last decisions for another access, oldest first, and the newest of all, which says why the node is where it is. */
export interface DecisionHistory {
  readonly moves: readonly AccessDecision[];
  readonly latest: AccessDecision | undefined;
}

export class AccessSelection {
  /** To be told of round trips and of the ends of handovers. */
  readonly selector: AccessSelector;
  readonly #decisions: AccessDecision[] = [];
  #latest: AccessDecision | undefined;
  #pinned: string | undefined;

  constructor(selector: AccessSelector) {
    this.selector = selector;
  }

  /** A person's wish holds until the access is lost. */
  pin(access: string | undefined): void {
    this.#pinned = access;
  }

  decide(situation: AccessSituation, now: Instant): AccessDecision {
    const decision = this.#withWish(this.selector.decide(situation, now), situation);
    this.#latest = decision;
    if (decision.chosen !== decision.current) {
      this.#decisions.push(decision);
      if (this.#decisions.length > maximumDecisions) this.#decisions.shift();
    }
    return decision;
  }

  /** While a handover runs: what the policy wants for the node has to wait for its end, but not what it wants for classes of flows. */
  decideForClasses(situation: AccessSituation, now: Instant): AccessDecision {
    return this.#withWish(this.selector.decide(situation, now), situation);
  }

  /** The last decisions for another access, oldest first, and the newest of all, which says why the node is where it is. */
  get decisions(): DecisionHistory {
    return { moves: [...this.#decisions], latest: this.#latest };
  }

  #withWish(decision: AccessDecision, { candidates }: AccessSituation): AccessDecision {
    const wish = candidates.find(({ name }) => name === this.#pinned);
    // A wish for an access that leads nowhere would cut the node off.
    if (wish?.isAnswering !== true) {
      this.#pinned = undefined;
      return decision;
    }
    const judgements = decision.judgements.map((one) =>
      one.access === wish.name ? { ...one, verdict: "a person's wish" } : one,
    );
    const { classes: _, ...rest } = decision;
    return { ...rest, chosen: wish.name, judgements };
  }
}
