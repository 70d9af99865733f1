/**
 * The TRIM application server (TRIM fig. 2, §3.2, §3.3): a back-to-back user agent on ISC that puts an address translator into the media of every
 * session of its users, and takes a mobile node's handover on itself, so that the correspondent never hears of it.
 *
 *   offer / answer from one leg ──NCR──▶ translator ──▶ x:a or y:b in its place ──▶ other leg
 *   handover (re-INVITE, UPDATE or INVITE with Replaces that changes addresses only): session-handovers.ts
 *
 * Whatever fails on the way leaves session and bindings as they were. A BYE that carries a failure as its Reason comes from the core, which
 * released the old contact's dialogs (TS 24.229 §5.4.5.1.2); then, or when the mobile leg stops answering, the session waits for a grace time
 * for an INVITE with Replaces (lost-sessions.ts). Any other BYE is the user's and ends the session.
 */
import { Fifo } from '../../base/fifo.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import { formatTransportAddress } from '../../base/network.ts';
import type { NetworkFunction } from '../../base/network-function.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import type { DiameterEndpointOptions } from '../../protocols/diameter/endpoint.ts';
import { parseSessionDescription, type SessionDescription } from '../../protocols/sdp/session-description.ts';
import { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  CallHandle,
  SignallingPath,
  Token,
} from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { answerOutsideCalls } from '../../protocols/sip/back-to-back-user-agent/local-answer.ts';
import { SipEndpoint, type SipListener } from '../../protocols/sip/endpoint.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { isAboutVersion } from '../../protocols/sip/message/warning.ts';
import type { HostAddress } from '../../protocols/sip/proxy/next-hop.ts';
import { AnchoredSession } from './anchored-session.ts';
import { isHandover } from './handover-offer.ts';
import { LostSessions } from './lost-sessions.ts';
import { RegisteredUsers } from './registered-users.ts';
import { isReleasedByNetwork } from './release-reason.ts';
import { identityOfCaller, onwardRoute, servedUserOf } from './served-user.ts';
import {
  answered,
  inOtherVersion,
  isAtAddresses,
  isOfAnotherFamily,
  offered,
  translated,
} from './session-bindings.ts';
import { SessionHandovers } from './session-handovers.ts';
import { TranslatorControl } from './translator-control.ts';
import type { TranslatorOptions } from './translator-selection.ts';
import type { TrimEvent } from './trim-event.ts';
import { WatchedCalls } from './watched-calls.ts';

type Event<Type extends CallEvent['type']> = Extract<CallEvent, { readonly type: Type }>;

export interface TrimApplicationServerOptions {
  readonly listen: readonly SipListener[];
  /** Of its Contact. */
  readonly address: TransportAddress;
  readonly hosts?: ReadonlyMap<string, HostAddress>;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly locatesServers?: boolean;
  readonly diameter: Omit<DiameterEndpointOptions, 'applications' | 'random'>;
  readonly translators: readonly TranslatorOptions[];
  /** How long a session outlives the loss of its mobile leg; at least 32 s, the time that an INVITE may take (64·T1). */
  readonly graceMs: DurationMs;
  /** Sessions at once; a further one is answered 503, and the S-CSCF's default handling decides. Other tables are sized by it. */
  readonly maximumSessions: number;
  /** Interval of the session timer that is asked for on each leg (RFC 4028); absent: only where the peer of the leg asks. */
  readonly sessionSeconds?: number | undefined;
  readonly random: RandomSource;
}

/** Of a session that is set up with reservations, INVITE, PRACK, UPDATE and BYE are remembered for 32 s; also where sessions are few and move often. */
const leastServerTransactions = 20_000;

export class TrimApplicationServer implements NetworkFunction<never, TrimEvent, never> {
  readonly #options: TrimApplicationServerOptions;
  /** Of all legs. */
  readonly #path: SignallingPath;
  readonly #agent: BackToBackUserAgent;
  readonly #control: TranslatorControl;
  readonly #handovers: SessionHandovers;
  readonly #users = new RegisteredUsers();
  readonly #sessions = new TurnoverMap<CallHandle, AnchoredSession>();
  readonly #lost: LostSessions;
  readonly #watched: WatchedCalls;
  readonly #outputs = new Fifo<NetworkOutput | { readonly kind: 'event'; readonly event: TrimEvent }>();

