/** A request of the peer on a call leg, until it is answered (INVITE: acknowledged). Owners compare it by identity. */
import type { Instant } from '../../../base/instant.ts';
import type { TransportAddress } from '../../../base/network.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ServerTransactionId, SipArrival } from '../transaction/sip-event.ts';
import type { InviteResponder } from './invite-responder.ts';
import type { LegDialog } from './leg-dialog.ts';
import type { MessageContent } from './message-content.ts';
import { isSessionDescription } from './message-content.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

/** A response of ours as its author wants it; tags, Contact, RSeq and Require: 100rel are added by the leg. */
export interface Answer {
  readonly statusCode: number;
  readonly reasonPhrase?: string | undefined;
  readonly content: MessageContent;
  /** 101–199: sent again until PRACK comes (RFC 3262). */
  readonly isReliable: boolean;
  readonly hasSessionDescription: boolean;
  /** The response of the other leg that it repeats. */
  readonly origin?:
    | {
        readonly request: OutgoingRequest;
        readonly response: SipResponse;
        readonly dialog: LegDialog;
      }
    | undefined;
}

export class IncomingRequest {
  readonly transaction: ServerTransactionId;
  readonly request: SipRequest;
  readonly source: TransportAddress;
  readonly local: TransportAddress;
  /** Absent for an initial INVITE. */
  readonly dialog: LegDialog | undefined;
  /** PRACK: the response that it acknowledges. */
  readonly acknowledges: Answer | undefined;
  /** `accepted`: an INVITE whose 2xx is not acknowledged yet. */
  state: 'open' | 'accepted' | 'finished' = 'open';
  /** INVITE: the latest 101–199 that the peer was told. */
  progress: number | undefined;
  /** When it is answered without its owner; never for INVITE, whose sender has patience. */
  answerBy: Instant | undefined;
  /** INVITE: by dialog. */
  readonly responders: InviteResponder[] = [];

  constructor(
    event: { readonly transaction: ServerTransactionId; readonly request: SipRequest } & SipArrival,
    dialog?: LegDialog,
    acknowledges?: Answer,
  ) {
    this.transaction = event.transaction;
    this.request = event.request;
    this.source = event.source;
    this.local = event.local;
    this.dialog = dialog;
    this.acknowledges = acknowledges;
  }

  get method(): string {
    return this.request.method;
  }

  /** INVITE: the reliable provisional response whose PRACK is awaited. */
  get unacknowledged(): Answer | undefined {
    return this.responders.find(({ unacknowledged }) => unacknowledged !== undefined)?.unacknowledged;
  }

  get hasSessionDescription(): boolean {
    return isSessionDescription(this.request);
  }

  /** UPDATE: where the peer is reached (RFC 3311 §5.1) and that it lives (RFC 4028 §7.4) are matters of one leg. */
  get isMereRefresh(): boolean {
    const { method, body } = this.request;
    return method === 'UPDATE' && body === '';
  }
}
