/**
 * S-CSCF (TRIM Fig. 1): registrar, session control and the way to the application servers of its users. This file puts its parts
 * together: SIP (proxy core), Cx (client of the HSS), registration-service.ts, session-service.ts.
 * Follows TS 23.228 §4.6.3 and TS 24.229 §5.4; the parts name what they follow and leave out.
 */
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { avpValue, avpValues } from '../../protocols/diameter/avp.ts';
import { type CxAnswer, CxClient } from '../../protocols/diameter/cx-client.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import { SipEndpoint } from '../../protocols/sip/endpoint.ts';
import { formatHostPort, parseSipUri } from '../../protocols/sip/message/sip-uri.ts';
import type { ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import type { ClientTransactionId, ServerTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { canonicalIdentity, Registrar } from './registrar.ts';
import { RegistrationService, type RegistrationSubject } from './registration-service.ts';
import { ServedDialogs } from './served-dialogs.ts';
import type { ServingCscfEvent } from './serving-cscf-event.ts';
import type { ServingCscfContext, ServingCscfOptions } from './serving-cscf-options.ts';
import { SessionService, type SessionSubject } from './session-service.ts';

export class ServingCscf implements NetworkFunction<never, ServingCscfEvent, never> {
  readonly #context: ServingCscfContext;
  readonly #registrations: RegistrationService;
  readonly #sessions: SessionService;

  constructor(options: ServingCscfOptions) {
    const { listen, random, address, name, hosts, diameter } = options;
    const timers = options.timers === undefined ? {} : { timers: options.timers };
    const endpoint = new SipEndpoint({ listen, random, ...timers });
    const ownName = parseSipUri(name);
    const names = isMalformed(ownName) ? [] : [ownName.host];
    const ownNames = [formatHostPort(address.address, address.port), ...names];
    const proxy = new SipProxy({ endpoint, ownNames, hosts, ...timers });
    this.#context = {
      options,
      proxy,
      cx: new CxClient<RegistrationSubject | SessionSubject>(diameter, random),
      registrar: new Registrar(),
      dialogs: new ServedDialogs(proxy, hosts),
      events: [],
    };
    this.#registrations = new RegistrationService(this.#context);
    this.#sessions = new SessionService(this.#context);
  }

  start(now: Instant): void {
    this.#context.cx.start(now);
    this.#context.proxy.start(now);
  }

  /** Takes leave of the HSS. Users stay registered there: this S-CSCF may come back. */
  stop(now: Instant): void {
    this.#context.cx.stop(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#context.cx.handleInput(input, now);
    this.#context.proxy.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#registrations.expire(now);
    this.#context.cx.handleTimeout(now);
    this.#context.proxy.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    const { cx, proxy, registrar } = this.#context;
    return earlierTimeout(earlierTimeout(proxy.pollTimeout(), cx.pollTimeout()), registrar.pollTimeout());
  }

  pollOutput(): NetworkOutput | EventOutput<ServingCscfEvent> | undefined {
    const event = this.#context.events.shift();
    if (event !== undefined) return { kind: 'event', event };
    return this.#context.cx.pollOutput() ?? this.#context.proxy.pollOutput();
  }

  /** An answer of the HSS may make SIP events and the reverse, so both queues are emptied until neither has anything. */
  #handleEvents(now: Instant): void {
    const { cx, proxy } = this.#context;
    for (;;) {
      const event = proxy.pollEvent(now);
      if (event !== undefined) this.#handleSipEvent(event, now);
      const answer = cx.pollAnswer();
      if (answer !== undefined) this.#handleAnswer(answer, now);
      const request = cx.pollRequest();
      if (request !== undefined) this.#handleCxRequest(request, now);
      if (event === undefined && answer === undefined && request === undefined) return;
    }
  }

  #handleSipEvent(event: ProxyEvent, now: Instant): void {
    switch (event.kind) {
      case 'request':
        if (event.request.method === 'REGISTER') {
          this.#registrations.handleRegister(event.transaction, event.request, now);
        } else this.#sessions.handleRequest(event, now);
        break;
      case 'ack':
        this.#context.proxy.forwardAck(event.request, {}, now);
        break;
      case 'response-chosen':
        this.#sessions.handleResponse(event, now);
        break;
      case 'response':
        this.#concludeThirdParty(event.transaction, event, now);
        break;
      case 'timed-out':
      case 'transport-failed':
        this.#concludeThirdParty(event.transaction as ClientTransactionId, {}, now);
        break;
      case 'terminated':
        this.#sessions.forget(event.transaction as ServerTransactionId);
        break;
      default:
        break;
    }
  }

  #concludeThirdParty(
    transaction: ClientTransactionId,
    { response }: { readonly response?: Extract<ProxyEvent, { kind: 'response' }>['response'] },
    now: Instant,
  ): void {
    const user = this.#registrations.thirdParties.conclude(transaction, response);
    if (user !== undefined) this.#registrations.deregister(user, 'application-server', now);
  }

  #handleAnswer(answer: CxAnswer<RegistrationSubject | SessionSubject>, now: Instant): void {
    const { subject, ...rest } = answer;
    if (subject.kind === 'unregistered-user') this.#sessions.handleAnswer({ subject, ...rest }, now);
    else this.#registrations.handleAnswer({ subject, ...rest }, now);
  }

  /** RTR (TS 29.228 §6.1.3) ends registrations. PPR is refused until profiles can change while a user is registered. */
  #handleCxRequest(
    request: NonNullable<ReturnType<ServingCscfContext['cx']['pollRequest']>>,
    now: Instant,
  ): void {
    const { cx, registrar } = this.#context;
    if (request.command.code !== cxCommands.registrationTermination.code) {
      cx.answer(request, resultCode.unableToComply);
      return;
    }
    const identities = avpValues(request.avps, cxAvps.publicIdentity);
    // Without any, all that the private identity has registered (TS 29.228 §6.1.3.1).
    const users =
      identities.length > 0
        ? identities.map((identity) => registrar.find(canonicalIdentity(identity)))
        : [registrar.findPrivate(avpValue(request.avps, baseAvps.userName) ?? '')];
    for (const user of new Set(users)) {
      if (user !== undefined) this.#registrations.deregister(user, 'home-subscriber-server', now);
    }
    cx.answer(request, resultCode.success);
  }
}