  constructor(options: TrimApplicationServerOptions) {
    const { listen, hosts, random, sessionSeconds, maximumSessions } = options;
    this.#options = options;
    this.#path = { contact: `<sip:${formatTransportAddress(options.address)}>` };
    this.#lost = new LostSessions(options.graceMs);
    this.#agent = new BackToBackUserAgent({
      endpoint: new SipEndpoint({
        listen,
        random,
        hasOverloadControl: true,
        locatesServers: options.locatesServers ?? false,
        maximumServerTransactions: Math.max(4 * maximumSessions, leastServerTransactions),
      }),
      random,
      sessionSeconds,
      // One more, which is told when to try again.
      maximumCalls: maximumSessions + 1,
      ...(hosts && { hosts }),
    });
    this.#watched = new WatchedCalls({
      agent: this.#agent,
      contact: this.#path.contact,
      sessions: this.#sessions,
      random,
    });
    this.#control = new TranslatorControl(options, this.#sessions);
    this.#handovers = new SessionHandovers({
      agent: this.#agent,
      control: this.#control,
      lost: this.#lost,
      address: options.address,
      path: this.#path,
      tell: (event) => this.#tell(event),
    });
  }

  start(now: Instant): void {
    this.#agent.start(now);
    this.#control.start(now);
    this.#drain(now);
  }

  /** Ends all sessions towards both ends, and takes leave of the translators. */
  stop(now: Instant): void {
    for (const { call } of this.#sessions.values()) this.#agent.endCall(call, now);
    this.#drain(now);
    this.#control.stop(now);
    this.#drain(now);
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Each with whether it answers. */
  get translators(): TranslatorControl['translators'] {
    return this.#control.translators;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#agent.handleInput(input, now);
    this.#control.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#agent.handleTimeout(now);
    this.#control.handleTimeout(now);
    this.#watched.handleTimeout(now);
    this.#drain(now);
    for (let lost = this.#lost.takeDue(now); lost !== undefined; lost = this.#lost.takeDue(now))
      this.#graceTimeOver(lost, now);
    this.#drain(now);
  }

  pollOutput(): NetworkOutput | { readonly kind: 'event'; readonly event: TrimEvent } | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    const network = earlierTimeout(this.#agent.pollTimeout(), this.#control.pollTimeout());
    return earlierTimeout(earlierTimeout(network, this.#lost.pollTimeout()), this.#watched.pollTimeout());
  }

  #drain(now: Instant): void {
    for (;;) {
      const fromAgent = this.#agent.pollOutput();
      if (fromAgent?.kind === 'event') this.#handleCallEvent(fromAgent.event, now);
      else {
        const output = fromAgent ?? this.#control.pollOutput(now);
        if (output === undefined) return;
        this.#outputs.push(output);
      }
    }
  }

  #handleCallEvent(event: CallEvent, now: Instant): void {
    if (event.type === 'call-arrived') this.#anchor(event, now);
    else if (event.type === 'body-arrived') this.#bodyArrived(event, now);
    else if (event.type === 'offer-refused') this.#offerRefused(event, now);
    else if (event.type === 'replacement-arrived') this.#replacementArrived(event, now);
    else if (event.type === 'request-cancelled') this.#requestCancelled(event);
    else if (event.type === 'call-confirmed') this.#confirmed(event.call);
    else if (event.type === 'leg-lost') this.#legLost(event, now);
    else if (event.type === 'response-arrived') this.#answered(event, now);
    else if (event.type === 'call-ended') this.#ended(event.call, now);
    else if (event.type === 'call-cancelled') this.#watched.ended(event.call, now);
    else if (event.type === 'outside-response-arrived') this.#watched.conclude(event, now);
    else if (event.type === 'request-arrived') {
      if (!this.#watched.subscribe(event, now))
        this.#agent.respond(event.transaction, this.#answerOutsideCalls(event.request, now), now);
    } else if (event.type === 'stray-request-refused') this.#tell(event);
  }

  #anchor({ call, token, request }: Event<'call-arrived'>, now: Instant): void {
    const { address, maximumSessions, random } = this.#options;
    const served = servedUserOf(request, (identity) => this.#users.isKnown(identity, now));
    if (this.#sessions.size >= maximumSessions) {
      this.#refuseSession(token, served.identity, 'too many sessions', now);
      return;
    }
    const session = new AnchoredSession(
      call,
      served.leg,
      served.identity,
      address.address,
      random.nextUint32(),
    );
    this.#sessions.set(call, session);
    const originatedBy = served.leg === 'caller' ? 'mobile node' : 'correspondent';
    this.#tell({ type: 'session-anchored', session: call, identity: served.identity, originatedBy });
    this.#agent.routeCall(token, this.#path, onwardRoute(request, this.#path), now);
  }

  #bodyArrived(event: Event<'body-arrived'>, now: Instant): void {
    const session = this.#sessions.get(event.call);
    const description = parseSessionDescription(event.body);
    if (session === undefined || isMalformed(description)) {
      this.#agent.refuse(event.token, 488, 'Session description not understood', now);
      return;
    }
    session.enqueue(now, (at) => {
      const { token, within, message: request } = event;
      if (session.isOver) {
        this.#refuseAsOver(session, token, 481, at);
        session.finishJob(at);
      } else if (within !== undefined) this.#handovers.goOn(session, token, within, description, at);
      else if (request.kind === 'request' && isHandover(session, event, description)) {
        const method = request.method === 'UPDATE' ? 'UPDATE' : 're-INVITE';
        this.#handovers.begin(session, { token, method, request, offer: description }, at);
      } else this.#passOn(session, event, description, at);
    });
  }

  /** What one end says of its media is bound, and the other end is told of the translator instead. */
  #passOn(
    session: AnchoredSession,
    event: Event<'body-arrived'>,
    description: SessionDescription,
    now: Instant,
  ): void {
    const end = session.endOf(event.leg);
    const offer = session.openOffer(end);
    const canFollow = end === 'mobileNode' && isAtAddresses(description);
    if (!canFollow && isOfAnotherFamily(session.components, end, description)) {
      this.#handovers.refuseVersion(event.token, now);
      session.finishJob(now);
      return;
    }
    if (event.role === 'offer') session.hearOffer(end, description);
    else session.hearAnswer(end, description);
    const change =
      event.role === 'offer' || offer === undefined
        ? offered(session.components, end, description)
        : answered(session.components, end, offer, description);
    this.#control.bind(session, change, now, (failure, at) => {
      const other = end === 'mobileNode' ? 'correspondent' : 'mobileNode';
      if (failure === undefined) {
        const text = session.tell(other, translated(session.components, end, description));
        this.#agent.continueWith(event.token, text, at);
      } else if (session.nat === undefined)
        this.#refuseSession(event.token, session.identity, failure.reason, at);
      else this.#agent.refuse(event.token, 503, undefined, at);
      session.finishJob(at);
    });
  }

  /** Perhaps because of the version of IP: the other one is tried, once. */
  #offerRefused({ call, leg, token, response }: Event<'offer-refused'>, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session === undefined) return void this.#agent.continueWith(token, '', now);
    session.enqueue(now, (at) => {
      const end = session.endOf(leg);
      const offer = session.openOffer(end);
      const change = isAboutVersion(response) ? inOtherVersion(session.components, end) : undefined;
      if (offer === undefined || change === undefined) {
        this.#agent.continueWith(token, '', at);
        session.finishJob(at);
        return;
      }
      this.#control.bind(session, change, at, (failure, later) => {
        const from = end === 'mobileNode' ? 'correspondent' : 'mobileNode';
        if (failure === undefined) {
          const text = session.tell(end, translated(session.components, from, offer));
          this.#agent.offerAnew(token, text, later);
        } else this.#agent.continueWith(token, '', later);
        session.finishJob(later);
      });
    });
  }

  #replacementArrived(event: Event<'replacement-arrived'>, now: Instant): void {
    const { call, leg, token, request } = event;
    const session = this.#sessions.get(call);
    const offer = parseSessionDescription(request.body);
    // An attended transfer to the mobile user (RFC 5589 §7): his telephone decides.
    if (session !== undefined && leg !== session.mobileLeg) this.#agent.passOnReplacement(token, now);
    // RFC 3891 §3: only who could have ended the dialog may replace it; inside IMS that is the same asserted identity.
    else if (session === undefined || identityOfCaller(request) !== session.identity)
      this.#agent.refuse(token, 403, undefined, now);
    else if (isMalformed(offer)) this.#agent.refuse(token, 488, 'An offer is needed', now);
    else if (session.isOver) this.#refuseAsOver(session, token, 603, now);
    else
      session.enqueue(now, (at) => {
        const replacement = { token, method: 'INVITE with Replaces', request, offer } as const;
        if (event.isEarly) this.#handovers.takeOver(session, replacement, at);
        else this.#handovers.begin(session, replacement, at);
      });
  }

  #requestCancelled({ call, token }: Event<'request-cancelled'>): void {
    const session = this.#sessions.get(call);
    if (session !== undefined) this.#handovers.cancelled(session, token);
  }

  #confirmed(call: CallHandle): void {
    const session = this.#sessions.get(call);
    if (session !== undefined)
      this.#tell({ type: 'session-established', session: call, translator: session.nat?.translator });
  }

  #legLost({ call, leg, cause, message }: Event<'leg-lost'>, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session === undefined) return;
    const isUsersBye = cause === 'bye' && message !== undefined && !isReleasedByNetwork(message);
    if (cause === 'transport-failed') this.#agent.endCall(call, now, { statusCode: 503 });
    else if (leg !== session.mobileLeg) this.#correspondentLost(session, now);
    else if (isUsersBye) this.#agent.endCall(call, now);
    else if (!session.isOver) this.#mobileLegLost(session, cause, now);
  }

  /** The mobile node may be out of reach just now, and would be in a call with nobody: it is told again when the grace time is over. */
  #correspondentLost(session: AnchoredSession, now: Instant): void {
    const { call, mobileLeg, handover } = session;
    if (this.#agent.sendLocally(call, mobileLeg, { method: 'BYE' }, now) === undefined) {
      this.#agent.endCall(call, now);
      return;
    }
    session.isOver = true;
    this.#lost.add(session, now);
    this.#release(session, now);
    if (handover !== undefined)
      this.#refuseAsOver(
        session,
        handover.token,
        handover.method === 'INVITE with Replaces' ? 603 : 481,
        now,
      );
  }

  /** So the mobile node hears of it: RFC 3261 §12.2.2, and RFC 3891 §3 for the dialog that Replaces names. */
  #refuseAsOver({ call }: AnchoredSession, token: Token, statusCode: 481 | 603, now: Instant): void {
    this.#agent.refuse(token, statusCode, undefined, now);
    this.#agent.endCall(call, now);
  }

  #mobileLegLost(session: AnchoredSession, cause: string, now: Instant): void {
    this.#lost.add(session, now);
    this.#tell({
      type: 'mobile-leg-lost',
      session: session.call,
      cause,
      graceMs: this.#options.graceMs,
    });
  }

  /** Silence is no proof: the mobile node has perhaps been back for long, and its media with it. */
  #graceTimeOver(session: AnchoredSession, now: Instant): void {
    const { call, mobileLeg } = session;
    if (!session.isOver && this.#agent.legOf(call, mobileLeg)?.state === 'confirmed') {
      this.#lost.remove(session);
      return;
    }
    const method = session.isOver ? 'BYE' : 'OPTIONS';
    const question =
      this.#lost.questionOf(session) === undefined
        ? this.#agent.sendLocally(call, mobileLeg, { method }, now)
        : undefined;
    if (question === undefined) this.#agent.endCall(call, now);
    else this.#lost.asked(session, question, now);
  }

  #answered({ call, request, response }: Event<'response-arrived'>, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session === undefined || this.#lost.questionOf(session) !== request) return;
    if (response.statusCode < 300) this.#lost.remove(session);
    else this.#agent.endCall(call, now);
  }

  #ended(call: CallHandle, now: Instant): void {
    const session = this.#sessions.get(call);
    if (session === undefined) return;
    this.#sessions.delete(call);
    this.#lost.remove(session);
    this.#watched.ended(call, now);
    this.#release(session, now);
    this.#tell({ type: 'session-ended', session: call });
  }

  /** Behind whatever is still asked of the translator, so that nothing is installed after the end. */
  #release(session: AnchoredSession, now: Instant): void {
    session.enqueue(now, (at) => {
      this.#control.release(session, at);
      session.finishJob(at);
    });
  }

  #answerOutsideCalls(request: SipRequest, now: Instant): SipResponse {
    if (request.method === 'REGISTER') {
      const { identity, isRegistered } = this.#users.handleRegister(request, now);
      this.#tell({ type: isRegistered ? 'user-registered' : 'user-deregistered', identity });
      return createResponse(request, 200);
    }
    return answerOutsideCalls(request);
  }

  #refuseSession(token: Token, identity: string, reason: string, now: Instant): void {
    this.#agent.answerLocally(
      token,
      { statusCode: 503, headers: [['Retry-After', '5']], path: this.#path },
      now,
    );
    this.#tell({ type: 'session-refused', identity, reason });
  }

  #tell(event: TrimEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}
