/**
 * The back-to-back user agent (RFC 3261 §6) of the TRIM application server (fig. 2) and of the mobile node's handover manager
 * (fig. 3(b)): own Call-ID, tags, CSeq, Contact and RSeq on each leg; what arrives on one leg is rebuilt on the other, session
 * descriptions as the owner wants them. A leg can be answered and asked by the owner alone, moved, and replaced (RFC 3891).
 * Each leg has a session timer of its own (RFC 4028). A call that rings can go on in another dialog of its caller's (early-takeover.ts); Replaces
 * of an early dialog is left out, and so is proxy authentication.
 */
import { Fifo } from '../../../base/fifo.ts';
import type { DurationMs, Instant } from '../../../base/instant.ts';
import type { Machine, Timeout } from '../../../base/machine.ts';
import { isMalformed } from '../../../base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { randomToken } from '../../../base/random-source.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import type { SipEndpoint, SipListener } from '../endpoint.ts';
import { createResponse } from '../message/create-response.ts';
import { replacesOf, toTagOf } from '../message/header-fields.ts';
import type { Replaces } from '../message/replaces.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { parseUri } from '../message/sip-uri.ts';
import { parseTargetDialog } from '../message/target-dialog.ts';
import type { ClientTransactionId, ServerTransactionId, SipTarget } from '../transaction/sip-event.ts';
import type { KeptFlow } from '../transport/flow-keeper.ts';
import type { StunTransactionId } from '../transport/stun-transactions.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { IncomingRequest } from '../user-agent/incoming-request.ts';
import type { LegDialog } from '../user-agent/leg-dialog.ts';
import { endToEndContent, writeContent } from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import { UserAgent, type UserAgentOptions } from '../user-agent/user-agent.ts';
import { Call } from './call.ts';
import type {
  CallEvent,
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
import { defaultMaximumCalls } from './limits.ts';
import { rebuildOutsideRequest } from './outside-request.ts';
import { plainAnswer } from './relay.ts';

/** The endpoint is built by the owner, who chooses its listeners; from then on it is driven from here alone. */
export interface BackToBackUserAgentOptions extends UserAgentOptions {
  /** Calls at the same time, 503 beyond; default 20,000. */
  readonly maximumCalls?: number;
}

/** What a leg looks like at this moment. */
export interface LegView {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** The peer's Contact URI. */
  readonly remoteTarget: string;
  /** False: requests go to the peer itself. */
  readonly hasRouteSet: boolean;
  readonly path: SignallingPath;
  readonly state: 'early' | 'confirmed' | 'lost';
}

export type BackToBackUserAgentOutput = NetworkOutput | { readonly kind: 'event'; readonly event: CallEvent };

export class BackToBackUserAgent implements Machine<NetworkInput, BackToBackUserAgentOutput>, CallHost {
  readonly userAgent: UserAgent;
  readonly #endpoint: SipEndpoint;
  readonly #events = new Fifo<CallEvent>();
  readonly #calls = new TurnoverMap<CallHandle, Call>();
  readonly #held = new TurnoverMap<Token, Held>();
  readonly #requests = new TurnoverMap<
    LocalRequestHandle,
    { readonly call: Call; readonly leg: CallLeg; readonly outgoing: OutgoingRequest }
  >();
  readonly #forwarded = new TurnoverMap<
    ClientTransactionId,
    { readonly transaction: ServerTransactionId; readonly request: SipRequest }
  >();
  readonly #maximumCalls: number;
  #lastNumber = 0;

  constructor(options: BackToBackUserAgentOptions) {
    this.#endpoint = options.endpoint;
    this.userAgent = new UserAgent(options);
    this.#maximumCalls = options.maximumCalls ?? defaultMaximumCalls;
  }

  /** Whether a request that left from this address waits for its final response. */
  hasUnanswered(localAddress: string): boolean {
    return this.#endpoint.hasUnanswered(localAddress);
  }

  /** Asks the host for the endpoint's listening sockets. */
  start(now: Instant): void {
    this.userAgent.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.userAgent.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.userAgent.handleTimeout(now);
    this.#drain(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.userAgent.pollTimeout();
  }

  pollOutput(): BackToBackUserAgentOutput | undefined {
    const event = this.#events.shift();
    return event === undefined ? this.userAgent.pollOutput() : { kind: 'event', event };
  }

  /** Decides on `call-arrived`; the INVITE's offer then comes as `body-arrived`. All decisions: false when the token is void by now. */
  routeCall(token: Token, incoming: SignallingPath, outgoing: OutgoingRoute, now: Instant): boolean {
    return this.#decide(token, now, (held) => held.call.routeTo(held, incoming, outgoing, now));
  }

  /** Lets the message go on to the other leg with this body in place of its own. */
  continueWith(token: Token, body: string, now: Instant): boolean {
    return this.#decide(token, now, (held) => held.call.continueWith(held, body, now));
  }

  /** Decides on `offer-refused`: the callee is sent another INVITE, with this offer. */
  offerAnew(token: Token, body: string, now: Instant): boolean {
    return this.#decide(token, now, (held) => held.call.offerAnew(held, body, now));
  }

  /** Answers a request in the owner's name; the other leg does not hear of it. */
  answerLocally(token: Token, answer: LocalAnswer, now: Instant): boolean {
    return this.#decide(token, now, (held) => held.call.answer(held, answer, now));
  }

  /**
   * A request is answered with this status and nothing changes. A response that cannot be passed on becomes this status: the call
   * attempt or the modification fails towards both sides.
   */
  refuse(token: Token, statusCode: number, reasonPhrase: string | undefined, now: Instant): boolean {
    return this.#decide(token, now, (held) => held.call.refuse(held, statusCode, reasonPhrase, now));
  }

  /** A call whose other party is the owner himself: one leg, named 'callee'. */
  placeCall(
    route: OutgoingRoute & { readonly from: string; readonly body?: string },
    now: Instant,
  ): { readonly call: CallHandle; readonly request: LocalRequestHandle } {
    const call = this.#createCall();
    const request = call.place(route, now);
    this.#drain(now);
    return { call: call.handle, request };
  }

  /** Waits by itself while the leg is busy (one INVITE, one offer at a time). `undefined`: no such leg, or the peer ended it. */
  sendLocally(
    call: CallHandle,
    leg: LegName,
    request: LocalRequest,
    now: Instant,
  ): LocalRequestHandle | undefined {
    const handle = this.#calls.get(call)?.sendLocally(leg, request, now);
    this.#drain(now);
    return handle;
  }

  /**
   * Sends an INVITE with Replaces that names the leg's dialog, lost or not; with its 2xx the new dialog becomes the leg, and the peer
   * sends BYE on the old one. `undefined`: no such leg, not answered yet, or one replacement is under way already.
   */
  replaceLeg(
    call: CallHandle,
    leg: LegName,
    route: OutgoingRoute & { readonly body?: string },
    now: Instant,
  ): LocalRequestHandle | undefined {
    const handle = this.#calls.get(call)?.replace(leg, route, now);
    this.#drain(now);
    return handle;
  }

  /**
   * The callee's leg still rings, and its answers would go where the owner was: a second INVITE with Target-Dialog goes by this route, with the
   * offer for there. `leg-replaced` comes with the first answer. False: nothing rings that could be named.
   */
  takeOver(call: CallHandle, route: OutgoingRoute & { readonly body: string }, now: Instant): boolean {
    const isSent = this.#calls.get(call)?.takeOver(route, now) ?? false;
    this.#drain(now);
    return isSent;
  }

  /**
   * Accepts a `replacement-arrived` with `isEarly`: a provisional answer to the new INVITE, with `body` if the session description is agreed on already; what
   * comes from the callee goes there from now on. False when the old INVITE has been answered meanwhile: then the leg is replaced as any other.
   */
  acceptTakeover(token: Token, path: SignallingPath, body: string | undefined, now: Instant): boolean {
    return this.#decide(token, now, (held) => held.call.acceptTakeover(held, path, body, now));
  }

  /**
   * A `replacement-arrived` is for the peer of the other leg, who knows that dialog by the names there (RFC 5589 §7): it comes again as `call-arrived`,
   * with a Replaces for him once it is routed.
   */
  passOnReplacement(token: Token, now: Instant): boolean {
    return this.#decide(token, now, ({ call, leg, incoming }) => {
      if (incoming === undefined || !call.yieldReplacement(leg, incoming)) return false;
      this.#admit(leg, incoming, now);
      return true;
    });
  }

  /** CANCELs an INVITE of the owner's, or takes a waiting request back; its end comes as `response-arrived`. */
  cancelLocally(request: LocalRequestHandle, now: Instant): void {
    const sent = this.#requests.get(request);
    sent?.leg.sender.cancel(sent.outgoing, now);
    this.#drain(now);
  }

  /** From now on requests, Contacts and responses of this leg use this path; responses that wait for PRACK or ACK are repeated over it. */
  moveLeg(call: CallHandle, leg: LegName, path: SignallingPath, now: Instant): void {
    this.#calls.get(call)?.leg(leg)?.moveTo(path, now);
  }

  /**
   * BYE, CANCEL or a final response (default 480) on every leg that is left. After a leg was lost by BYE the headers of that BYE
   * (Reason …) go on with it.
   */
  endCall(
    call: CallHandle,
    now: Instant,
    options: { readonly statusCode?: number; readonly headers?: readonly HeaderChange[] } = {},
  ): void {
    this.#calls.get(call)?.end(now, options.statusCode ?? 480, options.headers ?? []);
    this.#drain(now);
  }

  /** Whose dialog this is; our tag is the to-tag. Undefined: nobody's, or of an INVITE that was cancelled. */
  findCall(named: Replaces, now: Instant): { readonly call: CallHandle; readonly leg: LegName } | undefined {
    const found = this.userAgent.findReplaced(named, now);
    if (found === undefined || found === 'ended') return undefined;
    const call = callOf(found.leg);
    const leg = call?.nameOf(found.leg);
    const isGivenUp = found.leg.sender.initialInvite?.isCancelled ?? false;
    return call === undefined || leg === undefined || isGivenUp ? undefined : { call: call.handle, leg };
  }

  legOf(call: CallHandle, name: LegName): LegView | undefined {
    const leg = this.#calls.get(call)?.leg(name);
    const dialog = (leg?.mainDialog ?? leg?.allDialogs[0])?.dialog;
    if (leg === undefined || dialog === undefined) return undefined;
    const { callId, localTag, remoteTag, remoteTarget, hasRouteSet } = dialog;
    const state = leg.isEnded || leg.isSuspect ? 'lost' : dialog.state;
    return { callId, localTag, remoteTag, remoteTarget, hasRouteSet, path: leg.path, state };
  }

  /** Answers a request outside calls. */
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    this.#endpoint.respond(transaction, response, now);
  }

  /** Sends a request outside calls; its end comes as `outside-response-arrived`. */
  sendRequest(request: SipRequest, target: SipTarget, now: Instant): ClientTransactionId {
    return this.userAgent.sendOutside(request, target, now);
  }

  /** Rebuilds a request of `request-arrived` on the way out and brings its final response back; 503 when the next hop is unknown. */
  forwardRequest(
    transaction: ServerTransactionId,
    request: SipRequest,
    route: OutgoingRoute,
    now: Instant,
  ): void {
    const { random } = this.userAgent;
    const routed = rebuildOutsideRequest(request, route, this.userAgent, now);
    const target = routed === undefined ? undefined : this.userAgent.resolve(route, routed.nextHop);
    if (routed === undefined || target === undefined) {
      const statusCode = routed === undefined ? 483 : 503;
      this.#endpoint.respond(
        transaction,
        createResponse(request, statusCode, { toTag: randomToken(random, 12) }),
        now,
      );
      return;
    }
    this.#forwarded.set(this.userAgent.sendOutside(routed.request, target, now), { transaction, request });
    this.#drain(now);
  }

  /** See SipEndpoint: the end comes as `kept-flow-failed`. */
  keepFlow(flow: KeptFlow, flowTimerMs: DurationMs | undefined, now: Instant): void {
    this.#endpoint.keepFlow(flow, flowTimerMs, now);
  }

  /** See SipEndpoint: the answer comes as `flow-answered`. */
  checkFlow(flow: KeptFlow, now: Instant): StunTransactionId | undefined {
    return this.#endpoint.checkFlow(flow, now);
  }

  releaseFlow(flow: KeptFlow): void {
    this.#endpoint.releaseFlow(flow);
  }

  addListener(listener: SipListener, now: Instant): void {
    this.#endpoint.addListener(listener, now);
  }

  removeListener(listener: SipListener, now: Instant): void {
    this.userAgent.removeListener(listener, now);
    this.#drain(now);
  }

  emit(event: CallEvent): void {
    this.#events.push(event);
  }

  hold({ call, leg, name, incoming, canContinue, passage }: Omit<Held, 'token'>): Held {
    const token = ++this.#lastNumber;
    const kept: Held = { call, token, leg, name, incoming, canContinue, passage };
    this.#held.set(kept.token, kept);
    return kept;
  }

  release(token: Token): void {
    this.#held.delete(token);
  }

  nameRequest(call: Call, leg: CallLeg, outgoing: OutgoingRequest): LocalRequestHandle {
    this.#requests.set(++this.#lastNumber, { call, leg, outgoing });
    return this.#lastNumber;
  }

  forgetRequest(request: LocalRequestHandle): void {
    this.#requests.delete(request);
  }

  addLeg(leg: CallLeg, call: Call): void {
    leg.owner = call;
  }

  remove(call: Call, now: Instant): void {
    this.#calls.delete(call.handle);
    for (const leg of call.allLegs) this.removeLeg(leg, now);
  }

  removeLeg(leg: CallLeg, now: Instant): void {
    leg.owner = undefined;
    this.userAgent.forget(leg, now);
  }

  #decide(token: Token, now: Instant, decision: (held: Held) => boolean): boolean {
    const held = this.#held.get(token);
    const isTaken = held !== undefined && decision(held);
    held?.call.settle(now);
    this.#drain(now);
    return isTaken;
  }

  #createCall(): Call {
    const call = new Call(++this.#lastNumber, this);
    this.#calls.set(call.handle, call);
    return call;
  }

  #drain(now: Instant): void {
    for (
      let event = this.userAgent.pollEvent(now);
      event !== undefined;
      event = this.userAgent.pollEvent(now)
    ) {
      if (event.kind === 'invite') this.#handleInvite(event.leg, event.incoming, now);
      else if (event.kind === 'outside-request') {
        const { transaction, request, source, local } = event;
        this.emit({ type: 'request-arrived', transaction, request, source, local });
      } else if (event.kind === 'kept-flow-failed') this.emit({ type: 'kept-flow-failed', flow: event.flow });
      else if (event.kind === 'flow-answered') this.emit({ type: 'flow-answered', check: event.check });
      else if (event.kind === 'stray-request') {
        const { method, source, count } = event;
        this.emit({ type: 'stray-request-refused', method, source, count });
      } else if (event.kind === 'outside-response')
        this.#handleOutsideResponse(event.transaction, event.response, now);
      else event.leg.owner?.handleLegEvent(event, now);
    }
  }

  #handleInvite(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    if (incoming.request.headers.has('Replaces')) this.#handleReplacement(leg, incoming, now);
    else if (this.#handleTakeover(leg, incoming, now)) return;
    else if (this.#calls.size >= this.#maximumCalls) leg.respond(incoming, plainAnswer(503), undefined, now);
    else this.#createCall().arrive(leg, incoming);
  }

  /** RFC 3891 §3. The owner decides whether the sender may. */
  #handleReplacement(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    const replaces = replacesOf(incoming.request);
    const isBroken = replaces === undefined || isMalformed(replaces);
    if (isBroken || incoming.request.headers.getAll('Replaces').length !== 1) {
      leg.respond(incoming, plainAnswer(400), undefined, now);
      return;
    }
    const found = this.userAgent.findReplaced(replaces, now);
    if (found === 'ended') leg.respond(incoming, plainAnswer(603), undefined, now);
    if (found === undefined) this.#handleForeignReplacement(leg, incoming, now);
    if (found === undefined || found === 'ended') return;
    const call = callOf(found.leg);
    const statusCode = replacementRefusal(found, call, replaces);
    if (statusCode !== undefined) leg.respond(incoming, plainAnswer(statusCode), undefined, now);
    else if (!call!.offerReplacement(found.leg, leg, incoming))
      leg.respond(incoming, plainAnswer(491), undefined, now);
  }

  /** Of a dialog that is not known here another user agent knows; if the INVITE is for this host it does not exist. */
  #handleForeignReplacement(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    const uri = parseUri(incoming.request.requestUri);
    const isForHere = isMalformed(uri) || uri.kind !== 'sip' || uri.host === incoming.local.address;
    if (isForHere) leg.respond(incoming, plainAnswer(481), undefined, now);
    else this.#admit(leg, incoming, now);
  }

  #admit(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    if (this.#calls.size >= this.#maximumCalls) leg.respond(incoming, plainAnswer(503), undefined, now);
    else {
      this.#endpoint.respond(incoming.transaction, createResponse(incoming.request, 100), now);
      this.#createCall().arrive(leg, incoming);
    }
  }

  /** RFC 4538 §4: a dialog that is not known here is not spoken of here. */
  #handleTakeover(leg: CallLeg, incoming: IncomingRequest, now: Instant): boolean {
    const named = parseTargetDialog(incoming.request.headers.get('Target-Dialog') ?? '');
    if (isMalformed(named)) return false;
    const { callId, localTag: toTag, remoteTag: fromTag } = named;
    const found =
      toTag === undefined
        ? { leg: this.userAgent.findUnacknowledged(callId, fromTag) }
        : this.userAgent.findReplaced({ callId, toTag, fromTag, earlyOnly: false }, now);
    const first = found === undefined || found === 'ended' ? undefined : found.leg;
    const call = first && callOf(first);
    if (first === undefined || call?.nameOf(first) !== 'caller') return false;
    if (!call.offerReplacement(first, leg, incoming)) leg.respond(incoming, plainAnswer(491), undefined, now);
    return true;
  }

  #handleOutsideResponse(
    transaction: ClientTransactionId,
    response: SipResponse | undefined,
    now: Instant,
  ): void {
    const forwarded = this.#forwarded.get(transaction);
    if (forwarded === undefined) {
      this.emit({ type: 'outside-response-arrived', transaction, response });
      return;
    }
    // RFC 4320 §4: a non-INVITE request gets neither 1xx nor a late 408 from here.
    if (response !== undefined && response.statusCode < 200) return;
    this.#forwarded.delete(transaction);
    if (response === undefined) return;
    const { statusCode, reasonPhrase } = response;
    const toTag = toTagOf(response) ?? randomToken(this.userAgent.random, 12);
    const answer = createResponse(forwarded.request, statusCode, { reasonPhrase, toTag });
    writeContent(answer, endToEndContent(response));
    this.#endpoint.respond(forwarded.transaction, answer, now);
  }
}

function callOf({ owner }: CallLeg): Call | undefined {
  return owner instanceof Call ? owner : undefined;
}

function replacementRefusal(
  found: { readonly leg: CallLeg; readonly dialog: LegDialog },
  call: Call | undefined,
  replaces: Replaces,
): number | undefined {
  if (call === undefined) return 603;
  // An early dialog cannot be replaced here (RFC 3891 §3 asks for 481 unless we called): a callee who moves sends UPDATE in it, a caller a
  // second INVITE with Target-Dialog.
  if (found.leg.confirmed !== found.dialog) return 481;
  return replaces.earlyOnly ? 486 : undefined;
}
