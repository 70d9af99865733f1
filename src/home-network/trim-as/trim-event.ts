/** What the TRIM application server tells about sessions and translators. */
import type { DurationMs } from '../../base/instant.ts';
import type { StrayRequestRefused } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';

/** The last two: of a call that still rings. */
export type HandoverMethod = 're-INVITE' | 'INVITE with Replaces' | 'INVITE with Target-Dialog' | 'UPDATE';

export type TrimEvent =
  | {
      readonly type: 'session-anchored';
      readonly session: number;
      readonly identity: string;
      readonly originatedBy: 'mobile node' | 'correspondent';
    }
  | {
      readonly type: 'session-established';
      readonly session: number;
      readonly translator: string | undefined;
    }
  /** In force at the translator and answered with 200. `durationMs`: from the arrival of the INVITE. */
  | {
      readonly type: 'handover-committed';
      readonly session: number;
      readonly method: HandoverMethod;
      readonly durationMs: DurationMs;
    }
  /** The session and its bindings are as before. */
  | { readonly type: 'handover-failed'; readonly session: number; readonly reason: string }
  | {
      readonly type: 'mobile-leg-lost';
      readonly session: number;
      readonly cause: string;
      readonly graceMs: DurationMs;
    }
  /** A translator that restarted no longer has the addresses of this session free: its media have no way. */
  | { readonly type: 'bindings-lost'; readonly session: number; readonly reason: string }
  | { readonly type: 'session-ended'; readonly session: number }
  | StrayRequestRefused
  | { readonly type: 'session-refused'; readonly identity: string; readonly reason: string }
  | { readonly type: 'translator-available'; readonly translator: string }
  | { readonly type: 'translator-lost'; readonly translator: string; readonly reason: string }
  /** Told by the S-CSCF (third-party REGISTER, TS 24.229 §5.4.1.7). */
  | { readonly type: 'user-registered' | 'user-deregistered'; readonly identity: string };
