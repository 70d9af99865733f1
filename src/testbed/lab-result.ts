/**
 * What a lab run found out, in one shape for both runners; docs/lab-result.md describes it for readers of the JSON. Durations are in
 * milliseconds, instants in milliseconds since traffic started. null: does not apply, or was not measured.
 */
import type { DurationMs } from '../base/instant.ts';
import type { AccessJudgement } from '../mobile-node/access-selection/access-selector.ts';
import type { LabTier } from './lab-tier.ts';
import type { LinkShaping } from './link-shaping.ts';
import type { FlowCarrier, FlowKind } from './scenario.ts';

export interface LabResult {
  readonly schema: 'trimaran/lab-result/1';
  readonly tier: LabTier;
  readonly reason: string;
  readonly scenario: string;
  readonly seed: number;
  /** Who shaped the access links, and why. */
  readonly links: readonly LinkShaping[];
  /** Of the TCP connections of its programs; null in virtual time, whose TCP is a simple one. */
  readonly congestionControl: string | null;
  /** Nothing in `problems`. */
  readonly ok: boolean;
  /** What did not go as the scenario expects, in words. */
  readonly problems: readonly string[];
  readonly handovers: readonly HandoverResult[];
  /** Of the policy, for another access, with every number in them (MIP–SIP equations 1–7); the last 32. */
  readonly decisions: readonly DecisionResult[];
  readonly flows: readonly FlowResult[];
  readonly correspondentSaw: {
    /** Addresses other than its own that sent to or were sent to by its media programs, by capture. */
    readonly remotes: readonly string[];
    /** From the start of traffic to its end: every one would be a consequence of a handover. */
    readonly sipMessages: number;
  };
  readonly sipMessagesToApplications: number;
  /** Links, addresses, routes, rules and nftables tables of every node, before the roles started and after they ended. */
  readonly kernelStateRestored: boolean | null;
  /** Paths by purpose, such as "figure8". */
  readonly files: Readonly<Record<string, string>>;
}

export interface HandoverResult {
  readonly atMs: number;
  readonly from: string | null;
  readonly to: string;
  /** Soft: the old access still lived; hard: it did not. */
  readonly kind: 'soft' | 'hard' | 'first';
  /** The four terms of TRIM §4.4. */
  readonly tAttachMs: DurationMs;
  readonly tActSigMs: DurationMs;
  readonly tRegisterMs: DurationMs;
  readonly tSipMs: DurationMs;
  /** With Mobile IP: from the decision until the home agent had confirmed the binding. */
  readonly tBindingMs: DurationMs | null;
  /** From the decision to the last 200, and to the home agent's confirmation. */
  readonly totalMs: DurationMs;
  readonly sessions: number;
  readonly failed: number;
  /** How the sessions were moved, such as "re-INVITE"; each once. */
  readonly methods: readonly string[];
}

export interface DecisionResult {
  readonly atMs: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly judgements: readonly AccessJudgement[];
}

export interface FlowResult {
  /** The name in the scenario; a flow in both directions has two entries. */
  readonly name: string;
  readonly kind: FlowKind;
  readonly carrier: FlowCarrier;
  readonly protocol: 'udp' | 'tcp';
  readonly direction: 'to-mobile-node' | 'to-correspondent' | 'both';
  /** Of `sent`, `received` and `lost`. */
  readonly unit: 'packets' | 'octets' | 'keys';
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number | null;
  readonly reordered: number | null;
  /** Between two packets at the receiver; `gapBoundMs` is packet spacing + difference of the two access delays + 20 ms. */
  readonly longestGapMs: DurationMs | null;
  readonly longestGapEndedAtMs: number | null;
  readonly gapBoundMs: DurationMs | null;
  /** The longest gap that ended while no handover was under way: what the machine itself does to a stream. */
  readonly quietGapMs: DurationMs | null;
  /** How late the sender's own timer was at most: part of a gap that no network made. */
  readonly senderLatenessMs: DurationMs | null;
  /** Longest time without progress at the receiver. */
  readonly stallMs: DurationMs | null;
  readonly stallEndedAtMs: number | null;
  /** Of a transfer the 64 longest of 10 ms or more, in order of time. */
  readonly stalls: readonly { readonly ms: DurationMs; readonly endedAtMs: number }[] | null;
  /** Median and most of the time until a key's echo. */
  readonly echoMs: { readonly median: DurationMs; readonly most: DurationMs } | null;
  readonly retransmissions: number | null;
  readonly timeouts: number | null;
  /** Checksums of all octets agree and the connection ended in order. */
  readonly bytesIntact: boolean | null;
  readonly remotesSeenByPeer: readonly string[];
  readonly remotesSeenByApplication: readonly string[];
}
