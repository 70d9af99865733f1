/**
 * The IMS SIP user agent of the mobile node (TRIM fig. 3): keeps one registration per access network, each over its own access and P-CSCF,
 * as flows of one instance (RFC 5626), so that the new contact exists before the old one goes. Sessions are the handover manager's, who shares
 * the SIP endpoint.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { formatTransportAddress, type TransportAddress } from '../../base/network.ts';
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
import type { ClientTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import type { KeptFlow } from '../../protocols/sip/transport/flow-keeper.ts';

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
  readonly proxyCscf: TransportAddress;
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
  | { readonly type: 'deregistered'; readonly access: number };

interface Registration {
  readonly client: RegistrationClient;
  /** Where its requests go; undefined while the access is lost. */
  over: SignallingAccess | undefined;
  startedAt: Instant;
  transaction: ClientTransactionId | undefined;
  /** Kept alive since the edge proxy has said that it knows of flows. */
  flow: KeptFlow | undefined;
  isLeaving: boolean;
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
  readonly #registrations = new Map<number, Registration>();
  readonly #events: RegistrationEvent[] = [];

  constructor(options: ImsUserAgentOptions) {
    const { identity, random } = options;
    this.#options = options;
    this.#digest = new DigestClient(identity.privateIdentity, identity.password, random);
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
    registration.isLeaving = true;
    registration.over = over;
    this.#send(registration, registration.client.deregister(), now);
  }

  /** Nothing can be sent over this access any more; its contact stays known until it is taken back or expires. */
  accessLost(index: number): void {
    const registration = this.#registrations.get(index);
    if (registration === undefined) return;
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

  forget(index: number): void {
    this.#releaseFlow(this.#registrations.get(index));
    this.#registrations.delete(index);
  }

  handleResponse(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): void {
    for (const [index, registration] of this.#registrations) {
      if (registration.transaction === transaction) this.#answered(index, registration, response, now);
    }
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
      .map(({ client }) => client.pollTimeout())
      .reduce(earlierTimeout, undefined);
  }

  handleTimeout(now: Instant): void {
    for (const registration of this.#registrations.values()) {
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
    } else if (outcome.kind === 'deregistered') {
      this.#registrations.delete(index);
      this.#events.push({ type: 'deregistered', access: index });
      if (registration.next !== undefined) this.#register(registration.next, registration.startedAt, now);
    } else this.#events.push({ type: 'registration-failed', access: index, statusCode: outcome.statusCode });
  }

  /** Only where the edge proxy claims to know flows: others might take STUN for an attack (RFC 5626 §8). */
  #keepFlow(registration: Registration, response: SipResponse, now: Instant): void {
    const { over, isLeaving } = registration;
    const edge = addressesOf(response, 'Path').at(-1)?.uri;
    const isKnown =
      edge?.kind === 'sip' && edge.parameters.has('ob') && listIncludes(response, 'Require', 'outbound');
    if (!isKnown || over === undefined || isLeaving) return;
    const transport = topViaOf(response).transport === 'TCP' ? 'tcp' : 'udp';
    const local = { address: over.address, port: over.signallingPort };
    registration.flow = { transport, local, remote: over.proxyCscf };
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
    const { over } = registration;
    if (over === undefined) return;
    const local = { address: over.address, port: over.signallingPort };
    registration.transaction = this.#options.agent.sendRequest(request, { ...over.proxyCscf, local }, now);
  }

  #newClient({ index, address, signallingPort, accessNetworkInfo }: SignallingAccess): RegistrationClient {
    const { identity, random } = this.#options;
    const user = userPartOf(identity.publicIdentity);
    const place = formatTransportAddress({ address, port: signallingPort });
    return new RegistrationClient({
      identity,
      contact: user === undefined ? `sip:${place}` : `sip:${user}@${place}`,
      flow: { instance: identity.instance, regId: index },
      expiresSeconds: identity.expiresSeconds,
      headers: accessNetworkInfo === undefined ? [] : [['P-Access-Network-Info', accessNetworkInfo]],
      digest: this.#digest,
      random,
    });
  }
}
