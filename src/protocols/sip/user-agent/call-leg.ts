/**
 * One call leg (RFC 3261 §12–§15): an INVITE, ours or the peer's, the dialogs that it makes, and everything that happens in them until
 * BYE. The sending and the receiving half are machines of their own; the leg holds what both share and how it ends.
 *
 *            INVITE                 2xx                       BYE of the peer → lost, ended
 *   initial ───────→ early dialogs ────→ confirmed ───────────hang up ──────→ ended
 *                         └── 3xx–6xx, CANCEL ──────────────────────────────↗
 *
 * A leg whose peer is silent (408), has forgotten it (481) or sends no ACK is reported lost but stays: its owner decides.
 */
import type { Instant } from '../../../base/instant.ts';
import { emptyList, withItem } from '../../../base/short-list.ts';
import { listIncludes } from '../message/header-fields.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId, SipEvent } from '../transaction/sip-event.ts';
import type { Answer, IncomingRequest } from './incoming-request.ts';
import type { InviteAddressing } from './initial-invite.ts';
import type { LegDialog } from './leg-dialog.ts';
import type { LegEvent, LegHost, LegLossCause, LegOwner, LegTimer } from './leg-host.ts';
import { contentOf, isSessionDescription, type MessageContent } from './message-content.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import { RequestReceiver } from './request-receiver.ts';
import { RequestSender } from './request-sender.ts';
import { SessionTimer, type SessionTimerOwner } from './session-timer.ts';
import type { SignallingPath } from './signalling-path.ts';

/** How a leg is ended: status of a final response if the peer's INVITE is still unanswered, header fields of the BYE or response. */
export interface HangUp {
  readonly statusCode: number;
  readonly content: MessageContent;
}

export class CallLeg implements SessionTimerOwner {
  owner: LegOwner | undefined;
  path: SignallingPath;
  /** All dialogs that the INVITE made, early, confirmed and dropped. */
  allDialogs: readonly LegDialog[] = emptyList;
  /** Those that live: several early ones or the confirmed one. */
  dialogs: readonly LegDialog[] = emptyList;
  confirmed: LegDialog | undefined;
  /** Of the INVITE that made the leg, when that was ours, as long as it lasts. */
  inviteTransaction: ClientTransactionId | undefined;
  isEnded = false;
  /** Serves no call any more; kept by the user agent alone, until nothing of it is under way. */
  isForgotten = false;
  /** Lost by silence or 481, and nothing was heard of the peer since. */
  isSuspect = false;
  readonly sender: RequestSender;
  readonly sessionTimer: SessionTimer;
  readonly #receiver: RequestReceiver;
  readonly #host: LegHost;
  #isSilent = false;
  #hangUpAfterAck: HangUp | undefined;
  #bye: OutgoingRequest | undefined;
  /** Of this side: the one that is agreed on, which a mere refresh repeats, and the last one, which goes with an INVITE that fails. */
  #agreedDescription = '';
  #lastDescription = '';

  constructor(path: SignallingPath, host: LegHost) {
    this.path = path;
    this.#host = host;
    this.sender = new RequestSender(this, host);
    this.#receiver = new RequestReceiver(this, host);
    this.sessionTimer = new SessionTimer(this, host.sessionSeconds);
  }

  /** The path of the leg, or the one it is just moving to. */
  get presentPath(): SignallingPath {
    return this.sender.movingTo ?? this.path;
  }

  /** What leaves from now on uses this path, answers to what came in by another one too. */
  moveTo(path: SignallingPath, now: Instant): void {
    this.path = path;
    if (path.local !== undefined) this.#receiver.answerFrom(path.local, now);
  }

  get hasOpenInvite(): boolean {
    return this.sender.hasOpenInvite || this.#receiver.openInvite !== undefined;
  }

  /** The dialog that requests go to: the confirmed one, or the first that lives. */
  get mainDialog(): LegDialog | undefined {
    return this.confirmed ?? this.dialogs[0];
  }

  invite(addressing: InviteAddressing, content: MessageContent, now: Instant): OutgoingRequest {
    return this.sender.sendInitialInvite(addressing, content, now);
  }

