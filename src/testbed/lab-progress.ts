/** What a runner tells while it is at work, for the live view and for plain lines. Instants as in the trace of the run. */
import type { Instant } from '../base/instant.ts';
import type { TraceEntry } from '../base/trace.ts';
import type { HandoverResult } from './lab-result.ts';

export type LabProgress =
  /** Set-up and clean-up, in words. */
  | { readonly kind: 'stage-began'; readonly text: string }
  | { readonly kind: 'traffic-began'; readonly at: Instant }
  | { readonly kind: 'traffic-ended'; readonly at: Instant }
  /** A step of the timeline. */
  | { readonly kind: 'step-taken'; readonly at: Instant; readonly text: string }
  | { readonly kind: 'message-seen'; readonly entry: TraceEntry }
  | {
      readonly kind: 'handover-began';
      readonly at: Instant;
      readonly from: string | undefined;
      readonly to: string;
    }
  | { readonly kind: 'handover-completed'; readonly at: Instant; readonly handover: HandoverResult }
  /** A few times a second in the kernel lab. */
  | { readonly kind: 'accesses-measured'; readonly at: Instant; readonly accesses: readonly AccessState[] };

export interface AccessState {
  readonly name: string;
  readonly address: string;
  readonly isUp: boolean;
  /** New sessions and, after a handover, all others go over it. */
  readonly isCurrent: boolean;
  readonly downlinkBitsPerSecond: number;
  readonly uplinkBitsPerSecond: number;
  /** What the policy of MIP–SIP measures and makes of it (equations 1 and 6); absent without one. */
  readonly load?: number;
  readonly utility?: number;
}
