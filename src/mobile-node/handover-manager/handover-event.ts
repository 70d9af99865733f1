/** What the handover manager tells its parent, the mobile node. Sessions are named by the id that `trimaran status` shows. */
import type { DurationMs } from '../../base/instant.ts';

/** The last two: of a call that still rings. */
export type SessionMoveMethod = 're-INVITE' | 'INVITE with Replaces' | 'INVITE with Target-Dialog' | 'UPDATE';

export type HandoverEvent =
  | {
      readonly type: 'session-established';
      readonly session: string;
      readonly peer: string;
      readonly access: string;
    }
  /** `sipMs` is T_sip of TRIM §4.4: from the INVITE of the handover until its 200. */
  | {
      readonly type: 'session-moved';
      readonly session: string;
      readonly access: string;
      readonly sipMs: DurationMs;
      readonly method: SessionMoveMethod;
    }
  /** Session and bindings are as before the attempt. */
  | {
      readonly type: 'session-move-failed';
      readonly session: string;
      readonly access: string;
      readonly statusCode: number;
      readonly reason: string;
    }
  /** The network ended its side; the session is kept for a grace time in which a handover can bring it back (TS 24.237 §10.2). */
  | { readonly type: 'session-suspended'; readonly session: string; readonly cause: string }
  | { readonly type: 'session-ended'; readonly session: string };
