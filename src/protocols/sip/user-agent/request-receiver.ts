/**
 * The UAS side of one call leg (RFC 3261 §12.2.2, §13.3, §14.2, §15.1.2; RFC 3262 §3; RFC 3311 §5.2): checks what arrives inside its
 * dialogs, refuses what breaks the order of numbers or of offers, and hands up the rest; answers what the owner decides.
 */
import type { Instant } from '../../../base/instant.ts';
import { isMalformed } from '../../../base/malformed.ts';
import type { TransportAddress } from '../../../base/network.ts';
import { type RandomSource, randomBelow, randomToken } from '../../../base/random-source.ts';
import { emptyList, withItem, withoutItem } from '../../../base/short-list.ts';
import { Dialog, isTargetRefresh } from '../dialog/dialog.ts';
import { createResponse } from '../message/create-response.ts';
import { cseqOf, rackOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { SipArrival, SipEvent } from '../transaction/sip-event.ts';
import { transactionTimeoutMs } from '../transaction/timers.ts';
import type { CallLeg } from './call-leg.ts';
import { type Answer, IncomingRequest } from './incoming-request.ts';
import { InviteResponder, type ResponderOwner } from './invite-responder.ts';
import { LegDialog } from './leg-dialog.ts';
import { type LegHost, LegTimer, type OfferRole } from './leg-host.ts';
import { changeHeaders, emptyContent, isSessionDescription, writeContent } from './message-content.ts';
import { contactOfResponse } from './secured-contact.ts';
import { isSessionTooShort, sessionTooShort } from './session-timer.ts';

type RequestEvent = Extract<SipEvent, { kind: 'request' }>;

export class RequestReceiver extends LegTimer implements ResponderOwner {
  readonly #leg: CallLeg;
  readonly #host: LegHost;
  /** Requests without final answer, and an INVITE whose 2xx is not acknowledged. */
  #open: readonly IncomingRequest[] = emptyList;

  constructor(leg: CallLeg, host: LegHost) {
    super();
    this.#leg = leg;
    this.#host = host;
  }

  get contact(): string {
    return this.#leg.presentPath.contact;
  }

  get openInvite(): IncomingRequest | undefined {
    return this.#open.find((incoming) => incoming.method === 'INVITE');
  }

  /** The INVITE that made the leg, until it is acknowledged. */
  get initialInvite(): IncomingRequest | undefined {
    return this.#open.find((incoming) => incoming.method === 'INVITE' && incoming.dialog === undefined);
  }

  acceptInitialInvite(event: RequestEvent): IncomingRequest {
    const invite = new IncomingRequest(event);
    this.#open = [invite];
    return invite;
  }

  /** A further early dialog of the INVITE, with a tag of its own: the other leg forked. */
  openDialog(invite: IncomingRequest): LegDialog {
    const tag = randomToken(this.#host.random, 12);
    const dialog = new LegDialog(
      Dialog.asCallee(invite.request, tag, this.#host.random),
      this.#leg.allDialogs.length,
    );
    if (invite.hasSessionDescription) dialog.openOffer = 'theirs';
    this.#leg.addDialog(dialog);
    return dialog;
  }

  handleRequest(event: RequestEvent, dialog: LegDialog, now: Instant): void {
    const { request } = event;
    if (!dialog.dialog.acceptSequence(request)) this.#refuse(event, 500, now);
    else if (request.method === 'BYE') this.#handleBye(event, dialog, now);
    else if (request.method === 'PRACK') this.#handlePrack(event, dialog, now);
    else this.#handleOther(event, dialog, now);
  }

  handleAck(request: SipRequest, dialog: LegDialog, now: Instant): void {
    const invite = this.#acceptedInvite(dialog);
    if (invite === undefined || cseqOf(invite.request).number !== cseqOf(request).number) return;
    this.#acknowledged(invite, request, now);
  }

  handleCancelled(incoming: IncomingRequest): void {
    if (incoming.state === 'open') this.#leg.emit({ kind: 'cancelled', leg: this.#leg, incoming });
  }

  answerFrom(local: TransportAddress, now: Instant): void {
    for (const { transaction, responders } of this.#open) {
      this.#host.answerFrom(transaction, local);
      for (const responder of responders) responder.repeat(now);
    }
  }

  /** False when the request is answered already. For a 1xx or 2xx to an initial INVITE: in `dialog`, by default its first one. */
  respond(incoming: IncomingRequest, answer: Answer, dialog: LegDialog | undefined, now: Instant): boolean {
    if (incoming.state !== 'open') return false;
    if (answer.statusCode < 200) incoming.progress = answer.statusCode;
    if (incoming.method === 'INVITE' && answer.statusCode < 300)
      this.#responderOf(incoming, dialog ?? incoming.dialog).provide(answer, now);
    else this.#respondFinally(incoming, answer, now);
    if (answer.statusCode >= 200 && answer.statusCode < 300 && incoming.method === 'INVITE')
      incoming.state = 'accepted';
    this.#leg.pump(now);
    return true;
  }

  /** The leg is over: every request is answered, 487 for INVITE, 481 for others, and nothing is repeated any more. */
  finishAll(now: Instant): void {
    for (const incoming of this.#open) {
      const wasOpen = incoming.state === 'open';
      if (wasOpen) this.#respondFinally(incoming, plainAnswer(incoming.method === 'INVITE' ? 487 : 481), now);
      this.#forget(incoming);
      if (wasOpen) this.#leg.emit({ kind: 'given-up', leg: this.#leg, incoming });
    }
  }

  /** Only the dialog whose 2xx leaves lives on; responses in the others are not repeated any more. */
  dropOtherResponders(kept: LegDialog): void {
    for (const { responders } of this.#open)
      for (const responder of responders) if (responder.dialog !== kept) responder.stop();
  }

  /** Whoever is to answer takes too long: the peer is told before he takes the silence for the end of the dialog (RFC 4320 §3, §4.1). */
  handleTimeout(now: Instant): void {
    for (const incoming of this.#open) {
      if (incoming.answerBy === undefined || incoming.answerBy > now) continue;
      this.#respondFinally(incoming, busyAnswer(this.#host.random), now);
      this.#leg.emit({ kind: 'given-up', leg: this.#leg, incoming });
    }
    this.#scheduleAnswer();
  }

  answerLeaves(invite: IncomingRequest, dialog: LegDialog, answer: Answer): void {
    const isSuccess = answer.statusCode >= 200;
    if (!isSuccess && !answer.isReliable) return;
    if (answer.hasSessionDescription) dialog.openOffer = invite.hasSessionDescription ? undefined : 'ours';
    else if (isSuccess && dialog.openOffer === 'theirs') dialog.openOffer = undefined;
    // RFC 6141 §4.6: the peer's new Contact holds from the first reliable answer on.
    if (invite.dialog !== undefined) dialog.dialog.refreshTarget(invite.request);
    if (isSuccess) this.#leg.confirm(dialog);
  }

  completeResponse(incoming: IncomingRequest, response: SipResponse, now: Instant): void {
    const isFinal = response.statusCode >= 200;
    const isSuccess = isFinal && response.statusCode < 300;
    if (response.statusCode < 300) this.#leg.noteDescription(response);
    if (isFinal && incoming.method === 'INVITE') this.#leg.inviteEnded(isSuccess);
    if (isSuccess && this.#leg.refreshesSession(incoming.method))
      this.#leg.sessionTimer.writeSuccess(incoming.request, response, now);
  }

  prackMissing(invite: IncomingRequest, now: Instant): void {
    this.#respondFinally(invite, plainAnswer(504), now);
    this.#leg.emit({ kind: 'given-up', leg: this.#leg, incoming: invite });
    if (invite.dialog === undefined) this.#leg.end(now);
    else this.#leg.pump(now);
  }

  ackMissing(invite: IncomingRequest, now: Instant): void {
    this.#forget(invite);
    this.#leg.emit({ kind: 'lost', leg: this.#leg, cause: 'ack-missing', message: undefined });
    this.#leg.afterAck(now);
  }

  #handleBye(event: RequestEvent, dialog: LegDialog, now: Instant): void {
    this.#host.respond(event.transaction, createResponse(event.request, 200), now);
    if (this.#leg.dialogs.length > 1 && this.#leg.confirmed === undefined) this.#leg.dropDialog(dialog);
    else this.#leg.lose(event.request, now);
  }

  #handlePrack(event: RequestEvent, dialog: LegDialog, now: Instant): void {
    const rack = rackOf(event.request);
    if (rack === undefined || isMalformed(rack)) {
      this.#refuse(event, 400, now);
      return;
    }
    const isOffer = isSessionDescription(event.request) && dialog.openOffer !== 'ours';
    if (isOffer && dialog.openOffer === 'theirs') {
      this.#refuseBusy(event, now);
      return;
    }
    for (const incoming of this.#open) {
      const responder = incoming.responders.find((each) => each.dialog === dialog);
      const acknowledged = responder?.takePrack(rack, now);
      if (acknowledged === undefined) continue;
      const role = !isSessionDescription(event.request)
        ? undefined
        : incoming.hasSessionDescription
          ? 'offer'
          : 'answer';
      this.#handUp(event, dialog, role, now, acknowledged);
      return;
    }
    const isLate = dialog.takeLatePrack(rack);
    this.#refuse(event, !isLate ? 481 : isSessionDescription(event.request) ? 488 : 200, now);
  }

  #handleOther(event: RequestEvent, dialog: LegDialog, now: Instant): void {
    const { request } = event;
    const isOffer =
      isSessionDescription(request) && (request.method === 'INVITE' || request.method === 'UPDATE');
    if (isSessionTooShort(request)) {
      this.#host.respond(event.transaction, sessionTooShort(request), now);
      return;
    }
    if (request.method === 'INVITE' && dialog.dialog.isMovedBy(request))
      this.#leg.sender.abandonOverdue(dialog, now);
    if (request.method === 'INVITE' && this.#refusesInvite(event, dialog, now)) return;
    if (request.method === 'UPDATE' && this.#open.some((other) => other.method === 'UPDATE'))
      this.#refuseBusy(event, now);
    else if (isOffer && dialog.openOffer === 'ours') this.#refuse(event, 491, now);
    else if (isOffer && dialog.openOffer === 'theirs') this.#refuseBusy(event, now);
    else this.#handUp(event, dialog, isOffer ? 'offer' : undefined, now);
  }

  /** RFC 3261 §14.2; a new INVITE instead of the ACK shows that the 2xx arrived (RFC 6141 §5.4), unless the ACK owes an answer. */
  #refusesInvite(event: RequestEvent, dialog: LegDialog, now: Instant): boolean {
    const accepted = this.#acceptedInvite(dialog);
    if (accepted !== undefined && dialog.openOffer === undefined)
      this.#acknowledged(accepted, undefined, now);
    if (this.#leg.sender.hasOpenInvite) this.#refuse(event, 491, now);
    else if (this.openInvite !== undefined) this.#refuseBusy(event, now);
    else return false;
    return true;
  }

  #handUp(
    event: RequestEvent,
    dialog: LegDialog,
    role: OfferRole | undefined,
    now: Instant,
    acknowledges?: Answer,
  ): void {
    const incoming = new IncomingRequest(event, dialog, acknowledges);
    this.#open = withItem(this.#open, incoming);
    if (event.request.method !== 'INVITE') {
      const { timers } = this.#host;
      incoming.answerBy = now + transactionTimeoutMs(timers) - 2 * timers.t2Ms;
      this.#scheduleAnswer();
    }
    if (role === 'offer') dialog.openOffer = 'theirs';
    else if (role === 'answer') dialog.openOffer = undefined;
    this.#leg.emit({ kind: 'request', leg: this.#leg, incoming, role });
  }

  #acceptedInvite(dialog: LegDialog): IncomingRequest | undefined {
    const invite = this.openInvite;
    const awaits = invite?.responders.some(
      (responder) => responder.dialog === dialog && responder.isAwaitingAck,
    );
    return awaits ? invite : undefined;
  }

  #acknowledged(invite: IncomingRequest, ack: SipRequest | undefined, now: Instant): void {
    const dialog = this.#leg.confirmed;
    // The ACK answers an offer of ours in the 2xx; one in a later UPDATE is another matter.
    if (dialog !== undefined && !invite.hasSessionDescription) dialog.openOffer = undefined;
    this.#forget(invite);
    this.#leg.emit({ kind: 'acknowledged', leg: this.#leg, incoming: invite, ack });
    this.#leg.afterAck(now);
  }

  #responderOf(invite: IncomingRequest, wanted: LegDialog | undefined): InviteResponder {
    const dialog = wanted ?? this.#leg.allDialogs[0] ?? this.openDialog(invite);
    const known = invite.responders.find((responder) => responder.dialog === dialog);
    if (known !== undefined) return known;
    const responder = new InviteResponder(invite, dialog, this.#host, this);
    invite.responders.push(responder);
    return responder;
  }

  #respondFinally(incoming: IncomingRequest, answer: Answer, now: Instant): void {
    const { request, dialog } = incoming;
    const { reasonPhrase, statusCode } = answer;
    const toTag = this.#leg.allDialogs[0]?.dialog.localTag ?? randomToken(this.#host.random, 12);
    const response = createResponse(request, statusCode, { toTag, reasonPhrase });
    const isRefreshed = dialog !== undefined && isTargetRefresh(incoming.method) && statusCode < 300;
    if (isRefreshed) response.headers.append('Contact', contactOfResponse(request, this.contact));
    writeContent(response, answer.content);
    this.completeResponse(incoming, response, now);
    if (statusCode >= 200) {
      this.#forget(incoming);
      if (isRefreshed) {
        dialog.hasMovedEarly ||= dialog.dialog.state === 'early' && dialog.dialog.isMovedBy(request);
        dialog.dialog.refreshTarget(request);
      }
      if (dialog !== undefined && incoming.hasSessionDescription) dialog.openOffer = undefined;
    }
    this.#host.respond(incoming.transaction, response, now);
    if (isRefreshed) this.#leg.sender.endMovedDialogs(now);
    if (incoming.method === 'INVITE' && dialog === undefined && statusCode >= 300) this.#leg.end(now);
  }

  #forget(incoming: IncomingRequest): void {
    incoming.state = 'finished';
    this.#open = withoutItem(this.#open, incoming);
    for (const responder of incoming.responders) responder.stop();
    if (incoming.answerBy !== undefined) this.#scheduleAnswer();
  }

  #scheduleAnswer(): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { answerBy } of this.#open) at = Math.min(at, answerBy ?? at);
    if (at === Number.POSITIVE_INFINITY) this.#host.clearTimer(this);
    else this.#host.setTimer(this, at, 'answer missing');
  }

  #refuse(event: RequestEvent & SipArrival, statusCode: number, now: Instant): void {
    this.#host.respond(event.transaction, createResponse(event.request, statusCode), now);
  }

  /** RFC 3261 §14.2, RFC 3311 §5.2. */
  #refuseBusy(event: RequestEvent, now: Instant): void {
    const response = createResponse(event.request, 500);
    writeContent(response, busyAnswer(this.#host.random).content);
    this.#host.respond(event.transaction, response, now);
  }
}

function busyAnswer(random: RandomSource): Answer {
  const content = changeHeaders(emptyContent, [['Retry-After', String(randomBelow(random, 11))]]);
  return { ...plainAnswer(500), content };
}

function plainAnswer(statusCode: number): Answer {
  return { statusCode, content: emptyContent, isReliable: false, hasSessionDescription: false };
}
