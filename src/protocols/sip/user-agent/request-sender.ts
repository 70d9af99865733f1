/**
 * The UAC side of one call leg: initial and further INVITEs, PRACK, UPDATE and every other request of ours (RFC 3261 §13.2, §14.1;
 * RFC 3262 §4; RFC 3311 §5.1, §5.3).
 *
 * One INVITE at a time in either direction, one open offer, one other request in flight per dialog; what may not go yet waits. 491,
 * and 500 with Retry-After, are tried again after the time the RFC names. Each response comes up once; an ACK is repeated for every
 * repeated 2xx; a 2xx that nobody waits for is acknowledged and, if it makes a call, ended.
 */
import type { Instant } from '../../../base/instant.ts';
import { withItem, withoutItem } from '../../../base/short-list.ts';
import { Dialog, isTargetRefresh, type RoutedRequest } from '../dialog/dialog.ts';
import { createResponse } from '../message/create-response.ts';
import { cseqOf, listIncludes, rseqOf, toTagOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { CallLeg } from './call-leg.ts';
import { buildInitialInvite, type InviteAddressing } from './initial-invite.ts';
import { LegDialog } from './leg-dialog.ts';
import { type LegHost, LegTimer, type OfferRole } from './leg-host.ts';
import { maxEarlyDialogs, maxQueuedRequests, maxRetries } from './limits.ts';
import { emptyContent, type MessageContent, writeContent } from './message-content.ts';
import { isNextReliable, noteOffer, roleOf } from './offer-rules.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import { givenUpResponse, isOverdue, isTriedAgain, retryDelayMs } from './request-retry.ts';
import { contactOfRequest } from './secured-contact.ts';
import type { SignallingPath } from './signalling-path.ts';

export class RequestSender extends LegTimer {
  readonly #leg: CallLeg;
  readonly #host: LegHost;
  /** The INVITE of ours that waits for its final response or owes its ACK; one that was abandoned, until the next one leaves. */
  #invite: OutgoingRequest | undefined;

  constructor(leg: CallLeg, host: LegHost) {
    super();
    this.#leg = leg;
    this.#host = host;
  }

  /** Whether an INVITE of ours is not answered, or its 2xx not acknowledged. */
  get hasOpenInvite(): boolean {
    return this.#invite?.isOpenInvite ?? false;
  }

  /** The initial INVITE, while the leg is early. */
  get initialInvite(): OutgoingRequest | undefined {
    return this.#invite?.dialog === undefined ? this.#invite : undefined;
  }

  get hasUnansweredInvite(): boolean {
    return this.#invite?.state === 'sent';
  }

  /** The path of an INVITE under way that moves the leg. */
  get movingTo(): SignallingPath | undefined {
    return this.hasOpenInvite ? this.#invite?.path : undefined;
  }

  sendInitialInvite(addressing: InviteAddressing, content: MessageContent, now: Instant): OutgoingRequest {
    const invite = new OutgoingRequest('INVITE', content, undefined, { hasOffer: content.body !== '' });
    this.#invite = invite;
    this.#transmit(invite, buildInitialInvite(addressing, this.#host.random), now);
    return invite;
  }

  /** Goes out as soon as the rules allow. A full queue answers 503 at once. */
  send(outgoing: OutgoingRequest, now: Instant): void {
    const dialog = outgoing.dialog!;
    if (this.#leg.isEnded || dialog.queue.length >= maxQueuedRequests) {
      this.#fail(outgoing, this.#leg.isEnded ? 481 : 503, now);
      return;
    }
    if (this.movingTo !== undefined && outgoing.isPartOfInvite) outgoing.partOf = this.#invite;
    dialog.queue = withItem(dialog.queue, outgoing);
    this.pump(now);
  }

  sendPrack(
    invite: OutgoingRequest,
    response: SipResponse,
    dialog: LegDialog,
    content: MessageContent,
    now: Instant,
  ): OutgoingRequest {
    const rack = `${rseqOf(response)} ${response.headers.get('CSeq')}`;
    const isAnswer = dialog.openOffer === 'theirs' && !invite.hasOffer;
    const prack = new OutgoingRequest('PRACK', content, dialog, {
      rack,
      hasOffer: !isAnswer && content.body !== '',
    });
    if (isAnswer) dialog.openOffer = undefined;
    this.send(prack, now);
    return prack;
  }

  /** Acknowledges the 2xx that came for this INVITE, now and whenever it is repeated. */
  sendAck(invite: OutgoingRequest, content: MessageContent, now: Instant): void {
    if (invite.winner === undefined || invite.ack !== undefined) return;
    invite.ack = content;
    if (invite.owesAnswer) invite.winner.openOffer = undefined;
    this.#transmitAck(invite, invite.winner, now);
    invite.letGo();
    this.#release(invite);
    this.#leg.pump(now);
  }

  /** Nobody waits for the ACK that is owed to a 2xx any more: the leg ends. */
  acknowledgeOpenInvite(now: Instant): void {
    if (this.#invite !== undefined) this.sendAck(this.#invite, emptyContent, now);
  }

  /** What only made the session goes with it: the last INVITE is not kept for as long as the session lasts. */
  #release(invite: OutgoingRequest): void {
    if (this.#invite === invite) this.#invite = undefined;
  }

  /** RFC 3261 §9.1; of a request that still waits nothing goes out at all. */
  cancel(outgoing: OutgoingRequest, now: Instant): void {
    if (outgoing.state === 'finished') return;
    if (outgoing.state === 'waiting') this.#fail(outgoing, 487, now);
    else if (outgoing.method === 'INVITE' && !outgoing.isCancelled) {
      outgoing.isCancelled = true;
      if (outgoing.transaction !== undefined) this.#host.cancel(outgoing.transaction, now);
      this.endMovedDialogs(now);
    }
  }

  /** CANCEL goes where the INVITE went; a callee who has moved, before or since, is told by BYE, which his caller may send (RFC 3261 §15). */
  endMovedDialogs(now: Instant): void {
    if (this.initialInvite?.isCancelled !== true) return;
    for (const dialog of this.#leg.dialogs)
      if (dialog.hasMovedEarly && dialog.dialog.state === 'early') this.sendBye(dialog, emptyContent, now);
  }

  /** Cancels the INVITE under way and no longer waits for what becomes of it (RFC 6141 §5.5: its answers may never reach us). */
  abandonInvite(now: Instant): void {
    const invite = this.#invite;
    if (invite === undefined || invite.state !== 'sent') return;
    this.cancel(invite, now);
    invite.isAbandoned = true;
    const { dialog } = invite;
    if (dialog !== undefined && invite.hasOffer) noteOffer(dialog, 'answer');
    this.#finish(invite, givenUpResponse(invite), now);
  }

  /** No CANCEL: at the far end the INVITE goes on for another one. */
  forsakeInvite(): void {
    if (this.#invite === undefined) return;
    this.#invite.isAbandoned = true;
    this.#invite.state = 'finished';
  }

  /** The peer is elsewhere by now: what he did not answer where he was is no longer waited for, or his move would have to wait (491). */
  abandonOverdue(dialog: LegDialog, now: Instant): void {
    const { timers } = this.#host;
    const { inFlight } = dialog;
    if (this.#invite !== undefined && isOverdue(this.#invite, timers, now)) this.abandonInvite(now);
    if (inFlight === undefined || !isOverdue(inFlight, timers, now)) return;
    dialog.inFlight = undefined;
    if (inFlight.hasOffer) dialog.openOffer = undefined;
    this.#finish(inFlight, givenUpResponse(inFlight), now);
  }

  /** Waits for nothing that is under way; its answer is told unless nobody waits for it. */
  sendBye(dialog: LegDialog, content: MessageContent, now: Instant, isAbandoned = true): OutgoingRequest {
    const bye = new OutgoingRequest('BYE', content, dialog);
    bye.isAbandoned = isAbandoned;
    this.#transmit(bye, dialog.dialog.buildRequest('BYE'), now);
    return bye;
  }

  handleResponse(outgoing: OutgoingRequest, response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    if (outgoing.method === 'INVITE' && statusCode < 200) this.#handleProvisional(outgoing, response, now);
    else if (outgoing.method === 'INVITE' && statusCode < 300)
      this.#handleInviteSuccess(outgoing, response, now);
    else if (statusCode >= 200) this.#handleFinal(outgoing, response, now);
  }

  /** No answer (408) or no way to send (503): RFC 3261 §8.1.3.1. */
  handleFailure(outgoing: OutgoingRequest, statusCode: 408 | 503, now: Instant, isAddressGone = false): void {
    if (outgoing.state !== 'sent') return;
    const response = createResponse(outgoing.request!, statusCode);
    // RFC 3261 §17.1.1.2: who has sent a provisional response waits for nothing; only his answer has no way to here.
    if (statusCode === 503 && outgoing.dialog === undefined && (outgoing.wasHeard || isAddressGone))
      this.#leg.emit({ kind: 'lost', leg: this.#leg, cause: 'transport-failed', message: response });
    else this.#handleFinal(outgoing, response, now);
  }

  /** The initial INVITE has no way back for its answer, and is not waited for: as if this had come. */
  failInvite(response: SipResponse, now: Instant): void {
    if (this.#invite !== undefined) this.#handleFinal(this.#invite, response, now);
  }

  /** The leg is over: whoever waits for a response is told 481. */
  finishAll(now: Instant): void {
    const open = this.#leg.dialogs.flatMap((dialog) => [
      ...dialog.queue,
      ...(dialog.inFlight ? [dialog.inFlight] : []),
    ]);
    if (this.#invite !== undefined) open.push(this.#invite);
    for (const outgoing of open) {
      if (outgoing.state === 'finished') continue;
      if (outgoing.method === 'INVITE') this.cancel(outgoing, now);
      this.#fail(outgoing, 481, now);
      outgoing.isAbandoned = true;
    }
    this.#host.clearTimer(this);
  }

  handleTimeout(now: Instant): void {
    this.pump(now);
  }

  /** Sends what may go by now. */
  pump(now: Instant): void {
    for (const dialog of this.#leg.dialogs) {
      for (const outgoing of dialog.queue) {
        if (outgoing.state !== 'waiting' || this.#mustWait(outgoing, dialog, now)) continue;
        dialog.queue = withoutItem(dialog.queue, outgoing);
        this.#sendInDialog(outgoing, dialog, now);
      }
    }
    this.#scheduleRetry(now);
  }

  #mustWait(outgoing: OutgoingRequest, dialog: LegDialog, now: Instant): boolean {
    if (dialog.inFlight !== undefined || (outgoing.retryAt !== undefined && now < outgoing.retryAt))
      return true;
    if (outgoing.hasOffer && dialog.openOffer !== undefined) return true;
    if (outgoing.method === 'INVITE') return this.#leg.hasOpenInvite || dialog.openOffer !== undefined;
    // A request with a higher number must not arrive before a re-INVITE that got lost on its first way.
    return this.#invite?.state === 'sent' && this.#invite.dialog === dialog && !this.#invite.wasHeard;
  }

  #sendInDialog(outgoing: OutgoingRequest, dialog: LegDialog, now: Instant): void {
    if (outgoing.hasOffer) dialog.openOffer = 'ours';
    outgoing.retryAt = undefined;
    outgoing.wasHeard = false;
    if (outgoing.method === 'INVITE') this.#invite = outgoing;
    else dialog.inFlight = outgoing;
    this.#transmit(outgoing, dialog.dialog.buildRequest(outgoing.method), now);
  }

  #transmit(outgoing: OutgoingRequest, routed: RoutedRequest, now: Instant): void {
    const path = this.#pathOf(outgoing);
    const { request } = routed;
    if (isTargetRefresh(outgoing.method))
      request.headers.append('Contact', contactOfRequest(request, path.contact));
    if (outgoing.rack !== undefined) request.headers.append('RAck', outgoing.rack);
    writeContent(request, outgoing.content);
    outgoing.nextHop = routed.nextHop;
    outgoing.target = outgoing.dialog?.dialog.remoteTarget;
    this.#resend(outgoing, request, now);
  }

  /** As it is but for what belongs to the moment: session timer, transaction. */
  #resend(outgoing: OutgoingRequest, request: SipRequest, now: Instant): void {
    this.#leg.completeRequest(request);
    outgoing.request = request;
    outgoing.attempts += 1;
    outgoing.state = 'sent';
    outgoing.sentAt = now;
    const routed = { request, nextHop: outgoing.nextHop };
    outgoing.transaction = this.#host.send(this.#leg, outgoing, routed, this.#pathOf(outgoing), now);
    if (outgoing.transaction === undefined) this.handleFailure(outgoing, 503, now);
  }

  /** What belongs to an INVITE that moves the leg goes the same new way. */
  #pathOf(outgoing: OutgoingRequest): SignallingPath {
    const moving = outgoing.isPartOfInvite ? this.movingTo : undefined;
    return outgoing.path ?? moving ?? this.#leg.path;
  }

  #handleProvisional(invite: OutgoingRequest, response: SipResponse, now: Instant): void {
    if (invite.state !== 'sent' || response.statusCode === 100) return;
    invite.wasHeard = true;
    const dialog = this.#dialogOf(invite, response);
    const isReliable =
      dialog !== undefined && listIncludes(response, 'Require', '100rel') && rseqOf(response) !== undefined;
    if (isReliable && !isNextReliable(invite, dialog, rseqOf(response)!)) return;
    const role = roleOf(invite, response);
    if (isReliable && invite.isRefresh) this.sendPrack(invite, response, dialog, emptyContent, now);
    if (isReliable) {
      invite.mayHaveMovedTarget = true;
      dialog.dialog.refreshTarget(response);
      this.#noteOffer(invite, dialog, role);
    }
    this.#tell(invite, response, dialog, role, isReliable);
    this.#leg.pump(now);
  }

  #handleInviteSuccess(invite: OutgoingRequest, response: SipResponse, now: Instant): void {
    const dialog = this.#dialogOf(invite, response);
    if (dialog === undefined) return;
    if (invite.winner !== undefined) {
      this.#handleFurtherSuccess(invite, dialog, response, now);
      return;
    }
    const wasFinished = invite.state === 'finished';
    invite.state = 'finished';
    invite.winner = dialog;
    dialog.dialog.confirm(response);
    dialog.dialog.refreshTarget(response);
    dialog.lastReliable = undefined;
    const role = roleOf(invite, response);
    invite.owesAnswer = role === 'offer';
    if (!wasFinished) {
      this.#noteOffer(invite, dialog, role ?? 'answer');
      this.#leg.inviteEnded(true);
    }
    this.#leg.sessionTimer.takeSuccess(invite.request!, response, now);
    if (invite.isRefresh) this.sendAck(invite, emptyContent, now);
    if (invite.isAbandoned || wasFinished) {
      this.sendAck(invite, emptyContent, now);
      if (invite.dialog === undefined) this.sendBye(dialog, emptyContent, now);
      return;
    }
    if (invite.path !== undefined) this.#leg.path = invite.path;
    this.#leg.confirm(dialog);
    this.#tell(invite, response, dialog, role);
    this.#leg.pump(now);
  }

  /** Repeated, or from another fork: the first dialog is kept, a second one is acknowledged and ended (RFC 3261 §13.2.2.4). */
  #handleFurtherSuccess(
    invite: OutgoingRequest,
    dialog: LegDialog,
    response: SipResponse,
    now: Instant,
  ): void {
    if (dialog === invite.winner) {
      if (invite.ack !== undefined) this.#transmitAck(invite, dialog, now);
      return;
    }
    dialog.dialog.confirm(response);
    this.#transmitAck(invite, dialog, now);
    if (!dialog.wasRefused) this.sendBye(dialog, emptyContent, now);
    dialog.wasRefused = true;
  }

  #handleFinal(outgoing: OutgoingRequest, response: SipResponse, now: Instant): void {
    if (outgoing.state !== 'sent') return;
    const { dialog } = outgoing;
    if (dialog !== undefined && dialog.inFlight === outgoing) dialog.inFlight = undefined;
    if (dialog !== undefined && outgoing.hasOffer) dialog.openOffer = undefined;
    if (dialog?.lastReliable?.invite === outgoing) dialog.lastReliable = undefined;
    if (this.#asksForLonger(outgoing, response, now)) return;
    if (dialog !== undefined && !this.#leg.isEnded && isTriedAgain(outgoing, response)) {
      this.#retry(outgoing, dialog, retryDelayMs(response, dialog.dialog.isCaller, this.#host.random), now);
      return;
    }
    this.#release(outgoing);
    if (response.statusCode < 300) this.#succeed(outgoing, response, now);
    else if (outgoing.isRefresh) this.#leg.sessionTimer.takeFailure(now);
    this.#finish(outgoing, response, now);
  }

  #succeed(outgoing: OutgoingRequest, response: SipResponse, now: Instant): void {
    if (isTargetRefresh(outgoing.method)) outgoing.dialog!.dialog.refreshTarget(response);
    if (outgoing.isPartOfInvite) this.#leg.noteDescription(outgoing.request!);
    if (outgoing.method !== 'UPDATE') return;
    if (this.#leg.confirmed !== undefined)
      this.#leg.sessionTimer.takeSuccess(outgoing.request!, response, now);
    if (this.movingTo !== undefined) this.#invite!.mayHaveMovedTarget = true;
    else if (outgoing.path !== undefined) this.#leg.path = outgoing.path;
  }

  #finish(outgoing: OutgoingRequest, response: SipResponse, now: Instant): void {
    const wasAbandoned = outgoing.isAbandoned && outgoing.method !== 'INVITE';
    outgoing.state = 'finished';
    if (outgoing.method === 'INVITE') this.#leg.inviteEnded(false);
    const { dialog } = outgoing;
    if (wasAbandoned) {
      this.#leg.pump(now);
      return;
    }
    if (response.statusCode >= 300) this.#failParts(outgoing, now);
    const role = roleOf(outgoing, response);
    this.#tell(outgoing, response, dialog, role);
    if (response.statusCode >= 300) this.#afterFailure(outgoing, response, now);
    this.#leg.pump(now);
  }

  #tell(
    outgoing: OutgoingRequest,
    response: SipResponse,
    dialog: LegDialog | undefined,
    role: OfferRole | undefined,
    isReliable = false,
  ): void {
    this.#leg.emit({ kind: 'response', leg: this.#leg, outgoing, response, dialog, role, isReliable });
  }

  /** A response to INVITE, which may answer what that offered. */
  #noteOffer(invite: OutgoingRequest, dialog: LegDialog, role: OfferRole | undefined): void {
    const wasOpen = dialog.openOffer === 'ours';
    noteOffer(dialog, role);
    if (wasOpen && dialog.openOffer === undefined) this.#leg.noteDescription(invite.request!);
  }

  #afterFailure(outgoing: OutgoingRequest, response: SipResponse, now: Instant): void {
    const { statusCode } = response;
    if (outgoing.dialog === undefined) {
      this.#leg.end(now);
      return;
    }
    if (
      outgoing.method === 'INVITE' &&
      outgoing.path !== undefined &&
      outgoing.mayHaveMovedTarget &&
      statusCode !== 481
    )
      this.#moveTargetBack(outgoing.dialog, now);
    // RFC 3261 §12.2.1.2. That a request by a new path, or to where the peer was before, found no answer says nothing about the present.
    const hasMoved = outgoing.target !== outgoing.dialog.dialog.remoteTarget;
    const isTimeout = statusCode === 408 && outgoing.path === undefined && !hasMoved;
    // To PRACK it may speak of the response alone that was acknowledged too late (RFC 3262 §3).
    const doesNotExist = statusCode === 481 && outgoing.method !== 'PRACK';
    if (!doesNotExist && !isTimeout) return;
    const cause = doesNotExist ? 'does-not-exist' : 'timed-out';
    this.#leg.emit({ kind: 'lost', leg: this.#leg, cause, message: response });
  }

  /** RFC 6141 §4.6: the Contact of a failed re-INVITE stays in force once it was reliably answered, so the old one is told again. */
  #moveTargetBack(dialog: LegDialog, now: Instant): void {
    const update = new OutgoingRequest('UPDATE', emptyContent, dialog, { path: this.#leg.path });
    update.isAbandoned = true;
    this.send(update, now);
  }

  #fail(outgoing: OutgoingRequest, statusCode: number, now: Instant): void {
    const { dialog } = outgoing;
    if (dialog !== undefined) dialog.queue = withoutItem(dialog.queue, outgoing);
    if (dialog !== undefined && dialog.inFlight === outgoing) dialog.inFlight = undefined;
    outgoing.state = 'finished';
    if (outgoing.isAbandoned) return;
    const request = outgoing.request ?? dialog!.dialog.buildRequest(outgoing.method).request;
    const response = createResponse(request, statusCode);
    this.#tell(outgoing, response, dialog, undefined);
    this.#leg.pump(now);
  }

  /** What still waits to be sent for an INVITE that failed would speak of a place where the leg is not. */
  #failParts(invite: OutgoingRequest, now: Instant): void {
    const parts = invite.dialog?.queue.filter(({ partOf }) => partOf === invite) ?? [];
    for (const part of parts) this.#fail(part, 500, now);
  }

  /** RFC 4028 §7.3: the same request once more, with the interval that the peer or a proxy wants. */
  #asksForLonger(outgoing: OutgoingRequest, response: SipResponse, now: Instant): boolean {
    const { dialog } = outgoing;
    const isWanted = !outgoing.isCancelled && !this.#leg.isEnded && outgoing.attempts <= maxRetries;
    if (response.statusCode !== 422 || !isWanted || !this.#leg.sessionTimer.takeTooSmall(response))
      return false;
    if (dialog !== undefined) this.#retry(outgoing, dialog, 0, now);
    else {
      const request = outgoing.request!.clone();
      request.headers.set('CSeq', `${cseqOf(request).number + 1} INVITE`);
      this.#resend(outgoing, request, now);
    }
    return true;
  }

  #retry(outgoing: OutgoingRequest, dialog: LegDialog, delayMs: number, now: Instant): void {
    outgoing.state = 'waiting';
    outgoing.retryAt = now + delayMs;
    dialog.queue = [outgoing, ...dialog.queue];
    this.#leg.pump(now);
  }

  #scheduleRetry(now: Instant): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { queue } of this.#leg.dialogs)
      for (const { retryAt = now } of queue) if (retryAt > now) at = Math.min(at, retryAt);
    if (at === Number.POSITIVE_INFINITY) this.#host.clearTimer(this);
    else this.#host.setTimer(this, at, 'request tried again');
  }

  #transmitAck(invite: OutgoingRequest, dialog: LegDialog, now: Instant): void {
    const routed = dialog.dialog.buildAck(cseqOf(invite.request!).number);
    writeContent(routed.request, invite.ack ?? emptyContent);
    this.#leg.noteDescription(routed.request);
    // To a 2xx repeated late: another INVITE may have moved the leg since.
    const path = invite === this.#invite ? invite.path : undefined;
    this.#host.sendAck(routed, path ?? this.#leg.presentPath, now);
  }

  /** The dialog that a response to INVITE belongs to; made if it is new. `undefined`: no To tag, or more forks than anybody has. */
  #dialogOf(invite: OutgoingRequest, response: SipResponse): LegDialog | undefined {
    if (invite.dialog !== undefined) return invite.dialog;
    const tag = toTagOf(response);
    const known = this.#leg.allDialogs.find((candidate) => candidate.dialog.remoteTag === tag);
    if (known !== undefined || tag === undefined) return known;
    if (this.#leg.allDialogs.length >= maxEarlyDialogs) return undefined;
    const dialog = new LegDialog(Dialog.asCaller(invite.request!, response), this.#leg.allDialogs.length);
    if (invite.hasOffer) dialog.openOffer = 'ours';
    this.#leg.addDialog(dialog);
    return dialog;
  }
}
