/**
 * What the back-to-back user agent and its owner say to each other (RFC 3261 §6 "B2BUA"; TRIM fig. 2 "TRIM AS", fig. 3(b) "handover
 * manager"): handles, routes, local requests and answers as data, and the events. Nothing here behaves.
 *
 * A call has two legs, or one when the owner itself is the other party. Whatever arrives on one leg is rebuilt on the other; session
 * descriptions wait for the owner, who may take his time: the messages behind a waiting one keep their order.
 */
import type { TransportAddress } from '../../../base/network.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId, ServerTransactionId } from '../transaction/sip-event.ts';
import type { KeptFlow } from '../transport/flow-keeper.ts';
import type { StunTransactionId } from '../transport/stun-transactions.ts';
import type { LegLossCause } from '../user-agent/leg-host.ts';
import type { HeaderChange } from '../user-agent/message-content.ts';
import type { SignallingPath } from '../user-agent/signalling-path.ts';

export type { HeaderChange } from '../user-agent/message-content.ts';
export type { SignallingPath } from '../user-agent/signalling-path.ts';

/** Names a call until its `call-ended`; never used again. */
export type CallHandle = number;

/** `caller`: the leg whose INVITE came in. `callee`: the leg the call was routed to (or `placeCall` made). */
export type LegName = 'caller' | 'callee';

/** Names something that waits for the owner: an arrived body, call or replacement; and afterwards the request it came in, while that is unanswered. */
export type Token = number;

/** Names a request that the owner originated on a leg. */
export type LocalRequestHandle = number;

/** How an initial INVITE leaves. */
export interface OutgoingRoute extends SignallingPath {
  readonly requestUri: string;
  /** Preloaded Route values, top first. For the TRIM AS: what remains of the arrived Route after its own entry. */
  readonly routes: readonly string[];
  /** From and To as name-addr without tag; absent: those of the arrived INVITE (or for a placed call: To from the Request-URI; `from` is then needed). */
  readonly from?: string;
  readonly to?: string;
  readonly headers?: readonly HeaderChange[];
  /** The owner is asked (`offer-refused`) when the callee does not take the offer. */
  readonly mayOfferAnew?: boolean;
}

/** A request that the owner originates inside a call; the other leg does not hear of it. */
export interface LocalRequest {
  /**
   * BYE: the leg is over with a 2xx or 481 to it; with any other answer, or none, it stays, so that the peer can be told again. It takes the
   * header fields of the BYE by which the other leg was lost, if it was. `endCall` does not wait.
   */
  readonly method: 'INVITE' | 'UPDATE' | 'INFO' | 'OPTIONS' | 'MESSAGE' | 'BYE';
  /** An SDP offer (Content-Type application/sdp unless `headers` says another); an INVITE needs one. */
  readonly body?: string;
  readonly headers?: readonly HeaderChange[];
  /** The leg moves here with this request (handover): the request already goes this way; the leg stays there if it succeeds and returns if it fails. */
  readonly path?: SignallingPath;
  /** A `replaceLeg` under way: the request goes inside the new early dialog instead of the leg's present one. */
  readonly within?: LocalRequestHandle;
  /** An INVITE of ours still pending on this leg is cancelled and given up at once instead of waited for (old contact lost, RFC 6141 §5.5). */
  readonly abandonPending?: boolean;
}

/** What the owner answers by itself to a request whose token he holds. */
export interface LocalAnswer {
  /** 101–199: the token stays good for further answers; 200–699: it is spent. */
  readonly statusCode: number;
  readonly reasonPhrase?: string;
  /** An SDP body (Content-Type application/sdp unless `headers` says another). */
  readonly body?: string;
  readonly headers?: readonly HeaderChange[];
  /** A 1xx to be acknowledged by PRACK; sent unreliably when the peer does not support 100rel. Default true for a 1xx with body. */
  readonly reliable?: boolean;
  /** For the first answer to `call-arrived` (needed) and `replacement-arrived` (default: that of the leg replaced): the new leg's path. */
  readonly path?: SignallingPath;
}

/** A request within a dialog that neither is nor was here was answered 481: the first is told at once, the following together once a minute. */
export interface StrayRequestRefused {
  readonly type: 'stray-request-refused';
  readonly method: string;
  readonly source: TransportAddress;
  readonly count: number;
}

