/**
 * The IMS SIP user agent of the mobile node (TRIM fig. 3): keeps one registration per access network, each over its own access and P-CSCF,
 * as flows of one instance (RFC 5626), so that the new contact exists before the old one goes. Sessions are the handover manager's, who shares
 * the SIP endpoint. In IMS it watches each registration (RFC 3680), so as to hear when the network ends it.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { formatTransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { DigestClient } from '../../protocols/sip/authentication/digest-client.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { addressesOf, listIncludes, topViaOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { userPartOf } from '../../protocols/sip/message/sip-uri.ts';
import {
  RegistrationClient,
  type RegistrationIdentity,
} from '../../protocols/sip/registration/registration-client.ts';
import type {
  ContactEvent,
  ContactInformation,
} from '../../protocols/sip/registration/registration-information.ts';
import { RegistrationWatcher } from '../../protocols/sip/registration/registration-watcher.ts';
import type { ClientTransactionId, SipTarget } from '../../protocols/sip/transaction/sip-event.ts';
import type { KeptFlow } from '../../protocols/sip/transport/flow-keeper.ts';
import type { StunTransactionId } from '../../protocols/sip/transport/stun-transactions.ts';
import { proxyRoute, transportParameter } from './proxy-uris.ts';

export interface ImsIdentity extends RegistrationIdentity {
  /** "urn:uuid:…", the same for the life of the device (RFC 5626 §4.1). */
  readonly instance: string;
  readonly expiresSeconds: number;
}

/** An access to register over. */
export interface SignallingAccess {
  readonly index: number;
  readonly address: string;
  readonly signallingPort: number;
  readonly proxyCscf: SipTarget;
  readonly accessNetworkInfo: string | undefined;
}

export type RegistrationEvent =
  /** `registerMs`: T_register of TRIM §4.4. */
  | {
      readonly type: 'registered';
      readonly access: number;
      readonly registerMs: DurationMs;
      readonly serviceRoute: readonly string[];
    }
  | { readonly type: 'registration-failed'; readonly access: number; readonly statusCode: number }
  | { readonly type: 'deregistered'; readonly access: number }
  | { readonly type: 'registration-ended'; readonly access: number; readonly reason: RegistrationEnd };

/** Why the network has ended a registration (RFC 3680 §4.7.1). */
export type RegistrationEnd = Extract<ContactEvent, 'expired' | 'deactivated' | 'probation' | 'rejected'>;

/** TS 24.229 §5.1.1.3. */
const subscriptionSeconds = 600_000;
/** A new access has sessions to take over first, and may be slow. */
const subscriptionDelayMs: DurationMs = 5_000;

interface Registration {
  readonly client: RegistrationClient;
  /** Where its requests go; undefined while the access is lost. */
  over: SignallingAccess | undefined;
  startedAt: Instant;
  transaction: ClientTransactionId | undefined;
  /** Kept alive since the edge proxy has said that it knows of flows. */
  flow: KeptFlow | undefined;
  isLeaving: boolean;
  /** Not subscribed to yet. */
  watch: { readonly at: Instant; readonly serviceRoute: readonly string[] } | undefined;
  /** To be made again as soon as it has been taken back. */
  next: SignallingAccess | undefined;
}

export interface ImsUserAgentOptions {
  readonly identity: ImsIdentity;
  readonly agent: BackToBackUserAgent;
  readonly random: RandomSource;
}

export class ImsUserAgent {
  readonly #options: ImsUserAgentOptions;
  readonly #digest: DigestClient;
  /** One subscription for each access, named after it, which goes with it. */
  readonly #watcher: RegistrationWatcher;
  readonly #registrations = new Map<number, Registration>();
  readonly #events: RegistrationEvent[] = [];

