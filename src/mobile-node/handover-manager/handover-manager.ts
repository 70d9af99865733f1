/**
 * The handover manager (TRIM fig. 3(b), §3.1, §3.3): stands between the applications and the network, hides the node's addresses from the
 * applications, remembers every session and moves it to another access by re-INVITE, or by INVITE with Replaces when the P-CSCF differs.
 * To softphones it is their outbound proxy at the internal address; no message reaches them because of a handover.
 *
 *   application-side offer/answer ──placed at the access's address──▶ network        network-side ──unchanged──▶ application
 *
 * Moves of sessions are session-moves.ts's. When to hand over and registration are the parent's (mobile-node.ts).
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import { sameTransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { isOutOfReach } from '../../protocols/sdp/media-address.ts';
import { parseSessionDescription, type SessionDescription } from '../../protocols/sdp/session-description.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  CallHandle,
  LegName,
  SignallingPath,
  Token,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { answerOutsideCalls } from '../../protocols/sip/back-to-back-user-agent/local-answer.ts';
import { fromOf, toOf, topViaOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatUri, userPartOf } from '../../protocols/sip/message/sip-uri.ts';
import { addressFormatWarning } from '../../protocols/sip/message/warning.ts';
import type { LocalAddressTranslator } from '../address-translator/local-address-translator.ts';
import { ApplicationRegistrar } from './application-registrar.ts';
import {
  applicationPath,
  comesFromProxy,
  routeToApplication,
  routeToNetwork,
  userOf,
} from './call-routing.ts';
import type { HandoverEvent } from './handover-event.ts';
import { MobileSession } from './mobile-session.ts';
import { type NetworkAccess, signallingPathOf } from './network-access.ts';
import { RingingWatches } from './ringing-watches.ts';
import { SessionFlows } from './session-flows.ts';
import { isAtInternalAddress } from './session-media.ts';
import { SessionMoves } from './session-moves.ts';
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
  readonly #moves: SessionMoves;
  readonly #ringing: RingingWatches;
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
    const { agent, translator, publicIdentity, internalAddress } = options;
    const { withReservation, joinsVersions, graceMs } = options;
    this.#options = options;
    this.#agent = agent;
    this.#translator = translator;
    this.#moves = new SessionMoves({
      ...{ agent, translator, publicIdentity, internalAddress, withReservation, joinsVersions, graceMs },
      accesses: this.#accesses,
      rangOn: (session, access, now) => this.#rangOn(session, access, now),
      tell: (event) => this.#events.push(event),
    });
    this.#ringing = new RingingWatches({ agent, publicIdentity, random: options.random });
    this.#standIns = new StandInAddresses(options.internalAddress);
    this.flows = new SessionFlows(() => this.sessions, options.translator);
  }

  /** An access has an address, or other routes than before. What was set up by another P-CSCF has lost its way. */
  setAccess(access: NetworkAccess): void {
    for (const session of this.#sessions.values())
      if (
        session.access.address === access.address &&
        !sameTransportAddress(session.proxyCscf, access.proxyCscf)
      )
        session.isInDoubt = true;
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
    for (const session of this.#sessions.values()) this.#moves.move(session, access, now);
  }

  /** Tells the network again of the sessions that stay with this access although their way has changed. */
  renewSessions(index: number, now: Instant): void {
    const access = this.#accesses.get(index);
    if (access === undefined) return;
    for (const session of this.#sessions.values())
      if (session.isInDoubt && session.access.address === access.address)
        this.#moves.move(session, access, now);
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
    else if (event.type === 'leg-replaced') this.#replaced(event.call, now);
    // It rings on: its access is gone, which is known, or the answer comes another way (RFC 3261 §18.2.2).
    else if (event.type === 'leg-lost' && event.cause !== 'transport-failed') this.#lost(event, now);
    else if (event.type === 'call-ended') this.#ended(event.call);
    else if (event.type === 'request-arrived')
      this.#agent.respond(event.transaction, this.#answerOutsideCalls(event, now), now);
    // Nobody but the node itself replaces its legs: whose dialog it is, the user agent at the other one's end, decides.
    else if (event.type === 'replacement-arrived') this.#agent.passOnReplacement(event.token, now);
  }

  /** A NOTIFY: the status code of its answer; undefined when it is not of a subscription here. */
  handleNotification(request: SipRequest, now: Instant): number | undefined {
    const news = this.#ringing.take(request, now);
    if (news?.endedCall !== undefined) this.#agent.endCall(news.endedCall, now, { statusCode: 487 });
    return news?.statusCode;
  }

  /** False when the response is not to a request from here. */
  handleOutsideResponse({ transaction, response }: Event<'outside-response-arrived'>, now: Instant): boolean {
    const news = this.#ringing.conclude(transaction, response, now);
    if (news?.endedCall !== undefined) this.#agent.endCall(news.endedCall, now, { statusCode: 487 });
    return news !== undefined;
  }

  #rangOn({ call, networkLeg, unanswered }: MobileSession, access: NetworkAccess, now: Instant): void {
    const leg = this.#agent.legOf(call, networkLeg);
    this.#ringing.forget(call);
    if (unanswered === undefined && leg !== undefined) this.#ringing.watch(call, leg, access, now);
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
    if (fromNetwork && event.role === 'offer' && isBeyond(session, description))
      return void this.#refuseVersion(session, event.token, now);
    if (fromNetwork && session.repeatsAnswer) {
      // The application has it already (RFC 6337 §2.2: one answer to an offer).
      session.repeatsAnswer = false;
      session.hearMoveAnswer(description);
      this.#moves.setMedia(session);
      return void this.#agent.continueWith(event.token, '', now);
    }
    const said = fromNetwork
      ? session.fromNetwork(description, event.role, this.#standIns)
      : { description, role: event.role };
    session.hear(fromNetwork ? 'network' : 'application', said);
    if (event.role === 'answer' && !this.#moves.agreed(session, now))
      return void this.#agent.refuse(event.token, 500, 'Media collide with those of another session', now);
    const text = fromNetwork ? session.toApplication(said.description) : session.toNetwork(description);
    this.#agent.continueWith(event.token, text, now);
  }

  /** The application does not hear of it: the network may offer the other version of IP. */
  #refuseVersion({ access }: MobileSession, token: Token, now: Instant): void {
    const agent = { address: access.address, port: access.signallingPort };
    const warning = addressFormatWarning(agent, 'This access has the other version of IP');
    this.#agent.answerLocally(token, { statusCode: 488, headers: [['Warning', warning]] }, now);
  }

  #confirmed(call: CallHandle, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session === undefined || session.isConfirmed) return;
    session.isConfirmed = true;
    this.#ringing.forget(call);
    const { id, peer, access, networkLeg } = session;
    this.#events.push({ type: 'session-established', session: id, peer, access: access.name });
    if (networkLeg === 'callee') this.#moves.knownAsConfirmed(session, now);
  }

  #acknowledged({ call, leg }: Event<'ack-arrived'>, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session?.networkLeg === leg && !session.isKnownAsConfirmed)
      this.#moves.knownAsConfirmed(session, now);
  }

  #answered(event: Event<'response-arrived'>, now: Instant): void {
    const session = this.#sessions.get(event.call);
    if (session !== undefined) this.#moves.answered(session, event, now);
  }

  #replaced(call: CallHandle, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session !== undefined) this.#moves.replaced(session, now);
  }

  #lost(event: Event<'leg-lost'>, now: Instant): void {
    const session = this.#sessions.get(event.call);
    if (session === undefined) return;
    const isOfNetwork = event.leg === session.networkLeg;
    const isExpected = this.#isMoving || session.move !== undefined;
    const isWaitedFor = session.isConfirmed && !session.isOver && (isExpected || event.cause !== 'bye');
    if (session.isOver && event.cause !== 'bye') return;
    if (!isOfNetwork && session.isConfirmed) return void this.#moves.sayGoodbye(session, now);
    if (!isWaitedFor) return void this.#agent.endCall(event.call, now);
    session.lostUntil = now + this.#options.graceMs;
    this.#events.push({ type: 'session-suspended', session: session.id, cause: event.cause });
    if (!isExpected) this.#moves.return(session, now);
  }

  #ended(call: CallHandle): void {
    const session = this.#sessions.get(call);
    if (session === undefined) return;
    this.#sessions.delete(call);
    this.#ringing.forget(call);
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

/** What sets a session up is at addresses that the access does not reach. One that is there moves, and is told of others. */
function isBeyond({ agreement, access }: MobileSession, offer: SessionDescription): boolean {
  return agreement === undefined && isOutOfReach(offer, access.address);
}