  acceptInvite(event: Extract<SipEvent, { kind: 'request' }>): IncomingRequest {
    return this.#receiver.acceptInitialInvite(event);
  }

  openDialog(invite: IncomingRequest): LegDialog {
    return this.#receiver.openDialog(invite);
  }

  respond(incoming: IncomingRequest, answer: Answer, dialog: LegDialog | undefined, now: Instant): boolean {
    return this.#receiver.respond(incoming, answer, dialog, now);
  }

  /** Over without a word to the peer; what he still says to the INVITE is settled. */
  abandon(now: Instant): void {
    this.#isSilent = true;
    this.sender.forsakeInvite();
    this.end(now);
  }

  /** Every other request inside `dialog` of this leg. */
  request(
    method: string,
    content: MessageContent,
    dialog: LegDialog,
    options: { readonly hasOffer?: boolean; readonly path?: SignallingPath | undefined },
    now: Instant,
  ): OutgoingRequest {
    const outgoing = new OutgoingRequest(method, content, dialog, options);
    this.sender.send(outgoing, now);
    return outgoing;
  }

  /** BYE, CANCEL or a final response, whatever ends the leg in its state; unless `isSilent` is false, no event comes any more. */
  hangUp(hangUp: HangUp, now: Instant, isSilent = true): void {
    if (this.isEnded || this.#isSilent) return;
    this.#isSilent = isSilent;
    const invite = this.#receiver.initialInvite;
    if (invite?.state === 'open') this.#receiver.respond(invite, finalAnswer(hangUp), undefined, now);
    // RFC 3261 §15: the callee may not send BYE before the ACK came.
    else if (invite?.state === 'accepted') this.#hangUpAfterAck = hangUp;
    else if (this.confirmed !== undefined) this.#sendBye(this.confirmed, hangUp, now);
    else this.end(now);
  }

  /** BYE whose answer is told: the leg goes on until its owner ends it. Undefined: the peer may not be sent one now (RFC 3261 §15). */
  sendBye(content: MessageContent, now: Instant): OutgoingRequest | undefined {
    if (this.isEnded || this.confirmed === undefined || this.#receiver.initialInvite !== undefined)
      return undefined;
    this.sender.acknowledgeOpenInvite(now);
    this.#bye = this.sender.sendBye(this.confirmed, content, now, false);
    return this.#bye;
  }

  handleRequest(event: Extract<SipEvent, { kind: 'request' }>, dialog: LegDialog, now: Instant): void {
    this.isSuspect = false;
    this.#receiver.handleRequest(event, dialog, now);
  }

  handleAck(request: SipRequest, dialog: LegDialog, now: Instant): void {
    this.#receiver.handleAck(request, dialog, now);
  }

  handleCancelled(incoming: IncomingRequest): void {
    this.#receiver.handleCancelled(incoming);
  }

  handleResponse(outgoing: OutgoingRequest, response: SipResponse, now: Instant): void {
    if (response.statusCode !== 481 && response.statusCode !== 408) this.isSuspect = false;
    this.sender.handleResponse(outgoing, response, now);
  }

  findDialog(request: SipRequest): LegDialog | undefined {
    return this.dialogs.find((candidate) => candidate.dialog.matchesRequest(request));
  }

  addDialog(dialog: LegDialog): void {
    const areAllAlive = this.dialogs.length === this.allDialogs.length;
    this.allDialogs = withItem(this.allDialogs, dialog);
    this.dialogs = areAllAlive ? this.allDialogs : withItem(this.dialogs, dialog);
    this.#host.addDialog(this, dialog);
  }

  dropDialog(dialog: LegDialog): void {
    this.dialogs = this.dialogs.filter((other) => other !== dialog);
  }

  confirm(dialog: LegDialog): void {
    if (this.confirmed !== undefined) return;
    dialog.dialog.state = 'confirmed';
    this.confirmed = dialog;
    if (this.dialogs.length !== 1 || this.dialogs[0] !== dialog) this.dialogs = [dialog];
    this.#receiver.dropOtherResponders(dialog);
  }

  /** BYE came. */
  lose(bye: SipRequest, now: Instant): void {
    const lost = { kind: 'lost', leg: this, cause: 'bye', message: bye } as const;
    const isEarly = this.confirmed === undefined;
    // The final answer to its INVITE ends an early leg: nothing is heard of it after that.
    if (isEarly) this.emit(lost);
    this.#receiver.finishAll(now);
    this.sender.finishAll(now);
    if (!isEarly) this.emit(lost);
    this.end(now);
  }

  /** The 2xx was acknowledged, or never will be: what waited for that goes on. */
  afterAck(now: Instant): void {
    if (this.#hangUpAfterAck !== undefined && this.confirmed !== undefined)
      this.#sendBye(this.confirmed, this.#hangUpAfterAck, now);
    else this.pump(now);
  }

  /** What the leg adds to every request of its own but ACK (RFC 4028 §7.1). */
  completeRequest(request: SipRequest): void {
    if (!listIncludes(request, 'Supported', 'timer')) request.headers.append('Supported', 'timer');
    if (this.refreshesSession(request.method)) this.sessionTimer.writeRequest(request);
  }

  /** An UPDATE before the first 2xx has no session to refresh. */
  refreshesSession(method: string): boolean {
    return method === 'INVITE' || (method === 'UPDATE' && this.confirmed !== undefined);
  }

  /** An answer, or an offer that is answered. */
  noteDescription(message: SipMessage): void {
    if (!isSessionDescription(message)) return;
    this.#lastDescription = message.body;
    if (!this.sender.hasUnansweredInvite && this.#receiver.openInvite?.state !== 'open')
      this.#agreedDescription = message.body;
  }

  /** RFC 6141 §3.4: what was agreed on ahead of the final response to a re-INVITE holds if that is a success. */
  inviteEnded(isSuccess: boolean): void {
    if (isSuccess) this.#agreedDescription = this.#lastDescription;
    else this.#lastDescription = this.#agreedDescription;
  }

  /** RFC 4028 §7.4: an UPDATE without offer, or a re-INVITE that offers what is there already. */
  refreshSession(method: 'UPDATE' | 'INVITE', now: Instant): void {
    const dialog = this.confirmed;
    if (dialog === undefined || this.isEnded) return;
    const hasOffer = method === 'INVITE' && this.#agreedDescription !== '';
    const content = contentOf(hasOffer ? this.#agreedDescription : undefined);
    const refresh = new OutgoingRequest(hasOffer ? 'INVITE' : 'UPDATE', content, dialog, { hasOffer });
    refresh.isRefresh = true;
    this.sender.send(refresh, now);
  }

  sessionExpired(now: Instant): void {
    if (this.isEnded || this.confirmed === undefined) return;
    const content = contentOf(undefined, [['Reason', 'SIP;cause=408;text="session timer expired"']]);
    const bye = this.sender.sendBye(this.confirmed, content, now);
    this.emit({ kind: 'lost', leg: this, cause: 'session-expired', message: bye.request });
    this.end(now);
  }

  setTimer(timer: LegTimer, at: Instant, reason: string): void {
    this.#host.setTimer(timer, at, reason);
  }

  clearTimer(timer: LegTimer): void {
    this.#host.clearTimer(timer);
  }

  pump(now: Instant): void {
    if (!this.isEnded) this.sender.pump(now);
  }

  end(now: Instant): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.sessionTimer.stop();
    this.#receiver.finishAll(now);
    this.sender.finishAll(now);
    this.#isSilent = true;
  }

  emit(event: LegEvent): void {
    if (event.kind === 'lost' && silences.has(event.cause)) this.isSuspect = true;
    if (!this.#isSilent) this.#host.emit(event);
  }

  #sendBye(dialog: LegDialog, hangUp: HangUp, now: Instant): void {
    if (this.#bye?.state === 'sent') this.#bye.isAbandoned = true;
    else {
      this.sender.acknowledgeOpenInvite(now);
      this.sender.sendBye(dialog, hangUp.content, now);
    }
    this.end(now);
  }
}

/** Losses that one message of the peer disproves. */
const silences: ReadonlySet<LegLossCause> = new Set(['timed-out', 'does-not-exist', 'ack-missing']);

function finalAnswer(hangUp: HangUp): Answer {
  return {
    statusCode: hangUp.statusCode,
    content: hangUp.content,
    isReliable: false,
    hasSessionDescription: false,
  };
}
