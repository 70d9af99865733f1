/**
 * One call of the back-to-back user agent: its legs, requests and answers of the owner on one of them, replacement of a leg (RFC 3891).
 * What passes between the legs is the relay's business.
 * Open choices of the standards settled here: a leg that is lost does not end the other; a replaced leg gets BYE after the 200 and
 * whatever comes of that is ignored; a BYE on a leg that is just being replaced by us counts only if the replacement fails.
 */
import type { Instant } from '../../../base/instant.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { IncomingRequest } from '../user-agent/incoming-request.ts';
import type { LegEvent, LegOwner, OfferRole } from '../user-agent/leg-host.ts';
import {
  changeHeaders,
  contentOf,
  emptyContent,
  endToEndContent,
  isSessionDescription,
  type MessageContent,
} from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type {
  CallHandle,
  HeaderChange,
  LegName,
  LocalAnswer,
  LocalRequest,
  LocalRequestHandle,
  OutgoingRoute,
  SignallingPath,
  Token,
} from './call-event.ts';
import type { CallHost, Held } from './call-host.ts';
import { CallLegs, type Replacement } from './call-legs.ts';
import { takeOverIncoming, takeOverOutgoing } from './early-takeover.ts';
import { HeldRequests } from './held-requests.ts';
import { addressingOf, sendReplacement } from './leg-invites.ts';
import { localHeaders, toAnswer } from './local-answer.ts';
import { LocalRequests } from './local-requests.ts';
import type { Origin, Passage } from './passage.ts';
import { otherOf, plainAnswer, Relay, type RelayOwner } from './relay.ts';
import { isRefusedOffer, renewedContent } from './renewed-offer.ts';

export class Call implements RelayOwner, LegOwner {
  readonly handle: CallHandle;
  readonly #host: CallHost;
  readonly #relay: Relay;
  readonly #legs = new CallLegs();
  readonly #held: HeldRequests;
  readonly #localRequests: LocalRequests;
  /** What the call arrived with and where it goes, until it is confirmed. */
  #invite: IncomingRequest | undefined;
  #route: OutgoingRoute | undefined;
  #statusCode: number | undefined;
  #lastBye: MessageContent = emptyContent;
  /** The second INVITE that has no answer yet. */
  #takingOver: OutgoingRequest | undefined;
  #isOver = false;

  constructor(handle: CallHandle, host: CallHost) {
    this.handle = handle;
    this.#host = host;
    this.#relay = new Relay(this, host.userAgent);
    this.#held = new HeldRequests(this, host);
    this.#localRequests = new LocalRequests(this, host);
  }

  get allLegs(): CallLeg[] {
    return this.#legs.all;
  }

  nameOf(leg: CallLeg): LegName | undefined {
    return this.#legs.nameOf(leg);
  }

  leg(name: LegName): CallLeg | undefined {
    return this.#legs[name];
  }

