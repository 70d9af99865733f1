/** What the mobile node asks of its host beyond the network (effects), and what it tells (events). */
import type { DurationMs } from '../base/instant.ts';
import type { StrayRequestRefused } from '../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { FlowKey, TranslationOperation } from '../translation/translation-operation.ts';
import type { HandoverKind, SessionTransfer } from './handover-manager/handover.ts';
import type { HandoverEvent } from './handover-manager/handover-event.ts';
import type { SessionSummary } from './handover-manager/mobile-session.ts';
import type { SegmentOrderEffect } from './handover-manager/segment-order.ts';
import type {
  MobileIpClientEffect,
  MobileIpClientEvent,
  RouteOptimisationEvent,
} from './mobile-ip-client/mobile-ip-client-options.ts';
import type { RegistrationEnd } from './sip-user-agent/ims-user-agent.ts';

/** Effects are carried out in the order in which they come, before any output that follows them. */
export type MobileNodeEffect =
  /** The internal address exists on this host and packets from it can be sent. */
  | { readonly type: 'install-internal-address'; readonly address: string }
  /** A routing table of its own for the access, chosen by source address and by the upper eight bits of the mark; is completed. */
  | {
      readonly type: 'attach-access';
      readonly id: number;
      readonly index: number;
      readonly interface: string;
      readonly address: string;
      readonly gateway: string | undefined;
    }
  | { readonly type: 'detach-access'; readonly index: number }
  | { readonly type: 'translate'; readonly operations: readonly TranslationOperation[] }
  /** Tell by 'flows-used' when the first packet of one of these flows has been translated. Replaces an earlier watch. */
  | { readonly type: 'watch-flows'; readonly id: number; readonly flows: readonly FlowKey[] }
  | SegmentOrderEffect
  /** With Mobile IP. The tunnel's data path owns the UDP sockets on the Mobile IP port (protocols/mobile-ip/tunnel-state.ts). */
  | MobileIpClientEffect;

/** What Mobile IP has to say; single round trips go to the access selection only. */
type MobileIpEvent = Exclude<
  MobileIpClientEvent,
  { readonly type: 'round-trip-measured' | 'round-trip-lost' }
>;

export type MobileNodeEvent =
  | HandoverEvent
  | MobileIpEvent
  | RouteOptimisationEvent
  /** `attachMs`: T_attach of TRIM §4.4; `signallingMs`: T_act-sig. */
  | {
      readonly type: 'access-ready';
      readonly access: string;
      readonly address: string;
      readonly attachMs: DurationMs;
      readonly signallingMs: DurationMs;
    }
  | { readonly type: 'access-lost'; readonly access: string }
  | { readonly type: 'access-failed'; readonly access: string; readonly reason: string }
  | { readonly type: 'registered'; readonly access: string; readonly registerMs: DurationMs }
  | { readonly type: 'registration-failed'; readonly access: string; readonly statusCode: number }
  | { readonly type: 'deregistered'; readonly access: string }
  | StrayRequestRefused
  /** The network has ended the registration (RFC 3680): 'rejected' means for good, after the others the node registers again. */
  | { readonly type: 'registration-ended'; readonly access: string; readonly reason: RegistrationEnd }
  | {
      readonly type: 'handover-started';
      readonly from: string | undefined;
      readonly to: string;
      readonly kind: HandoverKind;
    }
  /** All sessions are carried by the new access (or `failed` names those that are not). */
  | {
      readonly type: 'handover-completed';
      readonly from: string | undefined;
      readonly to: string;
      readonly kind: HandoverKind;
      readonly attachMs: DurationMs;
      readonly signallingMs: DurationMs;
      readonly registerMs: DurationMs;
      readonly sipMs: DurationMs;
      /** From the decision until the home agent confirmed that it forwards over the new access. Absent without Mobile IP, or if it did not. */
      readonly bindingMs?: DurationMs;
      /** From the decision to the last 200 and to the home agent's confirmation. */
      readonly totalMs: DurationMs;
      readonly sessions: readonly SessionTransfer[];
      readonly failed: readonly string[];
    }
  | { readonly type: 'handover-failed'; readonly to: string; readonly reason: string }
  /** The link is up but leads nowhere: too many probes in a row without answer. It is used again when one is answered. */
  | { readonly type: 'access-silent'; readonly access: string }
  | { readonly type: 'access-answering'; readonly access: string }
  /** The old access carries nothing any more. */
  | {
      readonly type: 'access-released';
      readonly access: string;
      readonly reason: 'data arrived' | 'no data' | 'no sessions';
    };

export type MobileNodeInput =
  | { readonly kind: 'effect-completed'; readonly id: number; readonly error?: string }
  | { readonly kind: 'flows-used'; readonly id: number }
  /** The first segment of a held flow has come in. */
  | { readonly kind: 'flow-came'; readonly flow: FlowKey }
  /** What waits in held flows of the downlink follows directly on what has come in the former ones. */
  | { readonly kind: 'flows-complete' };

/** What `trimaran status` shows. */
export interface MobileNodeStatus {
  readonly accesses: readonly {
    readonly name: string;
    readonly interface: string;
    readonly address: string | undefined;
    readonly isReady: boolean;
    readonly isRegistered: boolean;
    readonly isCurrent: boolean;
    /** With Mobile IP: whether the home agent has a binding over it, and whether probes are answered. */
    readonly isBound?: boolean;
    readonly isAnswering?: boolean;
  }[];
  /** With Mobile IP: where what goes to each configured correspondent leaves directly; without access it goes by the home agent. */
  readonly correspondents?: readonly { readonly address: string; readonly access: string | undefined }[];
  readonly sessions: readonly SessionSummary[];
  readonly handover: { readonly to: string; readonly phase: string } | undefined;
}
