/**
 * The home agent as SIP proxy (MIP–SIP §3: "an extension of the HA with SIP proxy server functionality"). It follows the event
 * 'binding-changed' of the home agent beside it.
 *
 *   registrar ◀── REGISTER sip:user@careOf ──  care-of-registration.ts
 *   mobile node ── request ──▶ registrar's proxy, with the user's credentials when that asks for them (RFC 3261 §22.3)
 *   registrar's proxy ── request to the user ──▶ the care-of address that packets are forwarded to
 *
 * Nobody else gets anything passed on, and a mobile node nothing in another's name. It puts no Record-Route in: what follows within a
 * dialog takes the direct way. While the mobile node's access translates addresses it is reached at its home address, through the tunnel.
 * Leaves out TLS.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import { formatTransportAddress, type NetworkInput, type NetworkOutput } from '../../base/network.ts';
import type { EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { randomToken } from '../../base/random-source.ts';
import { RefusalLog } from '../../base/refusal-log.ts';
import { DigestClient } from '../../protocols/sip/authentication/digest-client.ts';
import { SipEndpoint } from '../../protocols/sip/endpoint.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { fromOf, toTagOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort, parseUri, type Uri } from '../../protocols/sip/message/sip-uri.ts';
import type { ForwardTarget, ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { OwnNames } from '../../protocols/sip/proxy/route-processing.ts';
import { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import {
  type ClientTransactionId,
  isClientTransaction,
  type ServerTransactionId,
  type SipArrival,
} from '../../protocols/sip/transaction/sip-event.ts';
import { CareOfRegistration, earliestTimeout } from './care-of-registration.ts';
import type {
  ForwardingChange,
  SipAccount,
  SipProxyFunctionEvent,
  SipProxyFunctionOptions,
} from './sip-proxy-function-options.ts';

interface Served {
  readonly account: SipAccount;
  readonly addressOfRecord: string;
  readonly digest: DigestClient;
  readonly registration: CareOfRegistration;
}

type Arrived = Extract<ProxyEvent, { kind: 'request' }>;
type Chosen = Extract<ProxyEvent, { kind: 'response-chosen' }>;

const defaultExpiresSeconds = 600;

export class SipProxyFunction implements NetworkFunction<ForwardingChange, SipProxyFunctionEvent, never> {
  readonly #options: SipProxyFunctionOptions;
  readonly #proxy: SipProxy;
  readonly #ownNames: OwnNames;
  /** By home address. */
  readonly #served: ReadonlyMap<string, Served>;
  /** Requests of mobile nodes that have not been challenged yet. */
  readonly #unchallenged = new Map<ServerTransactionId, Served>();
  readonly #refusals = new RefusalLog<'relay-refused'>();
  readonly #events = new Fifo<EventOutput<SipProxyFunctionEvent>>();

  constructor(options: SipProxyFunctionOptions) {
    const { local, random, timers = {}, accounts } = options;
    this.#options = options;
    const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, ...local }));
    const ownNames = [formatHostPort(local.address, local.port)];
    this.#ownNames = new OwnNames(ownNames);
    this.#proxy = new SipProxy({ endpoint: new SipEndpoint({ listen, random, timers }), ownNames, timers });
    this.#served = new Map(accounts.map((account) => [account.homeAddress, this.#serve(account)]));
  }

  start(now: Instant): void {
    this.#proxy.start(now);
  }

  handleInput(input: NetworkInput | ForwardingChange, now: Instant): void {
    if (input.kind === 'binding-changed')
      this.#served.get(input.homeAddress)?.registration.follow(reachableAddress(input), now);
    else this.#proxy.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#proxy.handleTimeout(now);
    for (const { registration } of this.#served.values()) registration.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    const registrations = [...this.#served.values()].map(({ registration }) => registration);
    return earlierTimeout(this.#proxy.pollTimeout(), earliestTimeout(registrations));
  }

  pollOutput(): NetworkOutput | EventOutput<SipProxyFunctionEvent> | undefined {
    return this.#events.shift() ?? this.#proxy.pollOutput();
  }

  #serve(account: SipAccount): Served {
    const { random, registrar, expiresSeconds = defaultExpiresSeconds } = this.#options;
    const { publicIdentity, privateIdentity, password } = account.identity;
    const digest = new DigestClient(privateIdentity, password, random);
    const uri = parseUri(publicIdentity);
    const registration = new CareOfRegistration({
      account,
      digest,
      expiresSeconds,
      random,
      send: (request, now) => this.#proxy.endpoint.sendRequest(request, registrar, now),
      tell: (event) => this.#events.push({ kind: 'event', event }),
    });
    return {
      account,
      addressOfRecord: isMalformed(uri) ? publicIdentity : addressOfRecord(uri),
      digest,
      registration,
    };
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#proxy.pollEvent(now); event !== undefined; event = this.#proxy.pollEvent(now)) {
      if (event.kind === 'request') this.#handleRequest(event, now);
      else if (event.kind === 'ack') this.#handleAck(event, now);
      else if (event.kind === 'response-chosen') this.#handleResponse(event, now);
      else if (event.kind === 'response') this.#handleAnswer(event.transaction, event.response, now);
      else if (event.kind === 'timed-out') this.#handleAnswer(event.transaction, undefined, now);
      else if (event.kind === 'transport-failed' && isClientTransaction(event.transaction))
        this.#handleAnswer(event.transaction, undefined, now);
      else if (event.kind === 'terminated')
        this.#unchallenged.delete(event.transaction as ServerTransactionId);
    }
  }

  /** Of a REGISTER. */
  #handleAnswer(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): void {
    for (const { registration } of this.#served.values())
      if (registration.handleAnswer(transaction, response, now)) return;
  }

  #handleRequest(event: Arrived, now: Instant): void {
    const { request, transaction } = event;
    const sender = this.#senderOf(event);
    const target = sender === undefined ? this.#targetOf(event) : this.#outgoing(request, sender);
    if (target === 'away') this.#proxy.respond(transaction, this.#response(request, 480), now);
    else if (target === undefined || request.method === 'REGISTER') this.#refuse(event, sender, now);
    else {
      if (sender !== undefined) this.#unchallenged.set(transaction, sender);
      this.#proxy.forward(transaction, [target], now);
    }
  }

  #handleAck(event: Extract<ProxyEvent, { kind: 'ack' }>, now: Instant): void {
    const sender = this.#senderOf(event);
    const target = sender === undefined ? this.#targetOf(event) : this.#outgoing(event.request, sender);
    if (target !== undefined && target !== 'away') this.#proxy.forwardAck(event.request, target, now);
  }

  /** RFC 3261 §22.3 has the user agent answer, but this one's user left his credentials here. Once: they may be wrong. */
  #handleResponse({ transaction, request, response }: Chosen, now: Instant): void {
    const sender = this.#unchallenged.get(transaction);
    const isChallenge = response.statusCode === 401 || response.statusCode === 407;
    if (sender !== undefined && isChallenge && sender.digest.acceptChallenge(request, response)) {
      this.#unchallenged.delete(transaction);
      sender.digest.authorize(request);
      const target = this.#outgoing(request, sender);
      if (target !== undefined) return void this.#proxy.forward(transaction, [target], now);
    }
    this.#proxy.respond(transaction, response, now);
  }

  /** The mobile node that the request comes from, over any of its accesses or through the tunnel. */
  #senderOf({ source }: SipArrival): Served | undefined {
    for (const served of this.#served.values()) {
      const { homeAddress } = served.account;
      if (source.address === homeAddress) return served;
      if (this.#options.addressesOf(homeAddress).includes(source.address)) return served;
    }
    return undefined;
  }

  /** In his own name only. What has a way of its own takes it; the rest is the registrar's proxy's business. */
  #outgoing(request: SipRequest, { addressOfRecord: own }: Served): ForwardTarget | undefined {
    if (toTagOf(request) !== undefined) return isLiteral(request) ? {} : this.#toRegistrar();
    return addressOfRecord(fromOf(request).uri) === own ? this.#toRegistrar() : undefined;
  }

  #toRegistrar(): ForwardTarget {
    return { nextHop: this.#options.registrar };
  }

  /** To a user served here, from the registrar's proxy. 'away': to a user without a binding. */
  #targetOf({ request, source }: { readonly request: SipRequest } & SipArrival) {
    if (source.address !== this.#options.registrar.address) return undefined;
    const uri = parseUri(request.requestUri);
    if (isMalformed(uri)) return undefined;
    for (const { account, addressOfRecord: own, registration } of this.#served.values()) {
      const { address } = registration;
      if (!this.#names(uri, own, address)) continue;
      if (address === undefined) return 'away';
      const place = formatHostPort(address, account.contactPort ?? 5060);
      return { requestUri: `sip:${userOf(own)}@${place}` } satisfies ForwardTarget;
    }
    return undefined;
  }

  /** By address-of-record, at this home agent, or at the address of the contact. */
  #names(uri: Uri, own: string, address: string | undefined): boolean {
    if (addressOfRecord(uri) === own) return true;
    if (uri.kind !== 'sip' || userOf(addressOfRecord(uri)) !== userOf(own)) return false;
    return uri.host === address || this.#ownNames.includes(uri);
  }

  #refuse(event: Arrived, sender: Served | undefined, now: Instant): void {
    this.#proxy.respond(event.transaction, this.#response(event.request, 403), now);
    const homeAddress = sender?.account.homeAddress ?? '';
    const count = this.#refusals.note(homeAddress, 'relay-refused', now);
    const source = formatTransportAddress(event.source);
    if (count !== undefined)
      this.#events.push({ kind: 'event', event: { type: 'relay-refused', homeAddress, source, count } });
  }

  #response(request: SipRequest, statusCode: number): SipResponse {
    return createResponse(request, statusCode, { toTag: randomToken(this.#options.random, 10) });
  }
}

/** What the registrar is told. */
function reachableAddress({ homeAddress, careOfAddress, isBehindNat }: ForwardingChange): string | undefined {
  return careOfAddress !== undefined && isBehindNat ? homeAddress : careOfAddress;
}

function userOf(canonical: string): string | undefined {
  return /^sips?:([^@]*)@/.exec(canonical)?.[1];
}

/** Whether the Request-URI names an address, so that it needs nobody to find it. */
function isLiteral({ requestUri, headers }: SipRequest): boolean {
  return headers.has('Route') || /^sip:(?:[^@]*@)?(?:[\d.]+|\[[\dA-Fa-f:.]+\])(?:[:;]|$)/.test(requestUri);
}