export type CallEvent =
  /** An initial INVITE. Owner: `routeCall`, `answerLocally` (one-legged call: the owner is the callee), or `refuse`. A 100 goes out by itself. */
  | {
      readonly type: 'call-arrived';
      readonly call: CallHandle;
      readonly token: Token;
      readonly request: SipRequest;
      readonly source: TransportAddress;
      readonly local: TransportAddress;
    }
  /**
   * An INVITE whose Replaces matches `leg` of `call`, living or remembered. Owner: checks that its sender may do so (RFC 3891 §3), then
   * `answerLocally` — perhaps 183, then 200: with the 200 the new dialog becomes the leg and the old one gets BYE — or `refuse`.
   * `isEarly`: the caller's leg, not answered yet, named by Target-Dialog; `acceptTakeover` lets it ring on in the new dialog.
   */
  | {
      readonly type: 'replacement-arrived';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly isEarly: boolean;
      readonly token: Token;
      readonly request: SipRequest;
      readonly source: TransportAddress;
    }
  /**
   * A session description arrived on `leg`. Owner: `continueWith` (what goes to the other leg), `answerLocally` (requests only; the other
   * leg hears nothing) or `refuse`. Until then everything behind it in this direction waits. A description that arrives again (200 after a
   * reliable 183) is asked about again. `body` is '' where the peer of a one-legged call asks for an offer (INVITE without one). `branch` tells early dialogs of a forked call apart (0, 1, …, by order of appearance).
   */
  | {
      readonly type: 'body-arrived';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly branch: number;
      readonly role: 'offer' | 'answer';
      readonly body: string;
      readonly token: Token;
      readonly message: SipRequest | SipResponse;
      /** False: only `answerLocally` or `refuse` make sense (one-legged call, or inside a replacement or a locally answered INVITE). */
      readonly canContinue: boolean;
      /** The token of the INVITE being answered locally that this PRACK or UPDATE belongs to. */
      readonly within?: Token;
    }
  /** The callee does not take the offer of the INVITE that makes its leg (488). Owner: `offerAnew`, or `continueWith`, with an empty body. */
  | {
      readonly type: 'offer-refused';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly token: Token;
      readonly response: SipResponse;
    }
  /** The request behind the token was cancelled or died with its dialog: it was answered (487, 481), the token is void. */
  | {
      readonly type: 'request-cancelled';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly token: Token;
    }
  /** The ACK to the 2xx that the owner gave to this token; with the answer if the 2xx was an offer. */
  | {
      readonly type: 'acknowledged';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly token: Token;
      readonly body: string;
    }
  /**
   * A response (101–699) to a request that the owner originated; a reliable one is already acknowledged by PRACK, a 2xx to INVITE by ACK.
   * No answer at all is told as a response 408 made up here, a transport failure as 503. 491, and 500 with Retry-After, were retried before.
   */
  | {
      readonly type: 'response-arrived';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly request: LocalRequestHandle;
      readonly response: SipResponse;
    }
  /** A 2xx to the initial INVITE was passed on (or given, or received, by the owner); `branch` won, the other branches are over. */
  | { readonly type: 'call-confirmed'; readonly call: CallHandle; readonly branch: number }
  /** The ACK to a 2xx that was passed on has arrived on this leg: what was begun there is known to be confirmed at its far end. */
  | { readonly type: 'ack-arrived'; readonly call: CallHandle; readonly leg: LegName }
  /** The new dialog has become the leg (after the 2xx to an INVITE with Replaces, arrived or originated, or the first answer to one with Target-Dialog). */
  | { readonly type: 'leg-replaced'; readonly call: CallHandle; readonly leg: LegName }
  /** Nothing was told to the other leg. Owner: `endCall`, or keeps the call for a grace time in which the leg can be replaced. */
  | {
      readonly type: 'leg-lost';
      readonly call: CallHandle;
      readonly leg: LegName;
      readonly cause: LegLossCause;
      readonly message: SipRequest | SipResponse | undefined;
    }
  /** The caller gives up. The callee is told; `call-ended` follows with his answer, or when there is none. */
  | { readonly type: 'call-cancelled'; readonly call: CallHandle }
  /** Over: both legs are gone, or the call never came about (`statusCode` is what the caller was answered with). The handle is void. */
  | { readonly type: 'call-ended'; readonly call: CallHandle; readonly statusCode?: number }
  /** A request outside any call (REGISTER, OPTIONS, MESSAGE, SUBSCRIBE, NOTIFY …). Owner: `respond` or `forwardRequest`. */
  | {
      readonly type: 'request-arrived';
      readonly transaction: ServerTransactionId;
      readonly request: SipRequest;
      readonly source: TransportAddress;
      readonly local: TransportAddress;
    }
  | StrayRequestRefused
  /** No answer to keep-alives any more (RFC 5626 §4.4). */
  | { readonly type: 'kept-flow-failed'; readonly flow: KeptFlow }
  /** To `checkFlow`. */
  | { readonly type: 'flow-answered'; readonly check: StunTransactionId }
  /** To a request sent with `sendRequest`; `undefined`: timed out or the transport failed. */
  | {
      readonly type: 'outside-response-arrived';
      readonly transaction: ClientTransactionId;
      readonly response: SipResponse | undefined;
    };
