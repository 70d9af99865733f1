/** What a call leg needs from the user agent it lives in, and what it tells it. */
import type { Deadline } from '../../../base/deadline-heap.ts';
import type { DeadlineHolder } from '../../../base/held-deadlines.ts';
import type { Instant } from '../../../base/instant.ts';
import type { TransportAddress } from '../../../base/network.ts';
import type { RandomSource } from '../../../base/random-source.ts';
import type { RoutedRequest } from '../dialog/dialog.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId, ServerTransactionId } from '../transaction/sip-event.ts';
import type { SipTimers } from '../transaction/timers.ts';
import type { CallLeg } from './call-leg.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { LegDialog } from './leg-dialog.ts';
import type { OutgoingRequest } from './outgoing-request.ts';
import type { SignallingPath } from './signalling-path.ts';

/** Whether a session description offers or answers (RFC 3264), by the message it came in. */
export type OfferRole = 'offer' | 'answer';

/**
 * Why a leg is lost. `bye`: the peer sent BYE (already answered with 200). `session-expired`: nobody refreshed the session (RFC 4028 §10),
 * BYE was sent. `transport-failed`: the way is gone by which the answer to our INVITE would have come; the peer rings on. The others: no
 * answer, or 481, to a request of ours; no ACK to our 2xx.
 */
export type LegLossCause =
  | 'bye'
  | 'session-expired'
  | 'transport-failed'
  | 'timed-out'
  | 'does-not-exist'
  | 'ack-missing';

export type LegEvent =
  /** To be answered with `respond`. Not BYE, CANCEL, ACK; not a PRACK or UPDATE that broke a rule. `role` when it holds a session description. */
  | {
      readonly kind: 'request';
      readonly leg: CallLeg;
      readonly incoming: IncomingRequest;
      readonly role: OfferRole | undefined;
    }
  /** 101–699, each once. `isReliable`: to be acknowledged with `sendPrack`; a 2xx to INVITE with `sendAck`. Timeout: 408, transport failure: 503, made up here. */
  | {
      readonly kind: 'response';
      readonly leg: CallLeg;
      readonly outgoing: OutgoingRequest;
      readonly response: SipResponse;
      readonly dialog: LegDialog | undefined;
      readonly role: OfferRole | undefined;
      readonly isReliable: boolean;
    }
  /** The ACK to our 2xx; absent when a newer request of the peer showed that he had the 2xx (RFC 6141 §5.4). */
  | {
      readonly kind: 'acknowledged';
      readonly leg: CallLeg;
      readonly incoming: IncomingRequest;
      readonly ack: SipRequest | undefined;
    }
  /** CANCEL for an INVITE that has no final response; it still has to be answered. */
  | { readonly kind: 'cancelled'; readonly leg: CallLeg; readonly incoming: IncomingRequest }
  /** An open request was answered here: its dialog ended (481, 487), nobody answered it in time (500), or its reliable response was never acknowledged (504). */
  | { readonly kind: 'given-up'; readonly leg: CallLeg; readonly incoming: IncomingRequest }
  | {
      readonly kind: 'lost';
      readonly leg: CallLeg;
      readonly cause: LegLossCause;
      readonly message: SipRequest | SipResponse | undefined;
    };

/** Something with a deadline in the user agent's queue. */
export abstract class LegTimer implements DeadlineHolder<LegTimer> {
  deadline: Deadline<LegTimer> | undefined = undefined;

  abstract handleTimeout(now: Instant): void;
}

/** Whom a leg serves. */
export interface LegOwner {
  handleLegEvent(event: LegEvent, now: Instant): void;
  /** The leg that this one, present or former, is joined with. */
  counterpartOf(leg: CallLeg): CallLeg | undefined;
}

export interface LegHost {
  readonly random: RandomSource;
  readonly timers: SipTimers;
  /** Interval of the session timer that this side asks for by itself (RFC 4028 §7.1). */
  readonly sessionSeconds: number | undefined;
  /** Sends in a transaction of its own; `undefined` when the next hop has no known address. */
  send(
    leg: CallLeg,
    outgoing: OutgoingRequest,
    routed: RoutedRequest,
    path: SignallingPath,
    now: Instant,
  ): ClientTransactionId | undefined;
  sendAck(routed: RoutedRequest, path: SignallingPath, now: Instant): void;
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void;
  answerFrom(transaction: ServerTransactionId, local: TransportAddress): void;
  cancel(transaction: ClientTransactionId, now: Instant): void;
  setTimer(timer: LegTimer, at: Instant, reason: string): void;
  clearTimer(timer: LegTimer): void;
  /** From now on requests with this Call-ID and local tag belong to the leg. */
  addDialog(leg: CallLeg, dialog: LegDialog): void;
  emit(event: LegEvent): void;
}
