/**
 * S-CSCF (TRIM Fig. 1): registrar, session control and the way to the application servers of its users. This file puts its parts
 * together: SIP (proxy core), Cx (client of the HSS), registration-service.ts, session-service.ts.
 * Follows TS 23.228 §4.6.3 and TS 24.229 §5.4; the parts name what they follow and leave out.
 */
import type { Instant } from '../../base/instant.ts';
import {
  type JournalCompleted,
  type JournalEffect,
  JournalWriter,
  type TimedJournal,
} from '../../base/journal-writer.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { avp, avpValue, avpValues } from '../../protocols/diameter/avp.ts';
import { type CxAnswer, CxClient } from '../../protocols/diameter/cx-client.ts';
import { experimentalResult } from '../../protocols/diameter/cx-result.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import { cxResultCode, resultCode } from '../../protocols/diameter/result-code.ts';
import { SipEndpoint } from '../../protocols/sip/endpoint.ts';
import type { SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort, parseSipUri } from '../../protocols/sip/message/sip-uri.ts';
import type { ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import type { ClientTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { userProfileOf } from './cx-requests.ts';
import { canonicalIdentity, Registrar } from './registrar.ts';
import { RegistrationService, type RegistrationSubject } from './registration-service.ts';
import { type ContactEnd, RegistrationSubscriptions } from './registration-subscriptions.ts';
import { ServedDialogs } from './served-dialogs.ts';
import type { ServingCscfEvent } from './serving-cscf-event.ts';
import type { ServingCscfContext, ServingCscfOptions } from './serving-cscf-options.ts';
import { formatUserLine, parseServingLine } from './serving-journal.ts';
import { SessionService, type SessionSubject } from './session-service.ts';
import { UnregisteredUsers } from './unregistered-users.ts';

export class ServingCscf implements NetworkFunction<JournalCompleted, ServingCscfEvent, JournalEffect> {
  readonly #context: ServingCscfContext;
  readonly #registrations: RegistrationService;
  readonly #sessions: SessionService;

  constructor(options: ServingCscfOptions) {
    const { listen, random, address, name, hosts, diameter } = options;
    const timers = options.timers === undefined ? {} : { timers: options.timers };
    const endpoint = new SipEndpoint({
      listen,
      random,
      hasOverloadControl: true,
      locatesServers: options.locatesServers ?? false,
      ...timers,
    });
    const ownName = parseSipUri(name);
    const names = isMalformed(ownName) ? [] : [ownName.host];
    const ownNames = [formatHostPort(address.address, address.port), ...names];
    const proxy = new SipProxy({ endpoint, ownNames, hosts, skipsSpirals: true, ...timers });
    const journal = new JournalWriter(options.journal !== undefined);
    const registrar = new Registrar();
    this.#context = {
      options,
      proxy,
      journal,
      cx: new CxClient<RegistrationSubject | SessionSubject>(diameter, random),
      registrar,
      unregistered: new UnregisteredUsers(),
      dialogs: new ServedDialogs(proxy, journal),
      subscriptions: new RegistrationSubscriptions({ proxy, registrar, journal, options }),
      events: [],
    };
    this.#registrations = new RegistrationService(this.#context);
    this.#sessions = new SessionService(this.#context);
    this.#replay(options.journal);
  }

  /** Whether an HSS can be asked. */
  get isConnected(): boolean {
    return this.#context.cx.isConnected;
  }

  /** How many users are registered here, how many of their dialogs go on, and how many watch registrations. */
  get counters(): { readonly users: number; readonly dialogs: number; readonly subscriptions: number } {
    const { registrar, dialogs, subscriptions } = this.#context;
    return { users: registrar.size, dialogs: dialogs.size, subscriptions: subscriptions.size };
  }

  /** The journal as short as it can be, for the host to write in place of the one that grew. */
  journalSnapshot(): readonly string[] {
    const { registrar, dialogs, subscriptions, options } = this.#context;
    const offsetMs = options.journal?.timeOfDayOffsetMs ?? 0;
    const users = [...registrar.users].map((user) => formatUserLine(user, offsetMs));
    return [...users, ...dialogs.journalSnapshot(), ...subscriptions.journalSnapshot()];
  }

  start(now: Instant): void {
    this.#context.cx.start(now);
    this.#context.proxy.start(now);
  }

  /** Takes leave of the HSS. Users stay registered there: this S-CSCF may come back. */
  stop(now: Instant): void {
    this.#context.cx.stop(now);
  }

  handleInput(input: NetworkInput | JournalCompleted, now: Instant): void {
    if (input.kind === 'effect-completed') this.#context.journal.complete(input, now);
    else {
      this.#context.cx.handleInput(input, now);
      this.#context.proxy.handleInput(input, now);
    }
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#registrations.expire(now);
    this.#context.subscriptions.handleTimeout(now);
    this.#context.cx.handleTimeout(now);
    this.#context.proxy.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    const { cx, proxy, registrar, unregistered, subscriptions } = this.#context;
    return [cx, registrar, unregistered, subscriptions]
      .map((part) => part.pollTimeout())
      .reduce(earlierTimeout, proxy.pollTimeout());
  }

  pollOutput(): NetworkOutput | EventOutput<ServingCscfEvent> | EffectOutput<JournalEffect> | undefined {
    const { events, journal, cx, proxy } = this.#context;
    const event = events.shift();
    if (event !== undefined) return { kind: 'event', event };
    return journal.pollOutput() ?? cx.pollOutput() ?? proxy.pollOutput();
  }

  /** Users whose registration ended meanwhile come back too: the HSS has to hear of their end. */
  #replay(journal: TimedJournal | undefined): void {
    const { registrar, dialogs, subscriptions, events } = this.#context;
    const { lines, timeOfDayOffsetMs } = journal ?? { lines: [], timeOfDayOffsetMs: 0 };
    lines.forEach((text, index) => {
      const record = parseServingLine(text, timeOfDayOffsetMs);
      if (record === undefined) {
        if (index < lines.length - 1) events.push({ kind: 'journal-damaged', line: index + 1 });
      } else if (record.kind === 'user') registrar.store(record.user);
      else if (record.kind === 'user-gone') registrar.forget(record.privateIdentity);
      else if (record.kind === 'subscription') subscriptions.restore(record.key, record.record);
      else dialogs.restore(record.key, record.kind === 'dialog' ? record.dialog : undefined);
    });
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
        this.#conclude(event.transaction, event.response, now);
        break;
      case 'timed-out':
      case 'transport-failed':
        this.#conclude(event.transaction as ClientTransactionId, undefined, now);
        break;
      default:
        break;
    }
  }

  /** The end of a request of the S-CSCF's own. */
  #conclude(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): void {
    if (this.#context.subscriptions.conclude(transaction, response, now)) return;
    const user = this.#registrations.thirdParties.conclude(transaction, response);
    // Not at once again, as the server is not there.
    if (user !== undefined) this.#registrations.deregister(user, 'application-server', 'probation', now);
  }

  #handleAnswer(answer: CxAnswer<RegistrationSubject | SessionSubject>, now: Instant): void {
    const { subject, ...rest } = answer;
    if (subject.kind === 'unregistered-user') this.#sessions.handleAnswer({ subject, ...rest }, now);
    else this.#registrations.handleAnswer({ subject, ...rest }, now);
  }

  #handleCxRequest(request: CxRequest, now: Instant): void {
    const { command } = request;
    if (command === cxCommands.registrationTermination) this.#terminate(request, now);
    else if (command === cxCommands.pushProfile) this.#updateProfile(request, now);
    else this.#context.cx.answer(request, avp(baseAvps.resultCode, resultCode.unableToComply));
  }

  /** RTR (TS 29.228 §6.1.3) ends registrations. */
  #terminate(request: CxRequest, now: Instant): void {
    const { cx, registrar, unregistered, journal } = this.#context;
    const identities = avpValues(request.avps, cxAvps.publicIdentity);
    const privateIdentity = avpValue(request.avps, baseAvps.userName) ?? '';
    // Without any, all that the private identity has registered (TS 29.228 §6.1.3.1).
    const users =
      identities.length > 0
        ? identities.map((identity) => registrar.find(canonicalIdentity(identity)))
        : [registrar.findPrivate(privateIdentity)];
    const known = [...new Set(users)].filter((user) => user !== undefined);
    const reason = avpValue(avpValue(request.avps, cxAvps.deregistrationReason) ?? [], cxAvps.reasonCode);
    const end = contactEnds[reason ?? 0] ?? 'rejected';
    for (const user of known) this.#registrations.deregister(user, 'home-subscriber-server', end, now);
    unregistered.forget(privateIdentity);
    // Not before the journal has it: a restarted S-CSCF must not serve the user again.
    journal.flushed(now, () => cx.answer(request, avp(baseAvps.resultCode, resultCode.success)));
  }

  /** PPR (TS 29.228 §6.2.1): the filter criteria of a user have changed. One that breaks the schema changes nothing. */
  #updateProfile(request: CxRequest, now: Instant): void {
    const { cx, registrar, unregistered, events } = this.#context;
    const privateIdentity = avpValue(request.avps, baseAvps.userName) ?? '';
    const profile = userProfileOf(request.avps);
    const user = registrar.findPrivate(privateIdentity);
    if (user === undefined && !unregistered.has(privateIdentity)) {
      cx.answer(request, experimentalResult(cxResultCode.userUnknown));
    } else if (isMalformed(profile)) {
      const reason = profile.toString();
      events.push({ kind: 'user-profile-refused', identity: privateIdentity, reason });
      cx.answer(request, experimentalResult(cxResultCode.notSupportedUserData));
    } else {
      if (profile !== undefined && user !== undefined) this.#registrations.replaceProfile(user, profile, now);
      else if (profile !== undefined) unregistered.store(profile, now);
      this.#context.journal.flushed(now, () =>
        cx.answer(request, avp(baseAvps.resultCode, resultCode.success)),
      );
    }
  }
}

/** By Reason-Code (TS 29.229 §6.3.17, TS 24.229 §5.4.1.5): permanent termination, new server, change of server, removal of the S-CSCF. */
const contactEnds: readonly ContactEnd[] = ['rejected', 'deactivated', 'deactivated', 'probation'];

type CxRequest = NonNullable<ReturnType<ServingCscfContext['cx']['pollRequest']>>;
