/**
 * The handover manager (TRIM fig. 3(b), §3.1, §3.3): stands between the applications and the network, hides the node's addresses from the
 * applications, remembers every session and moves it to another access by re-INVITE, or by INVITE with Replaces when the P-CSCF differs.
 * To softphones it is their outbound proxy at the internal address; no message reaches them because of a handover.
 *
 *   application-side offer/answer ──placed at the access's address──▶ network        network-side ──unchanged──▶ application
 *
 *   carried by A ──moveSession(B)──▶ accepted on B, INVITE over B ──200──▶ uplink by B ──dismiss(A)──▶ carried by B
 *                                            └──failure──▶ B dismissed, carried by A as before
 *
 * A call that still rings stays where it is while it can; when the access is gone it goes too (early-takeover.ts, move-requests.ts).
 * When to hand over and registration are the parent's (mobile-node.ts).
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { familyOf } from '../../base/ip-address.ts';
import type { Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { parseSessionDescription } from '../../protocols/sdp/session-description.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  CallHandle,
  LegName,
  SignallingPath,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { fromOf, rseqOf, toOf, topViaOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatUri, userPartOf } from '../../protocols/sip/message/sip-uri.ts';
import type { LocalAddressTranslator } from '../address-translator/local-address-translator.ts';
import { ApplicationRegistrar } from './application-registrar.ts';
import {
  answerOutsideCalls,
  applicationPath,
  comesFromProxy,
  routeToApplication,
  routeToNetwork,
  userOf,
} from './call-routing.ts';
import type { HandoverEvent, SessionMoveMethod } from './handover-event.ts';
import { MobileSession, type Move } from './mobile-session.ts';
import { MoveRequests } from './move-requests.ts';
import { type NetworkAccess, signallingPathOf } from './network-access.ts';
import { SessionFlows } from './session-flows.ts';
import { descriptionOf, isAtInternalAddress } from './session-media.ts';
import { StandInAddresses } from './stand-in-addresses.ts';

type Event<Type extends CallEvent['type']> = Extract<CallEvent, { readonly type: Type }>;

export interface HandoverManagerOptions {
  /** The IMPU of the node, a SIP URI. */
  readonly publicIdentity: string;
  readonly internalAddress: string;
  /** Where applications reach the manager on the internal address. */
  readonly applicationPort: number;
  /** Ask for resources on the new access before a session moves there (TRIM fig. 6: 183, PRACK, UPDATE). */
  readonly withReservation: boolean;
  /** Whether this host translates between IPv4 and IPv6; it does by default. */
  readonly joinsVersions?: boolean;
  /** How long a session is kept whose network leg was ended by the core; at least 32 s (64·T1), the time an INVITE may take. */
  readonly graceMs: DurationMs;
  /** Address of the home agent where that is the node's SIP proxy too: calls come from there as from the accesses' own proxies. */
  readonly homeProxy?: string;
  readonly agent: BackToBackUserAgent;
  readonly translator: LocalAddressTranslator;
  readonly random: RandomSource;
}

export class HandoverManager {
  readonly #options: HandoverManagerOptions;
  readonly #agent: BackToBackUserAgent;
  readonly #translator: LocalAddressTranslator;
  readonly #requests: MoveRequests;
  readonly flows: SessionFlows;
  readonly #standIns: StandInAddresses;
  readonly #registrar = new ApplicationRegistrar();
  readonly #sessions = new Map<CallHandle, MobileSession>();
  readonly #events: HandoverEvent[] = [];
  /** Every access that has an address now, by index. */
  readonly #accesses = new Map<number, NetworkAccess>();
  /** Carries new sessions. */
  #current: NetworkAccess | undefined;
  /** While a handover runs the core may end legs of the old contact; such a session is waited for. */
  #isMoving = false;

  constructor(options: HandoverManagerOptions) {
    const { agent, publicIdentity, withReservation } = options;
    this.#options = options;
    this.#agent = agent;
    this.#requests = new MoveRequests(agent, publicIdentity, withReservation);
    this.#translator = options.translator;
    this.#standIns = new StandInAddresses(options.internalAddress);
    this.flows = new SessionFlows(() => this.sessions, options.translator);
  }

