/**
 * One dialog of a call leg with what the offer/answer model has to remember about it (RFC 3264; RFC 3262 §5; RFC 3311 §5): a leg has
 * several while a forked INVITE is not answered yet, then one.
 */
import { emptyList } from '../../../base/short-list.ts';
import type { Dialog } from '../dialog/dialog.ts';
import type { RAck } from '../message/cseq.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

export class LegDialog {
  readonly dialog: Dialog;
  /** 0, 1, … in the order in which the early dialogs of the leg came into being. */
  readonly branch: number;
  /** Whose offer has no reliable answer yet: only one may be open (RFC 3261 §13.2.1). */
  openOffer: 'ours' | 'theirs' | undefined;
  /** RSeq of the last reliable provisional response taken in order, and the INVITE under way that it belongs to. */
  lastReliable: { readonly invite: OutgoingRequest; readonly rseq: number } | undefined;
  /** The one request other than INVITE that awaits its answer: sent one by one, so that no number overtakes another on the way. */
  inFlight: OutgoingRequest | undefined;
  /** The last reliable provisional response of ours that was not acknowledged when its INVITE ended. */
  overtaken: RAck | undefined;
  /** The peer is not where our INVITE found him. */
  hasMovedEarly = false;
  /** Another dialog of the same INVITE was confirmed first: acknowledged, and BYE sent. */
  wasRefused = false;
  /** Requests that wait for their turn. */
  queue: readonly OutgoingRequest[] = emptyList;

  constructor(dialog: Dialog, branch: number) {
    this.dialog = dialog;
    this.branch = branch;
  }

  /** A PRACK may come after the final response: it is as good as one in time, once (RFC 3262 §3). */
  takeLatePrack({ rseq, cseq }: RAck): boolean {
    const { overtaken } = this;
    if (rseq !== overtaken?.rseq || cseq.number !== overtaken.cseq.number || cseq.method !== 'INVITE')
      return false;
    this.overtaken = undefined;
    return true;
  }
}
