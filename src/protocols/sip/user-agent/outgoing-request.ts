/** A request of ours on a call leg, from the wish to its last response. Kept by its leg; owners compare it by identity. */
import type { Instant } from '../../../base/instant.ts';
import { ownText } from '../../../base/own-text.ts';
import { SipRequest } from '../message/sip-message.ts';
import type { ClientTransactionId } from '../transaction/sip-event.ts';
import type { CallLeg } from './call-leg.ts';
import type { LegDialog } from './leg-dialog.ts';
import { emptyContent, type MessageContent } from './message-content.ts';
import type { SignallingPath } from './signalling-path.ts';

export class OutgoingRequest {
  readonly method: string;
  content: MessageContent;
  /** Whether the body is an offer; that of a PRACK may be an answer. */
  readonly hasOffer: boolean;
  /** The leg moves here if the request succeeds. */
  readonly path: SignallingPath | undefined;
  /** RAck of a PRACK. */
  readonly rack: string | undefined;
  state: 'waiting' | 'sent' | 'finished' = 'waiting';
  /** The peer's Contact when it was sent last. */
  target: string | undefined;
  /** Absent for an initial INVITE, whose responses make dialogs. */
  readonly dialog: LegDialog | undefined;
  /** As it was sent last. */
  request: SipRequest | undefined;
  transaction: ClientTransactionId | undefined;
  /** Whose request it is, once it was sent. */
  leg: CallLeg | undefined;
  /** After 491, or 500 with Retry-After. */
  retryAt: Instant | undefined;
  attempts = 0;
  /** The last time. */
  sentAt: Instant = 0;
  /** PRACK, UPDATE: the INVITE under way that moves the leg; without it the request makes no sense. */
  partOf: OutgoingRequest | undefined;
  /** A 101–199 or a final response came: the peer's user agent has seen the request. */
  wasHeard = false;
  /** The peer may have taken our Contact from it already (RFC 6141 §4.6). */
  mayHaveMovedTarget = false;
  /** Nobody waits for its end any more: a 2xx is acknowledged and, for an initial INVITE, ended by BYE. */
  isAbandoned = false;
  isCancelled = false;
  /** Sent by the leg itself to keep the session alive (RFC 4028 §10). */
  isRefresh = false;
  /** URI of the next hop. */
  nextHop = '';
  /** INVITE: its 2xx carried an offer, which the ACK answers. */
  owesAnswer = false;
  /** INVITE: the dialog whose 2xx came first, and the content of the ACK once it was sent. */
  winner: LegDialog | undefined;
  ack: MessageContent | undefined;

  constructor(
    method: string,
    content: MessageContent,
    dialog: LegDialog | undefined,
    options: {
      readonly hasOffer?: boolean;
      readonly path?: SignallingPath | undefined;
      readonly rack?: string | undefined;
    } = {},
  ) {
    this.method = method;
    this.content = content;
    this.dialog = dialog;
    this.hasOffer = options.hasOffer ?? false;
    this.path = options.path;
    this.rack = options.rack;
  }

  /**
   * It is answered, and not sent again: of what it carried stays what a late 2xx of another fork asks for (RFC 3261 §13.2.2.4), since an INVITE
   * is remembered for half a minute after its end.
   */
  letGo(): void {
    this.content = emptyContent;
    if (this.request === undefined) return;
    const rest = new SipRequest(this.method, ownText(this.request.requestUri));
    rest.headers.appendFrom(this.request.headers, 'CSeq');
    this.request = rest;
  }

  get isPartOfInvite(): boolean {
    return this.method === 'PRACK' || this.method === 'UPDATE';
  }

  /** An INVITE occupies its leg until its 2xx is acknowledged or it failed (RFC 3261 §14.1). */
  get isOpenInvite(): boolean {
    if (this.method !== 'INVITE' || this.state === 'waiting') return false;
    return this.state === 'sent' || (this.winner !== undefined && this.ack === undefined);
  }
}