  constructor(options: ImsUserAgentOptions) {
    const { identity, random } = options;
    this.#options = options;
    this.#digest = new DigestClient(identity.privateIdentity, identity.password, random);
    this.#watcher = new RegistrationWatcher({
      expiresSeconds: subscriptionSeconds,
      random,
      send: (request, _, { name }, now) =>
        this.#sendOver(this.#registrations.get(Number(name)), request, now),
      isWanted: (name) => this.isRegistered(Number(name)),
    });
  }

  /** Accesses whose contact the registrar knows, as far as this node knows. */
  get registeredAccesses(): readonly number[] {
    return [...this.#registrations].filter(([, { client }]) => client.isRegistered).map(([index]) => index);
  }

  /** Whether calls can use the access: its contact is known and is not being taken back. */
  isRegistered(index: number): boolean {
    const registration = this.#registrations.get(index);
    return registration?.client.isRegistered === true && !registration.isLeaving;
  }

  /** Registers the access's contact over the access; refreshes itself from then on. */
  register(access: SignallingAccess, now: Instant): void {
    const present = this.#registrations.get(access.index);
    if (present?.isLeaving && present.over !== undefined) {
      // RFC 3261 §10.2: not before the previous REGISTER is answered. The two could overtake each other.
      present.next = access;
      present.startedAt = now;
      return;
    }
    this.#register(access, now, now);
  }

  #register(access: SignallingAccess, startedAt: Instant, now: Instant): void {
    const registration: Registration = {
      client: this.#newClient(access),
      over: access,
      startedAt,
      transaction: undefined,
      flow: this.#registrations.get(access.index)?.flow,
      isLeaving: false,
      watch: undefined,
      next: undefined,
    };
    this.#registrations.set(access.index, registration);
    this.#send(registration, registration.client.register(), now);
  }

  /** Takes the contact of access `index` back, by a request over `over`. */
  deregister(index: number, over: SignallingAccess, now: Instant): void {
    const registration = this.#registrations.get(index);
    if (registration === undefined) return;
    registration.next = undefined;
    if (registration.isLeaving && registration.over !== undefined) return;
    this.#releaseFlow(registration);
    this.#watcher.forget(String(index), now);
    registration.isLeaving = true;
    registration.over = over;
    this.#send(registration, registration.client.deregister(), now);
  }

  /** Nothing can be sent over this access any more; its contact stays known until it is taken back or expires. */
  accessLost(index: number, now: Instant): void {
    const registration = this.#registrations.get(index);
    if (registration === undefined) return;
    this.#watcher.forget(String(index), now);
    this.#releaseFlow(registration);
    registration.over = undefined;
    registration.next = undefined;
    if (!registration.client.isRegistered) this.#registrations.delete(index);
  }

  /** The same address can be sent from again. */
  accessRestored(access: SignallingAccess): void {
    const registration = this.#registrations.get(access.index);
    if (registration !== undefined && !registration.isLeaving) registration.over = access;
  }

  forget(index: number, now: Instant): void {
    this.#watcher.forget(String(index), now);
    this.#releaseFlow(this.#registrations.get(index));
    this.#registrations.delete(index);
  }

  /**
   * Asks the P-CSCF over this access, by STUN. Not where the edge proxy does not claim to know flows (RFC 5626 §8), nor over TCP: `undefined`.
   * The answer comes as 'flow-answered' of the endpoint.
   */
  checkFlow(index: number, now: Instant): StunTransactionId | undefined {
    const flow = this.#registrations.get(index)?.flow;
    return flow && this.#options.agent.checkFlow(flow, now);
  }

  handleResponse(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): void {
    if (this.#watcher.conclude(transaction, response, now)) return;
    for (const [index, registration] of this.#registrations) {
      if (registration.transaction === transaction) this.#answered(index, registration, response, now);
    }
  }

  /** A NOTIFY about a registration; returns the status code of the answer. What it says of the other accesses their own ones do. */
  handleNotification(request: SipRequest, now: Instant): number {
    const { statusCode, terms, registrations } = this.#watcher.takeNews(request, now);
    const index = Number(terms?.name);
    const registration = this.#registrations.get(index);
    const contacts = registrations
      .filter(({ addressOfRecord }) => addressOfRecord === this.#options.identity.publicIdentity)
      .flatMap((one) => one.contacts);
    const own = contacts.find(({ uri }) => uri === registration?.client.contact);
    if (registration !== undefined && own?.isActive === false) this.#ended(index, registration, own, now);
    return statusCode;
  }

  #ended(
    index: number,
    registration: Registration,
    { event, retryAfterSeconds = 0 }: ContactInformation,
    now: Instant,
  ): void {
    const { client, transaction, isLeaving } = registration;
    // 'unregistered' was a wish of this user; what is under way gets its own answer.
    const isEnd =
      event === 'expired' || event === 'deactivated' || event === 'probation' || event === 'rejected';
    if (!isEnd || isLeaving || transaction !== undefined || !client.isRegistered) return;
    this.#events.push({ type: 'registration-ended', access: index, reason: event });
    client.ended(event === 'rejected' ? undefined : retryAfterSeconds * 1000, now);
    this.#releaseFlow(registration);
  }

  /** RFC 5626 §4.5: the contact is registered anew, which makes a new flow. */
  handleFlowFailure(flow: KeptFlow, now: Instant): void {
    for (const registration of this.#registrations.values()) {
      if (registration.flow !== flow) continue;
      registration.flow = undefined;
      if (registration.transaction !== undefined || registration.isLeaving) continue;
      registration.startedAt = now;
      this.#send(registration, registration.client.register(), now);
    }
  }

  pollTimeout(): Timeout | undefined {
    return [...this.#registrations.values()]
      .filter(({ over }) => over !== undefined)
      .map(({ client, watch }) =>
        earlierTimeout(
          client.pollTimeout(),
          watch && { at: watch.at, reason: 'subscription to the registration' },
        ),
      )
      .reduce(earlierTimeout, this.#watcher.pollTimeout());
  }

  handleTimeout(now: Instant): void {
    this.#watcher.handleTimeout(now);
    for (const [index, registration] of this.#registrations) {
      const { watch } = registration;
      if (watch !== undefined && watch.at <= now) this.#watch(index, registration, watch.serviceRoute, now);
      const timeout = registration.client.pollTimeout();
      if (registration.over === undefined || timeout === undefined || timeout.at > now) continue;
      registration.startedAt = now;
      this.#send(registration, registration.client.register(), now);
    }
  }

  pollEvent(): RegistrationEvent | undefined {
    return this.#events.shift();
  }

  #answered(
    index: number,
    registration: Registration,
    response: SipResponse | undefined,
    now: Instant,
  ): void {
    const outcome = registration.client.handleResponse(response, now);
    if (outcome === undefined) return;
    if (outcome.kind === 'repeat') {
      this.#send(registration, outcome.request, now);
      return;
    }
    registration.transaction = undefined;
    if (outcome.kind === 'registered') {
      if (response !== undefined) this.#keepFlow(registration, response, now);
      const registerMs = now - registration.startedAt;
      this.#events.push({
        type: 'registered',
        access: index,
        registerMs,
        serviceRoute: outcome.serviceRoute,
      });
      // A registrar that is no S-CSCF gives no Service-Route, and is not bothered.
      const { serviceRoute } = outcome;
      if (serviceRoute.length > 0 && !this.#watcher.has(String(index)))
        registration.watch = { at: now + subscriptionDelayMs, serviceRoute };
    } else if (outcome.kind === 'deregistered') {
      this.#registrations.delete(index);
      this.#events.push({ type: 'deregistered', access: index });
      if (registration.next !== undefined) this.#register(registration.next, registration.startedAt, now);
    } else this.#events.push({ type: 'registration-failed', access: index, statusCode: outcome.statusCode });
  }

  /** TS 24.229 §5.1.1.3. */
  #watch(index: number, registration: Registration, serviceRoute: readonly string[], now: Instant): void {
    const { client, over } = registration;
    registration.watch = undefined;
    if (over === undefined || !this.isRegistered(index)) return;
    const { publicIdentity } = this.#options.identity;
    const { proxyCscf, accessNetworkInfo } = over;
    const terms = {
      name: String(index),
      resource: publicIdentity,
      subscriber: publicIdentity,
      contact: client.contact,
      routes: [proxyRoute(proxyCscf), ...serviceRoute],
      headers: accessHeaders(accessNetworkInfo),
    };
    this.#watcher.subscribe(terms, now);
  }

  /** Only where the edge proxy claims to know flows: others might take STUN for an attack (RFC 5626 §8). */
  #keepFlow(registration: Registration, response: SipResponse, now: Instant): void {
    const { over, isLeaving } = registration;
    const edge = addressesOf(response, 'Path').at(-1)?.uri;
    const isKnown =
      edge?.kind === 'sip' && edge.parameters.has('ob') && listIncludes(response, 'Require', 'outbound');
    if (!isKnown || over === undefined || isLeaving) return;
    const {
      address,
      port,
      transport = topViaOf(response).transport === 'TCP' ? 'tcp' : 'udp',
      serverName,
    } = over.proxyCscf;
    const local = { address: over.address, port: over.signallingPort };
    registration.flow = { transport, local, remote: { address, port }, serverName };
    const flowTimerSeconds = Number.parseInt(response.headers.get('Flow-Timer') ?? '', 10);
    const flowTimerMs = flowTimerSeconds > 0 ? flowTimerSeconds * 1000 : undefined;
    this.#options.agent.keepFlow(registration.flow, flowTimerMs, now);
  }

  #releaseFlow(registration: Registration | undefined): void {
    if (registration?.flow === undefined) return;
    this.#options.agent.releaseFlow(registration.flow);
    registration.flow = undefined;
  }

  #send(registration: Registration, request: SipRequest, now: Instant): void {
    const transaction = this.#sendOver(registration, request, now);
    if (transaction !== undefined) registration.transaction = transaction;
  }

  #sendOver(
    registration: Registration | undefined,
    request: SipRequest,
    now: Instant,
  ): ClientTransactionId | undefined {
    const over = registration?.over;
    if (over === undefined) return undefined;
    const local = { address: over.address, port: over.signallingPort };
    return this.#options.agent.sendRequest(request, { ...over.proxyCscf, local }, now);
  }

  #newClient(access: SignallingAccess): RegistrationClient {
    const { index, address, signallingPort, proxyCscf, accessNetworkInfo } = access;
    const { identity, random } = this.#options;
    const user = userPartOf(identity.publicIdentity);
    const place = formatTransportAddress({ address, port: signallingPort }) + transportParameter(proxyCscf);
    return new RegistrationClient({
      identity,
      contact: user === undefined ? `sip:${place}` : `sip:${user}@${place}`,
      flow: { instance: identity.instance, regId: index },
      expiresSeconds: identity.expiresSeconds,
      headers: accessHeaders(accessNetworkInfo),
      digest: this.#digest,
      random,
    });
  }
}

function accessHeaders(accessNetworkInfo: string | undefined): readonly (readonly [string, string])[] {
  return accessNetworkInfo === undefined ? [] : [['P-Access-Network-Info', accessNetworkInfo]];
}