  /** An initial INVITE; the owner is asked what to do with it. */
  arrive(leg: CallLeg, incoming: IncomingRequest): void {
    this.#legs.caller = leg;
    this.#invite = incoming;
    this.#host.addLeg(leg, this);
    const { token } = this.#held.hold({
      leg,
      name: 'caller',
      incoming,
      canContinue: false,
      passage: undefined,
    });
    const { request, source, local } = incoming;
    this.#host.emit({ type: 'call-arrived', call: this.handle, token, request, source, local });
  }

  routeTo(held: Held, incoming: SignallingPath, outgoing: OutgoingRoute, now: Instant): boolean {
    const invite = held.incoming;
    if (invite === undefined || invite.dialog !== undefined || held.leg !== this.#legs.caller) return false;
    if (this.#legs.callee !== undefined || invite.state !== 'open') return false;
    this.#held.drop(held);
    held.leg.path = incoming;
    this.#route = outgoing;
    this.#legs.callee = this.#host.userAgent.createLeg(outgoing);
    this.#host.addLeg(this.#legs.callee, this);
    const role = invite.hasSessionDescription ? 'offer' : undefined;
    this.#relay.push({ kind: 'request', from: 'caller', role, leg: held.leg, incoming: invite }, now);
    return true;
  }

  place(
    route: OutgoingRoute & { readonly from: string; readonly body?: string },
    now: Instant,
  ): LocalRequestHandle {
    const leg = this.#host.userAgent.createLeg(route);
    this.#legs.callee = leg;
    this.#host.addLeg(leg, this);
    const to = route.to ?? `<${route.requestUri}>`;
    const content = contentOf(route.body, route.headers, localHeaders);
    return this.#localRequests.add(leg, leg.invite({ ...route, to }, content, now));
  }

  continueWith(held: Held, body: string, now: Instant): boolean {
    const { passage } = held;
    if (passage === undefined || !held.canContinue) return false;
    this.#held.drop(held);
    this.#relay.decide(passage, body, now);
    return true;
  }

  answer(held: Held, answer: LocalAnswer, now: Instant): boolean {
    const { incoming, leg } = held;
    if (incoming === undefined || incoming.state !== 'open') return false;
    const { passage } = held;
    held.passage = undefined;
    if (answer.path !== undefined && incoming.dialog === undefined) leg.path = answer.path;
    leg.respond(incoming, toAnswer(answer, incoming), undefined, now);
    if (answer.statusCode >= 200) this.#afterFinalAnswer(held, answer.statusCode, now);
    if (passage !== undefined) this.#relay.remove(passage, now);
    return true;
  }

  refuse(held: Held, statusCode: number, reasonPhrase: string | undefined, now: Instant): boolean {
    const { passage } = held;
    if (passage?.kind !== 'response')
      return this.answer(held, { statusCode, ...(reasonPhrase === undefined ? {} : { reasonPhrase }) }, now);
    this.#held.drop(held);
    this.#relay.refuse(passage, plainAnswer(statusCode, reasonPhrase), now);
    return true;
  }

  sendLocally(name: LegName, request: LocalRequest, now: Instant): LocalRequestHandle | undefined {
    const leg = request.within === undefined ? this.#legs[name] : this.#replacementNamed(request.within)?.leg;
    const dialog = leg?.mainDialog;
    if (leg === undefined || dialog === undefined || leg.isEnded) return undefined;
    return this.#localRequests.send(leg, dialog, request, this.#lastBye, now);
  }

  /** INVITE with Replaces from here: its 2xx makes the new dialog the leg. */
  replace(
    name: LegName,
    route: OutgoingRoute & { readonly body?: string },
    now: Instant,
  ): LocalRequestHandle | undefined {
    if (this.#legs.replacement !== undefined) return undefined;
    const leg = this.#host.userAgent.createLeg(route);
    const outgoing = sendReplacement(this.#legs[name], leg, route, now);
    if (outgoing === undefined) return undefined;
    this.#host.addLeg(leg, this);
    this.#legs.replacement = { name, leg, outgoing };
    return this.#localRequests.add(leg, outgoing);
  }

  /** The INVITE to the callee rings on in another dialog, by another way. */
  takeOver(route: OutgoingRoute & { readonly body: string }, now: Instant): boolean {
    const leg = this.#host.userAgent.createLeg(route);
    this.#takingOver = takeOverOutgoing(this.#legs, this.#relay, leg, route, now);
    if (this.#takingOver !== undefined) this.#host.addLeg(leg, this);
    return this.#takingOver !== undefined;
  }

  /** The callee does not take what it was offered, and is offered this. */
  offerAnew(held: Held, body: string, now: Instant): boolean {
    const [passage, route, invite] = [held.passage, this.#route, this.#invite];
    if (passage?.kind !== 'response' || route === undefined || invite?.state !== 'open') return false;
    this.#held.drop(held);
    const leg = this.#host.userAgent.createLeg(route);
    this.#host.addLeg(leg, this);
    this.#legs.takeOver('callee', leg);
    const second = this.inviteCallee(renewedContent(invite.request, body), now);
    this.#relay.takeOverOutgoing(passage.outgoing, second);
    this.#relay.remove(passage, now);
    return true;
  }

  /** The INVITE of `offerReplacement` goes on in place of the one that still rings. */
  acceptTakeover(held: Held, path: SignallingPath, body: string | undefined, now: Instant): boolean {
    const { incoming: second, leg } = held;
    const first = this.#invite;
    if (first === undefined || second?.state !== 'open' || this.#legs.replacement?.isEarly !== true)
      return false;
    leg.path = path;
    const taken = { leg, second, ...(body !== undefined && { body }) };
    if (!takeOverIncoming(this.#legs, this.#relay, first, taken, now)) return false;
    this.#held.drop(held);
    this.#legs.replacement = undefined;
    this.#invite = second;
    this.#host.emit({ type: 'leg-replaced', call: this.handle, leg: 'caller' });
    return true;
  }

  /** An INVITE arrived whose Replaces names `replaced`, a present or former leg. False: another replacement is under way. */
  offerReplacement(replaced: CallLeg, leg: CallLeg, incoming: IncomingRequest): boolean {
    const name = this.#legs.nameOf(replaced);
    if (name === undefined || this.#legs.replacement !== undefined) return false;
    const isEarly = this.#legs[name]?.confirmed === undefined;
    this.#legs.replacement = { name, leg, isEarly };
    this.#host.addLeg(leg, this);
    leg.path = this.#legs[name]?.path ?? replaced.path;
    const { token } = this.#held.hold({ leg, name, incoming, canContinue: false, passage: undefined });
    const { request, source } = incoming;
    const event = {
      type: 'replacement-arrived',
      call: this.handle,
      leg: name,
      token,
      request,
      source,
    } as const;
    this.#host.emit({ ...event, isEarly });
    return true;
  }

  /** The INVITE of `offerReplacement` is another call's. */
  yieldReplacement(leg: CallLeg, incoming: IncomingRequest): boolean {
    const held = this.#held.of(incoming);
    if (held === undefined || !this.#legs.isReplacing(leg) || incoming.state !== 'open') return false;
    this.#held.drop(held);
    this.#legs.replacement = undefined;
    return true;
  }

  counterpartOf(leg: CallLeg): CallLeg | undefined {
    const name = this.nameOf(leg);
    return name && this.#legs[otherOf(name)];
  }

  end(now: Instant, statusCode: number, changes: readonly HeaderChange[]): void {
    const content = changeHeaders(this.#lastBye, changes);
    this.#relay.clear();
    for (const leg of this.allLegs) leg.hangUp({ statusCode, content }, now);
    this.#finish(now);
  }

  handleLegEvent(event: LegEvent, now: Instant): void {
    if (this.#isOver) return;
    const name = this.#legs.isReplacing(event.leg)
      ? this.#legs.replacement?.name
      : this.#legs.presentNameOf(event.leg);
    switch (event.kind) {
      case 'request':
        if (name !== undefined) this.#handleRequest(event, name, now);
        break;
      case 'response':
        this.#handleResponse(event, name ?? this.#legs.nameOf(event.leg) ?? 'callee', now);
        break;
      case 'acknowledged':
        this.#handleAcknowledged(event, now);
        break;
      case 'cancelled':
        this.#handleCancelled(event.leg, event.incoming, now);
        break;
      case 'given-up':
        this.#handleGivenUp(event.leg, event.incoming, now);
        break;
      case 'lost':
        this.#handleLost(event, now);
        break;
    }
    this.settle(now);
  }

  /** After every event and decision: the call is over when its legs are. */
  settle(now: Instant): void {
    for (const leg of this.#legs.takeSurplus()) this.#host.removeLeg(leg, now);
    if (this.#legs.areDead) this.#finish(now);
  }

  ask(passage: Passage): void {
    this.#held.ask(passage);
  }

  withdraw(passage: Passage): void {
    this.#held.withdraw(passage);
  }

  inviteCallee(content: MessageContent, now: Instant): OutgoingRequest {
    const route = this.#route!;
    const request = this.#invite?.request;
    const callee = this.#legs.callee!;
    if (request !== undefined) callee.sessionTimer.adoptWish(request);
    return callee.invite(addressingOf(route, request), changeHeaders(content, route.headers ?? []), now);
  }

  confirmed(branch: number): void {
    this.#invite = undefined;
    this.#route = undefined;
    this.#host.emit({ type: 'call-confirmed', call: this.handle, branch });
  }

  refused(statusCode: number, now: Instant): void {
    this.#statusCode = statusCode;
    this.#legs.callee?.hangUp({ statusCode, content: emptyContent }, now);
  }

  #handleRequest(event: Extract<LegEvent, { kind: 'request' }>, name: LegName, now: Instant): void {
    const { leg, incoming, role } = event;
    const answered = this.#held.beingAnsweredOn(leg);
    const isPartOfAnswered = answered !== undefined && /^(?:PRACK|UPDATE)$/.test(incoming.method);
    const isAlone =
      this.#legs[otherOf(name)] === undefined || this.#legs.isReplacing(leg) || incoming.isMereRefresh;
    if (!isAlone && !isPartOfAnswered) {
      this.#relay.push({ kind: 'request', from: name, role, leg, incoming }, now);
      return;
    }
    if (role !== undefined || incoming.method === 'INVITE')
      this.#askAlone(event, name, role ?? 'offer', answered?.token);
    else
      leg.respond(
        incoming,
        { ...plainAnswer(200), content: contentOf(undefined, [], localHeaders) },
        undefined,
        now,
      );
  }

  #askAlone(
    { leg, incoming }: Extract<LegEvent, { kind: 'request' }>,
    name: LegName,
    role: OfferRole,
    within: Token | undefined,
  ): void {
    const held = this.#held.hold({ leg, name, incoming, canContinue: false, passage: undefined });
    this.#held.tellBody(held, incoming.request, role, incoming.dialog?.branch ?? 0, within);
  }

  #handleResponse(event: Extract<LegEvent, { kind: 'response' }>, from: LegName, now: Instant): void {
    const { outgoing, leg, response, dialog, isReliable } = event;
    const role = isRefusedOffer(outgoing, response, this.#route) ? 'answer' : event.role;
    const isReminder = outgoing === this.#takingOver && response.statusCode < 300;
    if (isReminder) {
      this.#takingOver = undefined;
      this.#host.emit({ type: 'leg-replaced', call: this.handle, leg: from });
    }
    const origin: Origin | undefined = this.#relay.originOf(outgoing);
    if (origin === undefined) {
      this.#handleLocalResponse(event, from, now);
      return;
    }
    const kind = 'response' as const;
    const passage = { kind, from, role, leg, outgoing, response, dialog, isReliable, isReminder, origin };
    this.#relay.push(passage, now);
  }

  #handleLocalResponse(event: Extract<LegEvent, { kind: 'response' }>, name: LegName, now: Instant): void {
    const { outgoing, leg, response, dialog } = event;
    const request = this.#localRequests.handleOf(outgoing);
    if (request === undefined) return;
    const isSuccess = response.statusCode >= 200 && response.statusCode < 300;
    if (event.isReliable && dialog !== undefined)
      leg.sender.sendPrack(outgoing, response, dialog, emptyContent, now);
    if (isSuccess && outgoing.method === 'INVITE') leg.sender.sendAck(outgoing, emptyContent, now);
    this.#host.emit({ type: 'response-arrived', call: this.handle, leg: name, request, response });
    if (response.statusCode < 200) return;
    this.#localRequests.forget(outgoing);
    if (outgoing.method === 'BYE' && (isSuccess || response.statusCode === 481)) leg.end(now);
    if (this.#legs.replacement?.outgoing === outgoing) {
      if (isSuccess) this.#completeReplacement(now);
      else this.#dropReplacement();
    } else if (outgoing.dialog === undefined) {
      if (isSuccess) this.confirmed(dialog?.branch ?? 0);
      else this.#statusCode = response.statusCode;
    }
  }

  #handleAcknowledged(event: Extract<LegEvent, { kind: 'acknowledged' }>, now: Instant): void {
    const { leg, incoming, ack } = event;
    const held = this.#held.of(incoming);
    if (held === undefined) {
      const role = ack !== undefined && isSessionDescription(ack) ? 'answer' : undefined;
      const from = this.#legs.nameOf(leg) ?? 'caller';
      this.#relay.push({ kind: 'ack', from, role, leg, incoming, ack }, now);
      if (ack !== undefined) this.#host.emit({ type: 'ack-arrived', call: this.handle, leg: from });
      return;
    }
    this.#held.drop(held);
    const { name, token } = held;
    this.#host.emit({ type: 'acknowledged', call: this.handle, leg: name, token, body: ack?.body ?? '' });
  }

  #handleCancelled(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    if (incoming === this.#invite) this.#host.emit({ type: 'call-cancelled', call: this.handle });
    if (this.#relay.cancel(incoming, now)) return;
    leg.respond(incoming, plainAnswer(487), undefined, now);
    this.#forgetIncoming(leg, incoming, 487, now);
  }

  #handleGivenUp(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    this.#relay.giveUp(incoming, now);
    this.#forgetIncoming(leg, incoming, 504, now);
  }

  /** The request was answered without the owner. */
  #forgetIncoming(leg: CallLeg, incoming: IncomingRequest, statusCode: number, now: Instant): void {
    const held = this.#held.of(incoming);
    const waiting = this.#relay.waiting(incoming);
    if (held !== undefined) {
      this.#held.drop(held);
      this.#held.void(held.token, held.name);
    }
    if (waiting !== undefined) this.#relay.remove(waiting, now);
    if (this.#legs.isReplacing(leg) && incoming.dialog === undefined) this.#dropReplacement();
    else if (incoming === this.#invite) {
      this.#statusCode = statusCode;
      this.#legs.callee?.hangUp({ statusCode, content: emptyContent }, now);
    }
  }

  #handleLost(event: Extract<LegEvent, { kind: 'lost' }>, now: Instant): void {
    const { leg, cause, message } = event;
    const name = this.#legs.presentNameOf(leg);
    if (cause === 'transport-failed' && message?.kind === 'response' && this.#legs.isReplacing(leg))
      leg.sender.failInvite(message, now);
    else if (this.#legs.isReplacing(leg)) this.#dropReplacement();
    if (cause === 'ack-missing') this.#relay.acknowledgeForLost(leg, now);
    if (name === undefined) return;
    if (message?.kind === 'request' && message.method === 'BYE') this.#lastBye = endToEndContent(message);
    if (
      cause === 'bye' &&
      this.#legs.replacement?.name === name &&
      this.#legs.replacement.outgoing !== undefined
    ) {
      this.#legs.replacement.loss = event;
      return;
    }
    this.#emitLost(name, event);
  }

  #afterFinalAnswer(held: Held, statusCode: number, now: Instant): void {
    const { incoming, leg } = held;
    const isInviteSuccess = incoming?.method === 'INVITE' && statusCode < 300;
    if (!isInviteSuccess) this.#held.drop(held);
    if (this.#legs.isReplacing(leg) && incoming?.dialog === undefined) {
      if (isInviteSuccess) this.#completeReplacement(now);
      else this.#dropReplacement();
    } else if (incoming === this.#invite) {
      if (isInviteSuccess) this.confirmed(0);
      else this.refused(statusCode, now);
    }
  }

  #completeReplacement(now: Instant): void {
    const old = this.#legs[this.#legs.replacement!.name];
    this.#host.emit({ type: 'leg-replaced', call: this.handle, leg: this.#legs.completeReplacement(now) });
    if (old !== undefined) this.#relay.acknowledgeForLost(old, now);
  }

  #dropReplacement(): void {
    const { name, loss } = this.#legs.dropReplacement();
    if (loss !== undefined) this.#emitLost(name, loss);
  }

  #emitLost(name: LegName, { cause, message }: Extract<LegEvent, { kind: 'lost' }>): void {
    this.#host.emit({ type: 'leg-lost', call: this.handle, leg: name, cause, message });
  }

  #replacementNamed(request: LocalRequestHandle): Replacement | undefined {
    const { replacement } = this.#legs;
    const handle = replacement?.outgoing && this.#localRequests.handleOf(replacement.outgoing);
    return handle === request ? replacement : undefined;
  }

  #finish(now: Instant): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#relay.clear();
    this.#held.clear();
    this.#host.emit({
      type: 'call-ended',
      call: this.handle,
      ...(this.#statusCode !== undefined && { statusCode: this.#statusCode }),
    });
    this.#localRequests.clear();
    this.#host.remove(this, now);
  }
}
