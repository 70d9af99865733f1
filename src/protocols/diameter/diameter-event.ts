/**
 * What a Diameter endpoint tells its owner: peers that come and go, requests from them, and what became of our own requests.
 */
import type { Avps } from './avp.ts';
import type { CommandDefinition } from './dictionary/dictionary.ts';

/** One of our requests. */
export type RequestId = number;

/** A peer's request, to be answered. */
export type ReceivedRequestId = number;

export interface OutgoingRequest {
  readonly command: CommandDefinition;
  /** Absent: the endpoint makes a new one. */
  readonly sessionId?: string;
  /**
   * The application's AVPs. The endpoint adds Session-Id, Origin-Host, Origin-Realm, Destination-Realm, the AVP that names the
   * application, and Destination-Host where the command requires it.
   */
  readonly avps: Avps;
}

export type DiameterEvent =
  /** Requests may be sent to the peer. `isRestarted`: it is a new process since last time (Origin-State-Id). */
  | { readonly kind: 'peer-available'; readonly peer: string; readonly isRestarted: boolean }
  | { readonly kind: 'peer-unavailable'; readonly peer: string; readonly reason: string }
  | {
      readonly kind: 'request-received';
      readonly request: ReceivedRequestId;
      readonly peer: string;
      readonly command: CommandDefinition;
      readonly sessionId: string | undefined;
      readonly avps: Avps;
    }
  | {
      readonly kind: 'answer-received';
      readonly request: RequestId;
      /** As it was handed in, so that who asked finds what he asked for. */
      readonly asked: OutgoingRequest;
      readonly peer: string;
      readonly avps: Avps;
    }
  | {
      readonly kind: 'request-failed';
      readonly request: RequestId;
      readonly asked: OutgoingRequest;
      readonly reason: RequestFailure;
    };

export type RequestFailure = 'timed-out' | 'peer-down' | 'too-many-outstanding' | 'malformed-answer';