  /** An access has an address, or other routes than before. */
  setAccess(access: NetworkAccess): void {
    this.#accesses.set(access.index, access);
    if (this.#current?.index === access.index) this.#current = access;
  }

  removeAccess(index: number, now: Instant): void {
    const access = this.#accesses.get(index);
    if (access !== undefined) this.dismissAccess(access);
    for (const session of this.#sessions.values())
      if (session.access.index === index) session.strand(now + this.#options.graceMs);
    this.#accesses.delete(index);
    if (this.#current?.index === index) this.#current = undefined;
  }

  /** New sessions are set up over this access. */
  useForNewSessions(index: number): void {
    this.#current = this.#accesses.get(index);
  }

  /** Between the decision for another access and the end of the handover. */
  setMoving(isMoving: boolean): void {
    this.#isMoving = isMoving;
  }

  get sessions(): readonly MobileSession[] {
    return [...this.#sessions.values()];
  }

  pollEvent(): HandoverEvent | undefined {
    return this.#events.shift();
  }

  pollTimeout(): Timeout | undefined {
    const ends = this.sessions.flatMap(({ lostUntil }) => lostUntil ?? []);
    return ends.length === 0 ? undefined : { at: Math.min(...ends), reason: 'grace time of a session' };
  }

  handleTimeout(now: Instant): void {
    for (const session of this.sessions) {
      if (session.lostUntil !== undefined && session.lostUntil <= now) this.#agent.endCall(session.call, now);
    }
  }

  /** Starts to move every session that is not carried by the access; each ends in `session-moved` or `session-move-failed`. */
  moveSessions(index: number, now: Instant): void {
    const access = this.#accesses.get(index);
    if (access === undefined) return;
    for (const session of this.#sessions.values()) this.#moveSession(session, access, now);
  }

  /** Moves that are under way to this access are given up. */
  abandonMoves(index: number, now: Instant): void {
    for (const session of this.#sessions.values()) {
      if (session.destination?.index === index) session.destination = undefined;
      if (session.move?.access.index === index) this.#agent.cancelLocally(session.move.request, now);
    }
  }

  /** Sessions that have moved away are no longer accepted over the access they came from. */
  dismissAccess(access: NetworkAccess): void {
    for (const session of this.#sessions.values()) {
      if (session.access.address !== access.address && session.move?.access.address !== access.address)
        this.#translator.dismiss(session.id, access);
    }
  }

  handleCallEvent(event: CallEvent, now: Instant): void {
    if (event.type === 'call-arrived') this.#route(event, now);
    else if (event.type === 'body-arrived') this.#translate(event, now);
    else if (event.type === 'call-confirmed') this.#confirmed(event.call, now);
    else if (event.type === 'ack-arrived') this.#acknowledged(event, now);
    else if (event.type === 'response-arrived') this.#answered(event, now);
    else if (event.type === 'leg-replaced') this.#replaced(event, now);
    // It rings on: its access is gone, which is known, or the answer comes another way (RFC 3261 §18.2.2).
    else if (event.type === 'leg-lost' && event.cause !== 'transport-failed') this.#lost(event, now);
    else if (event.type === 'call-ended') this.#ended(event.call);
    else if (event.type === 'request-arrived')
      this.#agent.respond(event.transaction, this.#answerOutsideCalls(event, now), now);
    // Nobody but the node itself replaces its legs.
    else if (event.type === 'replacement-arrived') this.#agent.refuse(event.token, 403, undefined, now);
  }

  #route(event: Event<'call-arrived'>, now: Instant): void {
    if (event.local.address === this.#options.internalAddress) this.#routeOutgoing(event, now);
    else if (comesFromProxy(event.source, this.#accesses.values(), this.#options.homeProxy))
      this.#routeIncoming(event, now);
    else this.#agent.refuse(event.token, 403, 'Not from the P-CSCF', now);
  }

  #routeOutgoing(event: Event<'call-arrived'>, now: Instant): void {
    const access = this.#current;
    const route = access && routeToNetwork(event.request, access, this.#options.publicIdentity);
    if (access === undefined || route === undefined)
      return void this.#agent.refuse(event.token, 503, 'No access network', now);
    this.#remember(event.call, 'callee', formatUri(toOf(event.request).uri), access);
    const path = this.#applicationPath(topViaOf(event.request).transport);
    this.#agent.routeCall(event.token, path, route, now);
  }

  #routeIncoming(event: Event<'call-arrived'>, now: Instant): void {
    const access = [...this.#accesses.values()].find(({ address }) => address === event.local.address);
    const application = this.#registrar.find(userPartOf(event.request.requestUri), now);
    if (access === undefined || application === undefined)
      return void this.#agent.refuse(event.token, 480, 'No application is registered', now);
    this.#remember(event.call, 'caller', formatUri(fromOf(event.request).uri), access);
    const path = this.#applicationPath(application.parameters.get('transport'));
    const outgoing = routeToApplication(application, path);
    const user = userOf(this.#options.publicIdentity);
    this.#agent.routeCall(event.token, signallingPathOf(access, user), outgoing, now);
  }

  #remember(call: CallHandle, networkLeg: LegName, peer: string, access: NetworkAccess): void {
    const originId = this.#options.random.nextUint32();
    this.#sessions.set(call, new MobileSession(call, networkLeg, peer, access, originId));
  }

  #translate(event: Event<'body-arrived'>, now: Instant): void {
    const session = this.#sessions.get(event.call);
    const description = parseSessionDescription(event.body);
    if (session === undefined || isMalformed(description))
      return void this.#agent.refuse(event.token, 488, 'Session description not understood', now);
    const fromNetwork = event.leg === session.networkLeg;
    if (!fromNetwork && !isAtInternalAddress(description, this.#options.internalAddress)) {
      const reason = `Media must be at ${this.#options.internalAddress}`;
      return void this.#agent.refuse(event.token, 488, reason, now);
    }
    if (fromNetwork && session.repeatsAnswer) {
      // The application has it already (RFC 6337 §2.2: one answer to an offer).
      session.repeatsAnswer = false;
      session.hearMoveAnswer(description);
      this.#setMedia(session);
      return void this.#agent.continueWith(event.token, '', now);
    }
    const said = fromNetwork
      ? session.fromNetwork(description, event.role, this.#standIns)
      : { description, role: event.role };
    session.hear(fromNetwork ? 'network' : 'application', said);
    if (event.role === 'answer' && !this.#agreed(session, now))
      return void this.#agent.refuse(event.token, 500, 'Media collide with those of another session', now);
    const text = fromNetwork ? session.toApplication(said.description) : session.toNetwork(description);
    this.#agent.continueWith(event.token, text, now);
  }

  /**
   * False when the media cannot be told from those of another session. A re-INVITE that moves the session has waited for the change
   * (RFC 3261 §14.1), and offers what was before it.
   */
  #agreed(session: MobileSession, now: Instant): boolean {
    const { move } = session;
    if (move !== undefined && !move.isReplacement) {
      move.isOutdated = true;
      this.#agent.cancelLocally(move.request, now);
    }
    return this.#setMedia(session);
  }

  #setMedia(session: MobileSession): boolean {
    const { agreement, move } = session;
    if (agreement === undefined) return true;
    const accesses = move ? ([session.access, move.access] as const) : ([session.access] as const);
    return this.#translator.setMedia(session.id, session.bindings(), accesses).length === 0;
  }

  #confirmed(call: CallHandle, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session === undefined || session.isConfirmed) return;
    session.isConfirmed = true;
    const { id, peer, access, networkLeg } = session;
    this.#events.push({ type: 'session-established', session: id, peer, access: access.name });
    if (networkLeg === 'callee') this.#knownAsConfirmed(session, now);
  }

  #acknowledged({ call, leg }: Event<'ack-arrived'>, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session?.networkLeg === leg && !session.isKnownAsConfirmed) this.#knownAsConfirmed(session, now);
  }

  /** A node that moved while it rang takes the session along now. */
  #knownAsConfirmed(session: MobileSession, now: Instant): void {
    session.isKnownAsConfirmed = true;
    if (session.destination !== undefined && session.move === undefined)
      this.#startMove(session, session.destination, now);
  }

  #moveSession(session: MobileSession, access: NetworkAccess, now: Instant): void {
    // One that moves goes on from where it is on its way to (`#goOn`).
    if (session.isMoving || session.access.address !== access.address) session.destination = access;
    if (session.isMoving || session.access.address === access.address) return;
    if (session.isKnownAsConfirmed && session.agreement !== undefined) this.#startMove(session, access, now);
    else if (!this.#accesses.has(session.access.index)) this.#moveUnanswered(session, access, now);
  }

  /** Also to the access that carries the session: then it is a return, after a move of which nobody knows whether the AS saw it. */
  #startMove(session: MobileSession, access: NetworkAccess, now: Instant): void {
    const { internalAddress, joinsVersions = true } = this.#options;
    if (!joinsVersions && familyOf(access.address) !== familyOf(internalAddress))
      return void this.#moveFailed(session, access, 488, 'No translation between IPv4 and IPv6');
    const { offer, text } = session.moveOffer(access, this.#options.withReservation);
    session.startedAt = now;
    // Accepted before the address is told: the translator may send there as soon as it knows.
    this.#translator.accept(session.id, access);
    const isReplacement = this.#requests.needsReplacement(session, access);
    const request = isReplacement
      ? this.#requests.replaceLeg(session, access, text, now)
      : this.#requests.reinvite(session, access, text, !this.#accesses.has(session.access.index), now);
    if (request === undefined) this.#moveFailed(session, access, 481, 'No dialog');
    else
      session.move = {
        access,
        request,
        isReplacement,
        offer,
        isOutdated: false,
        answer: undefined,
        reservation: undefined,
      };
  }

  /** The node's old place is gone, and nobody has answered yet, or the network may not know of it. */
  #moveUnanswered(session: MobileSession, access: NetworkAccess, now: Instant): void {
    if (session.isConfirmed) {
      this.#requests.answerFrom(session, access, now);
      this.#startMove(session, access, now);
      return;
    }
    const offer = session.setUpOffer(access);
    const isAgreed = session.agreement !== undefined;
    if (session.networkLeg === 'callee') {
      if (offer === undefined || !this.#requests.takeOver(session, access, offer, now)) return;
      session.unanswered = 'taking over';
      session.repeatsAnswer = isAgreed;
      session.proxyCscf = access.proxyCscf;
    } else session.unanswered = this.#requests.ringOn(session, access, isAgreed ? offer : undefined, now);
    session.lostUntil = undefined;
    session.startedAt = now;
    session.access = access;
    this.#translator.accept(session.id, access);
    this.#translator.move(session.id, access);
  }

  /** By INVITE with Replaces the rest follows with its 200. */
  #replaced({ call }: Event<'leg-replaced'>, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session?.unanswered === 'taking over')
      this.#movedUnanswered(session, 'INVITE with Target-Dialog', now);
  }

  #movedUnanswered(session: MobileSession, method: SessionMoveMethod, now: Instant): void {
    session.unanswered = undefined;
    this.#tellMoved(session, method, now);
    this.#goOn(session, session.access, now);
  }

  #answered(event: Event<'response-arrived'>, now: Instant): void {
    const session = this.#sessions.get(event.call);
    if (session === undefined) return;
    if (session.unanswered === event.request) this.#updated(session, event.response, now);
    const { move } = session;
    if (move === undefined) return;
    const { statusCode, reasonPhrase } = event.response;
    if (event.request === move.reservation && statusCode >= 300) this.#agent.cancelLocally(move.request, now);
    if (event.request !== move.request) return;
    if (statusCode < 200) this.#reserve(session, move, event.response, now);
    else if (statusCode < 300) this.#moved(session, move, event.response, now);
    else {
      session.move = undefined;
      // The dialog is gone on the other side (the core ended it, or the AS replaced it): by Replaces, then.
      const isDialogGone = statusCode === 481 && !move.isReplacement;
      if (isDialogGone || move.isOutdated) this.#startMove(session, move.access, now);
      else {
        this.#moveFailed(session, move.access, statusCode, reasonPhrase);
        const { destination = session.access } = session;
        if (destination.address === session.access.address)
          this.#afterFailure(session, move, statusCode, now);
        else this.#goOn(session, move.access, now);
      }
    }
  }

  /**
   * The answer came ahead of the 200 because the network waits: for reservations, or for an access of the other version of IP to be ready for
   * what comes from the place that it names. The new access carries the session's data, so they are there.
   */
  #reserve(session: MobileSession, move: Move, response: SipResponse, now: Instant): void {
    const answer = descriptionOf(response.body);
    if (answer === undefined || move.reservation !== undefined || rseqOf(response) === undefined) return;
    move.answer = answer;
    this.#translator.accept(session.id, move.access, session.bindings(answer));
    move.reservation = this.#requests.reserved(session, move, session.reservedOffer(move, answer), now);
  }

  #moved(session: MobileSession, move: Move, response: SipResponse, now: Instant): void {
    const { access, isReplacement } = move;
    const answer = descriptionOf(response.body) ?? move.answer;
    const former = session.access;
    session.move = undefined;
    session.lostUntil = undefined;
    session.access = access;
    if (answer !== undefined) session.hearMoveAnswer(answer);
    this.#translator.move(session.id, access, session.bindings());
    if (!this.#accesses.has(former.index)) this.#translator.dismiss(session.id, former);
    if (isReplacement) session.proxyCscf = access.proxyCscf;
    this.#setMedia(session);
    this.#tellMoved(session, isReplacement ? 'INVITE with Replaces' : 're-INVITE', now);
    this.#goOn(session, access, now);
  }

  #tellMoved({ id, access, startedAt }: MobileSession, method: SessionMoveMethod, now: Instant): void {
    this.#events.push({
      type: 'session-moved',
      session: id,
      access: access.name,
      sipMs: now - startedAt,
      method,
    });
  }

  /** An UPDATE that failed: the session moves once it is confirmed. */
  #updated(session: MobileSession, response: SipResponse, now: Instant): void {
    const answer = descriptionOf(response.body);
    session.unanswered = undefined;
    if (response.statusCode >= 300) return;
    session.destination = undefined;
    if (answer !== undefined) session.hearMoveAnswer(answer);
    this.#setMedia(session);
    this.#movedUnanswered(session, 'UPDATE', now);
  }

  #afterFailure(session: MobileSession, move: Move, statusCode: number, now: Instant): void {
    const isReturn = move.access.address === session.access.address;
    // No answer, or none that could arrive: the AS may have seen the move or not.
    if (!isReturn && (statusCode === 408 || statusCode === 503)) this.#return(session, now);
    else if (isReturn && (statusCode === 481 || statusCode === 603)) this.#agent.endCall(session.call, now);
  }

  /** Tells the AS again over the access that still carries the session where its media are. */
  #return(session: MobileSession, now: Instant): void {
    const isPossible = session.move === undefined && session.agreement !== undefined;
    if (isPossible && this.#accesses.has(session.access.index)) this.#startMove(session, session.access, now);
  }

  #moveFailed(session: MobileSession, access: NetworkAccess, statusCode: number, reason: string): void {
    if (access.address !== session.access.address) this.#translator.dismiss(session.id, access);
    if (session.destination?.address === access.address) session.destination = undefined;
    this.#events.push({
      type: 'session-move-failed',
      session: session.id,
      access: access.name,
      statusCode,
      reason,
    });
  }

  /** The node moved on while this session was still on its way. */
  #goOn(session: MobileSession, arrived: NetworkAccess, now: Instant): void {
    const { destination } = session;
    session.destination = undefined;
    if (destination !== undefined && destination.address !== arrived.address)
      this.#moveSession(session, destination, now);
  }

  #lost(event: Event<'leg-lost'>, now: Instant): void {
    const session = this.#sessions.get(event.call);
    if (session === undefined) return;
    const isExpected = this.#isMoving || session.move !== undefined;
    const isWaitedFor =
      event.leg === session.networkLeg && session.isConfirmed && (isExpected || event.cause !== 'bye');
    if (!isWaitedFor) {
      this.#agent.endCall(event.call, now);
      return;
    }
    session.lostUntil = now + this.#options.graceMs;
    this.#events.push({ type: 'session-suspended', session: session.id, cause: event.cause });
    if (!isExpected) this.#return(session, now);
  }

  #ended(call: CallHandle): void {
    const session = this.#sessions.get(call);
    if (session === undefined) return;
    this.#sessions.delete(call);
    this.#translator.release(session.id);
    this.#events.push({ type: 'session-ended', session: session.id });
  }

  #answerOutsideCalls({ request, local }: Event<'request-arrived'>, now: Instant): SipResponse {
    const isOfApplication = local.address === this.#options.internalAddress;
    return request.method === 'REGISTER' && isOfApplication
      ? this.#registrar.register(request, now)
      : answerOutsideCalls(request);
  }

  #applicationPath(transport: string | undefined): SignallingPath {
    const { internalAddress: address, applicationPort: port, publicIdentity } = this.#options;
    return applicationPath({ address, port }, userOf(publicIdentity), transport);
  }
}
