/**
 * Which access shall carry the node's traffic: the one small interface that a policy has (MIP–SIP §3; a researcher's own takes its place by
 * `policy: { module: … }`). Only `decide` must be there. The mobile node asks whenever something has changed: an access came, went or was
 * bound, a round trip was measured or a probe stayed unanswered, a handover ended. A person's wish stands above it (access-selection.ts).
 */
import type { DurationMs, Instant } from '../../base/instant.ts';

export interface AccessSelector {
  decide(situation: AccessSituation, now: Instant): AccessDecision;
  /** A round trip to the home agent over an access, or a probe that nobody answered. Without Mobile IP there are none. */
  measured?(roundTrip: RoundTrip, now: Instant): void;
  /** What was measured over the access no longer holds. */
  accessLost?(access: string): void;
  handoverEnded?(outcome: HandoverOutcome, now: Instant): void;
}

export interface AccessSituation {
  /** Accesses that have an address now, in the order of the configuration. */
  readonly candidates: readonly CandidateAccess[];
  /** The one in use; it may be no candidate any more. */
  readonly current: string | undefined;
}

export interface CandidateAccess {
  readonly name: string;
  /** The home agent has a binding over it; true where there is no Mobile IP. */
  readonly isBound: boolean;
  /** False: its link is up but leads nowhere, as too many probes in a row stayed unanswered. */
  readonly isAnswering: boolean;
}

export type RoundTrip =
  /** MIP–SIP equation 3: `rttMs` = R − S. */
  | {
      readonly kind: 'answered';
      readonly access: string;
      readonly sentAt: Instant;
      readonly rttMs: DurationMs;
    }
  /** It takes at least this long: a censored sample. */
  | {
      readonly kind: 'unanswered';
      readonly access: string;
      readonly sentAt: Instant;
      readonly waitedMs: DurationMs;
    };

export interface HandoverOutcome {
  readonly to: string;
  readonly result: 'completed' | 'access lost' | 'registration failed' | 'binding failed';
}

export interface AccessDecision {
  readonly at: Instant;
  readonly current: string | undefined;
  /** `undefined`: no access can be used. */
  readonly chosen: string | undefined;
  /** One per candidate. */
  readonly judgements: readonly AccessJudgement[];
  /** Classes of flows that shall take another access than `chosen`, by name (configuration `policy.classes`). */
  readonly classes?: readonly ClassDecision[];
  /** To be asked again at that time, although nothing may have happened. */
  readonly reviewAt?: Instant | undefined;
}

export interface ClassDecision {
  readonly name: string;
  readonly chosen: string | undefined;
  readonly judgements: readonly AccessJudgement[];
}

/** Why an access was chosen or not; for people. */
export interface AccessJudgement {
  readonly access: string;
  readonly verdict: string;
  /** Every number that went into it, named as in the paper: P, C, RNL, U … */
  readonly numbers: Readonly<Record<string, number>>;
}
