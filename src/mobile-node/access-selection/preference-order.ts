/**
 * The policy of a node that does not measure: the order of preference in the configuration. With Mobile IP an access comes into question
 * once it is bound, and not while its probes stay unanswered; one that the home agent would not forward over waits.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type {
  AccessDecision,
  AccessSelector,
  AccessSituation,
  CandidateAccess,
  HandoverOutcome,
} from './access-selector.ts';

/** As long as the policy of the paper would let it wait (AccessPolicyOptions). */
const penaltyMs: DurationMs = 30_000;

export class PreferenceOrder implements AccessSelector {
  readonly #order: readonly string[];
  readonly #refusedUntil = new Map<string, Instant>();

  /** The most preferred access first; accesses that are not listed are used when no other is there. */
  constructor(order: readonly string[]) {
    this.#order = order;
  }

  decide({ candidates, current }: AccessSituation, now: Instant): AccessDecision {
    const answering = firstNonEmpty([
      candidates.filter((one) => one.isBound && one.isAnswering && !this.#isRefused(one.name, now)),
      candidates.filter((one) => one.isBound && one.isAnswering),
      candidates.filter(({ isAnswering }) => isAnswering),
      candidates.filter(({ name }) => name === current),
      candidates,
    ]);
    const names = answering.map(({ name }) => name);
    const preferred = this.#order.find((name) => names.includes(name));
    const chosen = preferred ?? names.find((name) => name === current) ?? names[0];
    const judgements = candidates.map((one) => ({
      access: one.name,
      verdict: one.name === chosen ? 'chosen' : this.#objection(one, now),
      numbers: {},
    }));
    const reviewAt = Math.min(...[...this.#refusedUntil.values()].filter((until) => until > now));
    return { at: now, current, chosen, judgements, ...(Number.isFinite(reviewAt) && { reviewAt }) };
  }

  handoverEnded({ to, result }: HandoverOutcome, now: Instant): void {
    if (result === 'binding failed') this.#refusedUntil.set(to, now + penaltyMs);
  }

  #isRefused(name: string, now: Instant): boolean {
    return (this.#refusedUntil.get(name) ?? now) > now;
  }

  #objection({ name, isBound, isAnswering }: CandidateAccess, now: Instant): string {
    if (!isAnswering) return 'probes unanswered';
    if (!isBound) return 'not bound';
    return this.#isRefused(name, now) ? 'refused lately' : 'less preferred';
  }
}

function firstNonEmpty<Item>(lists: readonly (readonly Item[])[]): readonly Item[] {
  return lists.find((list) => list.length > 0) ?? [];
}
