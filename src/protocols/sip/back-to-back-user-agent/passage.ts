/** One message on its way from one leg to the other, and the queue of those of one direction: first in, first out, so that a message never passes one that waits for the owner. */
import type { SipMessage, SipRequest, SipResponse } from '../message/sip-message.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { IncomingRequest } from '../user-agent/incoming-request.ts';
import type { LegDialog } from '../user-agent/leg-dialog.ts';
import type { OfferRole } from '../user-agent/leg-host.ts';
import {
  changeHeaders,
  emptyContent,
  endToEndContent,
  type MessageContent,
} from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { LegName, Token } from './call-event.ts';

/** The request on the other leg that a response goes back to. */
export interface Origin {
  readonly leg: CallLeg;
  readonly name: LegName;
  readonly incoming: IncomingRequest;
}

interface Waiting {
  readonly from: LegName;
  /** Absent: nothing to ask the owner about. */
  readonly role: OfferRole | undefined;
  /** Set while the owner is asked. */
  token?: Token | undefined;
  /** What the owner put in place of the session description. */
  decidedBody?: string;
}

export interface RequestPassage extends Waiting {
  readonly kind: 'request';
  readonly leg: CallLeg;
  readonly incoming: IncomingRequest;
}

export interface ResponsePassage extends Waiting {
  readonly kind: 'response';
  readonly leg: CallLeg;
  readonly outgoing: OutgoingRequest;
  readonly response: SipResponse;
  readonly dialog: LegDialog | undefined;
  readonly isReliable: boolean;
  readonly origin: Origin;
  /** It says again how far the call is, to an INVITE that goes on in place of another (early-takeover.ts). */
  readonly isReminder: boolean;
}

export interface AckPassage extends Waiting {
  readonly kind: 'ack';
  readonly leg: CallLeg;
  readonly incoming: IncomingRequest;
  readonly ack: SipRequest | undefined;
}

export type Passage = RequestPassage | ResponsePassage | AckPassage;

export function messageOf(passage: Passage): SipMessage | undefined {
  if (passage.kind === 'response') return passage.response;
  return passage.kind === 'ack' ? passage.ack : passage.incoming.request;
}

/** What goes on to the other leg. */
export function passedContent(passage: Passage): MessageContent {
  const message = messageOf(passage);
  const content = message === undefined ? emptyContent : endToEndContent(message);
  const { decidedBody } = passage;
  if (decidedBody === undefined) return content;
  const changed = { headers: content.headers, body: decidedBody };
  return decidedBody === '' ? changeHeaders(changed, [['Content-Type', undefined]]) : changed;
}
