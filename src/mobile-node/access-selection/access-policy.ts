/**
 * The access selection of the MIP–SIP paper (section 3, equations 6 and 7): power, cost and load of each access become one number, and
 * the least one is chosen.
 *
 *   U_j = w_p·ln P_j + w_c·ln C_j + w_b·ln L_j   (6)        L_j = RNL_j   (7)
 *
 * From large to small coverage only when U_new < U_old − a; a is in units of ln, so 0.2 means about 22 % better. What the paper leaves open:
 * a pair of equal coverage has a hysteresis of its own (0 by default); no handover to an access before some samples, because jitter shows
 * only then; a lost link, or one that leads nowhere, ends the use of an access at once; the time between two handovers by
 * choice has a minimum; an access that just refused a handover waits. Ties keep what is.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';

/** "large": UMTS, CDMA2000; "small": WLAN, WiMAX, wire (the paper's words). */
export type Coverage = 'large' | 'small';

export interface AccessPolicyOptions {
  /** w_p, w_c, w_b: positive, with the sum 1. */
  readonly powerWeight: number;
  readonly costWeight: number;
  readonly loadWeight: number;
  /** a, for large → small. */
  readonly hysteresis: number;
  /** For accesses of equal coverage. */
  readonly equalCoverageHysteresis: number;
  /** Samples before an access is handed over to. */
  readonly warmUpSamples: number;
  readonly dwellMs: DurationMs;
  readonly penaltyMs: DurationMs;
}

/** What a policy knows of an access that has an address now. */
export interface AccessCandidate {
  readonly name: string;
  readonly coverage: Coverage;
  /** Scores without unit, positive, 1 is best. */
  readonly power: number;
  readonly cost: number;
  /** RNL in milliseconds; `undefined` while there is no sample. */
  readonly load: number | undefined;
  readonly samples: number;
  /** The home agent has a binding over it. */
  readonly isBound: boolean;
  /** Not so many probes in a row without reply that the link leads nowhere. */
  readonly isAnswering: boolean;
}

/** One candidate in a decision, with every number that went into it. */
export interface Judgement extends AccessCandidate {
  /** U of equation 6; `undefined` without a load. */
  readonly utility: number | undefined;
  /** What U had to stay below; `undefined` for the access in use and where nothing is compared. */
  readonly threshold: number | undefined;
  readonly verdict: Verdict;
}

export type Verdict =
  | 'in use'
  | 'chosen'
  | 'not better'
  | 'within hysteresis'
  | 'warming up'
  | 'not bound'
  | 'probes unanswered'
  | 'refused lately'
  | 'dwell time';

export interface PolicyDecision {
  /** `undefined`: no access can be used. */
  readonly chosen: string | undefined;
  readonly judgements: readonly Judgement[];
  /** When a dwell time or a penalty is over. */
  readonly reviewAt: Instant | undefined;
}

export class AccessPolicy {
  readonly #options: AccessPolicyOptions;
  #lastHandoverAt: Instant = Number.NEGATIVE_INFINITY;
  readonly #refusedUntil = new Map<string, Instant>();

  constructor(options: AccessPolicyOptions) {
    this.#options = options;
  }

  decide(candidates: readonly AccessCandidate[], current: string | undefined, now: Instant): PolicyDecision {
    const inUse = candidates.find(({ name }) => name === current);
    const isForced = inUse === undefined || !inUse.isAnswering;
    const judgements = candidates.map((candidate) =>
      candidate === inUse
        ? this.#judgeInUse(candidate)
        : this.#judge(candidate, isForced ? undefined : inUse, now),
    );
    const best = least(judgements.filter(({ verdict }) => verdict === 'chosen'));
    // Better any access than none: one without samples may work.
    const chosen = best ?? (isForced ? this.#lastResort(judgements) : undefined);
    return {
      chosen: chosen?.name ?? inUse?.name,
      judgements: judgements.map((one) =>
        one.verdict === 'chosen' && one !== chosen
          ? { ...one, verdict: 'not better' }
          : one === chosen
            ? { ...one, verdict: 'chosen' }
            : one,
      ),
      reviewAt: this.#reviewAt(now),
    };
  }

  handoverCompleted(now: Instant): void {
    this.#lastHandoverAt = now;
  }

  handoverFailed(access: string, now: Instant): void {
    this.#refusedUntil.set(access, now + this.#options.penaltyMs);
  }

  #reviewAt(now: Instant): Instant | undefined {
    const dwellEnd = this.#lastHandoverAt + this.#options.dwellMs;
    const ends = [dwellEnd, ...this.#refusedUntil.values()].filter((at) => at > now);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #judgeInUse(candidate: AccessCandidate): Judgement {
    const verdict = candidate.isAnswering ? 'in use' : 'probes unanswered';
    return { ...candidate, utility: this.#utility(candidate), threshold: undefined, verdict };
  }

  /** `rival` is the access in use, if that has to be beaten. */
  #judge(candidate: AccessCandidate, rival: AccessCandidate | undefined, now: Instant): Judgement {
    const utility = this.#utility(candidate);
    const rivalUtility = rival && this.#utility(rival);
    const threshold =
      rival === undefined || rivalUtility === undefined
        ? undefined
        : rivalUtility - this.#hysteresis(rival, candidate);
    const verdict = this.#verdict(candidate, utility, threshold, rivalUtility, rival !== undefined, now);
    return { ...candidate, utility, threshold, verdict };
  }

  #verdict(
    candidate: AccessCandidate,
    utility: number | undefined,
    threshold: number | undefined,
    rivalUtility: number | undefined,
    hasRival: boolean,
    now: Instant,
  ): Verdict {
    if (!candidate.isAnswering) return 'probes unanswered';
    if (!candidate.isBound) return 'not bound';
    if ((this.#refusedUntil.get(candidate.name) ?? now) > now) return 'refused lately';
    if (utility === undefined || candidate.samples < this.#options.warmUpSamples) return 'warming up';
    // An access in use that has not been measured yet cannot be compared with.
    if (hasRival && (rivalUtility === undefined || utility >= rivalUtility)) return 'not better';
    if (threshold !== undefined && utility >= threshold) return 'within hysteresis';
    return hasRival && now - this.#lastHandoverAt < this.#options.dwellMs ? 'dwell time' : 'chosen';
  }

  #lastResort(judgements: readonly Judgement[]): Judgement | undefined {
    const having = (verdict: Verdict): Judgement[] => judgements.filter((one) => one.verdict === verdict);
    const [fresh, refused, unbound] = [having('warming up'), having('refused lately'), having('not bound')];
    return least(fresh) ?? fresh[0] ?? least(refused) ?? unbound[0];
  }

  #hysteresis(from: AccessCandidate, to: AccessCandidate): number {
    if (from.coverage === to.coverage) return this.#options.equalCoverageHysteresis;
    return from.coverage === 'large' ? this.#options.hysteresis : 0;
  }

  #utility({ power, cost, load }: AccessCandidate): number | undefined {
    const { powerWeight, costWeight, loadWeight } = this.#options;
    if (load === undefined) return undefined;
    return powerWeight * Math.log(power) + costWeight * Math.log(cost) + loadWeight * Math.log(load);
  }
}

/** The first of the least, so that the result does not depend on anything but the order of the configuration. */
function least(judgements: readonly Judgement[]): Judgement | undefined {
  return judgements
    .filter(({ utility }) => utility !== undefined)
    .reduce<Judgement | undefined>(
      (best, one) => (best === undefined || (one.utility ?? 0) < (best.utility ?? 0) ? one : best),
      undefined,
    );
}
