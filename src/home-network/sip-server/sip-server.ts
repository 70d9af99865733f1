/**
 * The SIP servers of MIP–SIP §2.2 and fig. 3 in one: registrar with location service (RFC 3261 §10, RFC 3327), stateful proxy (§16) and, for
 * users or all of them, redirect server (§8.3). In the paper it was the SIP Express Router; any other can take its place.
 *
 *   REGISTER ── digest ── bindings                       to a user here ──┬── proxied to his contacts, newest flow of each device first
 *                                                                        └── 302 with his contacts
 *   from a user here ── digest ── on to another domain   everything else ── 403
 *
 * It puts no Record-Route in: requests within a dialog go from one end to the other, so that a mobile node's re-INVITE takes the direct
 * way; where one speaks TLS or IPv6 and the other does not, it stays between them (RFC 5658). Leaves out presence and forwarding to telephone numbers.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import { formatTransportAddress, type NetworkInput, type NetworkOutput } from '../../base/network.ts';
import type { EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { randomToken } from '../../base/random-source.ts';
import { RefusalLog } from '../../base/refusal-log.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { SipEndpoint } from '../../protocols/sip/endpoint.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { fromOf, toOf, toTagOf } from '../../protocols/sip/message/header-fields.ts';
import { formatNameAddress } from '../../protocols/sip/message/name-address.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort, formatUri, parseUri, type Uri } from '../../protocols/sip/message/sip-uri.ts';
import type { ForwardTarget, ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { OwnNames } from '../../protocols/sip/proxy/route-processing.ts';
import { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import {
  contactValues,
  defaultRegistrationPolicy,
  type RegistrationPolicy,
  updateBindings,
} from '../../protocols/sip/registration/binding.ts';
import { contactRanks } from '../../protocols/sip/registration/contact-ranks.ts';
import type { ServerTransactionId, SipArrival } from '../../protocols/sip/transaction/sip-event.ts';
import { LocationService } from './location-service.ts';
import type {
  SipServerEvent,
  SipServerOptions,
  SipServerRefusal,
  SipServerUser,
} from './sip-server-options.ts';
import { UserAuthentication } from './user-authentication.ts';

type Arrived = Extract<ProxyEvent, { kind: 'request' }>;
type Chosen = Extract<ProxyEvent, { kind: 'response-chosen' }>;

/** Two user agents that can reach each other do not need the server within their dialogs. */
const recordRoute = { onlyBetweenSides: true } as const;

export class SipServer implements NetworkFunction<never, SipServerEvent, never> {
  readonly #options: SipServerOptions;
  readonly #proxy: SipProxy;
  readonly #ownNames: OwnNames;
  readonly #users: ReadonlyMap<string, SipServerUser>;
  readonly #authentication: UserAuthentication;
  readonly #policy: RegistrationPolicy;
  readonly #locations = new LocationService();
  /** Contacts of a user that are tried when the ones before do not answer. */
  readonly #remaining = new TurnoverMap<ServerTransactionId, readonly (readonly ForwardTarget[])[]>();
  readonly #refusals = new RefusalLog<SipServerRefusal>();
  readonly #events = new Fifo<EventOutput<SipServerEvent>>();

  constructor(options: SipServerOptions) {
    const { listen, random, address, domain, hosts = new Map(), digestAlgorithms, timers = {} } = options;
    this.#options = options;
    const ownNames = [address, ...listen].map((place) => formatHostPort(place.address, place.port));
    ownNames.push(domain);
    this.#ownNames = new OwnNames(ownNames);
    this.#proxy = new SipProxy({
      endpoint: new SipEndpoint({ listen, random, timers, locatesServers: options.locatesServers ?? false }),
      ownNames,
      hosts: new Map([...hosts, [domain.toLowerCase(), address]]),
      timers,
    });
    this.#users = new Map(options.users.map((user) => [user.name, user]));
    this.#authentication = new UserAuthentication(options.users, domain, digestAlgorithms ?? ['MD5'], random);
    // Without a P-CSCF between it and the user agents nobody keeps flows for it (RFC 5626 §6).
    this.#policy = { ...defaultRegistrationPolicy, supportsOutbound: false, ...options.registration };
  }

  /** Contacts of a user, newest first. */
  contactsOf(user: string, now: Instant): readonly string[] {
    return this.#locations.bindingsOf(user, now).map(({ contact }) => formatUri(contact.uri));
  }

  start(now: Instant): void {
    this.#proxy.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#proxy.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#proxy.handleTimeout(now);
    for (const user of this.#locations.expire(now))
      this.#tell({ type: 'user-deregistered', user, cause: 'expiry' });
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    return earlierTimeout(this.#proxy.pollTimeout(), this.#locations.pollTimeout());
  }

  pollOutput(): NetworkOutput | EventOutput<SipServerEvent> | undefined {
    return this.#events.shift() ?? this.#proxy.pollOutput();
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#proxy.pollEvent(now); event !== undefined; event = this.#proxy.pollEvent(now)) {
      if (event.kind === 'request') this.#handleRequest(event, now);
      else if (event.kind === 'ack') this.#handleAck(event, now);
      else if (event.kind === 'response-chosen') this.#handleResponse(event, now);
      else if (event.kind === 'terminated') this.#remaining.delete(event.transaction as ServerTransactionId);
    }
  }

  #handleRequest(event: Arrived, now: Instant): void {
    const { request } = event;
    const target = uriOf(request.requestUri);
    const isOwn = target !== undefined && this.#ownNames.includes(target);
    if (request.method === 'REGISTER') {
      if (isOwn) this.#register(event, now);
      else this.#refuse(event, 'relay-refused', this.#response(request, 403), now);
    } else if (toTagOf(request) !== undefined) {
      if (this.#mayPass(event)) this.#proxy.forward(event.transaction, [{}], now);
      else this.#refuse(event, 'relay-refused', this.#response(request, 403), now);
    } else if (this.#isProvedOrForeign(event, isOwn, now)) {
      if (isOwn) this.#deliver(event, userOf(target), now);
      else this.#proxy.forward(event.transaction, [{ recordRoute }], now);
    }
  }

  /** RFC 3261 §10.3. */
  #register(event: Arrived, now: Instant): void {
    const { request, transaction } = event;
    const { uri } = toOf(request);
    const user = this.#ownNames.includes(uri) ? userOf(uri) : undefined;
    if (user === undefined) {
      // An address-of-record of another scheme belongs to no domain (RFC 4475 §3.3.4).
      const statusCode = uri.kind === 'opaque' ? 400 : 404;
      this.#proxy.respond(transaction, this.#response(request, statusCode), now);
      return;
    }
    const required = request.headers.getAll('Require').filter((tag) => tag.toLowerCase() !== 'path');
    if (required.length > 0) {
      const response = this.#response(request, 420);
      response.headers.append('Unsupported', required.join(', '));
      this.#proxy.respond(transaction, response, now);
    } else if (this.#isProved('registrar', event, user, now)) this.#update(event, user, now);
  }

  #update({ request, transaction, source }: Arrived, user: string, now: Instant): void {
    const former = this.#locations.bindingsOf(user, now);
    const update = updateBindings(former, request, this.#policy, now);
    if (update.kind === 'refused') {
      const response = this.#response(request, update.statusCode, update.reasonPhrase);
      if (update.statusCode === 423)
        response.headers.append('Min-Expires', String(this.#policy.minimumExpiresSeconds));
      this.#proxy.respond(transaction, response, now);
      return;
    }
    const { bindings } = update;
    const response = this.#response(request, 200);
    for (const path of request.headers.getAll('Path')) response.headers.append('Path', path);
    for (const contact of contactValues(bindings, now)) response.headers.append('Contact', contact);
    this.#proxy.respond(transaction, response, now);
    if (!request.headers.has('Contact')) return;
    this.#locations.store(user, bindings, source.address);
    const contacts = bindings.map(({ contact }) => formatUri(contact.uri));
    if (contacts.length > 0) this.#tell({ type: 'user-registered', user, contacts });
    else if (former.length > 0) this.#tell({ type: 'user-deregistered', user, cause: 'request' });
  }

  /** RFC 3261 §16.5: to a user of this domain, or to this server itself. */
  #deliver({ request, transaction }: Arrived, name: string | undefined, now: Instant): void {
    if (name === undefined && request.method === 'OPTIONS') {
      this.#proxy.respond(transaction, this.#response(request, 200), now);
      return;
    }
    const user = this.#users.get(name ?? '');
    const bindings = user === undefined ? [] : this.#locations.bindingsOf(user.name, now);
    const [first, ...remaining] = contactRanks(bindings);
    if (user === undefined || first === undefined) {
      this.#proxy.respond(transaction, this.#response(request, user === undefined ? 404 : 480), now);
    } else if (user.redirect ?? this.#options.redirect) {
      const response = this.#response(request, 302);
      for (const { contact } of [first, ...remaining].flat())
        response.headers.append('Contact', formatNameAddress({ ...contact, parameters: new Map() }));
      this.#proxy.respond(transaction, response, now);
    } else {
      const targetsOf = (rank: typeof first): ForwardTarget[] =>
        rank.map(({ contact, path }) => ({ requestUri: formatUri(contact.uri), routes: path, recordRoute }));
      this.#remaining.set(transaction, remaining.map(targetsOf));
      this.#proxy.forward(transaction, targetsOf(first), now);
    }
  }

  #handleResponse({ transaction, response }: Chosen, now: Instant): void {
    const [next, ...remaining] = this.#remaining.get(transaction) ?? [];
    // A contact that a user agent has left behind: another one of the same device may reach it.
    if (next !== undefined && [408, 430, 480, 503].includes(response.statusCode)) {
      this.#remaining.set(transaction, remaining);
      this.#proxy.forward(transaction, next, now);
    } else this.#proxy.respond(transaction, response, now);
  }

  #handleAck(event: Extract<ProxyEvent, { kind: 'ack' }>, now: Instant): void {
    if (this.#mayPass(event)) this.#proxy.forwardAck(event.request, {}, now);
  }

  /** Within a dialog nobody is challenged: it is enough that one end is a user who is registered. */
  #mayPass({ request, source }: { readonly request: SipRequest } & SipArrival): boolean {
    const target = uriOf(request.requestUri);
    const isToUser = target?.kind === 'sip' && this.#locations.isEnd(target.host);
    return isToUser || this.#locations.isEnd(source.address);
  }

  /** Whoever claims to be a user here has to prove it, and only a user may send something elsewhere (RFC 3261 §16.3 item 6). */
  #isProvedOrForeign(event: Arrived, isForOwn: boolean, now: Instant): boolean {
    const { uri } = fromOf(event.request);
    const user = this.#ownNames.includes(uri) ? userOf(uri) : undefined;
    const isTrusted = this.#options.trustsRegisteredAddresses === true;
    if (user !== undefined && isTrusted && this.#locations.isAt(user, event.source.address)) return true;
    if (user !== undefined) return this.#isProved('proxy', event, user, now);
    if (!isForOwn) this.#refuse(event, 'relay-refused', this.#response(event.request, 403), now);
    return isForOwn;
  }

  #isProved(role: 'registrar' | 'proxy', event: Arrived, user: string, now: Instant): boolean {
    const { request, transaction } = event;
    const toTag = randomToken(this.#options.random, 10);
    const authenticity = this.#authentication.judge(role, request, user, toTag, now);
    if (authenticity.kind === 'proved') {
      this.#authentication.removeCredentials(request);
      return true;
    }
    const { isWrong, response } = authenticity;
    if (isWrong) this.#refuse(event, 'authentication-failed', response, now);
    else this.#proxy.respond(transaction, response, now);
    return false;
  }

  #refuse(event: Arrived, reason: SipServerRefusal, response: SipResponse, now: Instant): void {
    this.#proxy.respond(event.transaction, response, now);
    const name = userOf(fromOf(event.request).uri) ?? '';
    const user = this.#users.has(name) ? name : '';
    const count = this.#refusals.note(user, reason, now);
    const source = formatTransportAddress(event.source);
    if (count !== undefined) this.#tell({ type: 'request-refused', user, source, reason, count });
  }

  #response(request: SipRequest, statusCode: number, reasonPhrase?: string): SipResponse {
    const toTag = randomToken(this.#options.random, 10);
    return createResponse(request, statusCode, {
      toTag,
      ...(reasonPhrase !== undefined && { reasonPhrase }),
    });
  }

  #tell(event: SipServerEvent): void {
    this.#events.push({ kind: 'event', event });
  }
}

function uriOf(text: string): Uri | undefined {
  const uri = parseUri(text);
  return isMalformed(uri) ? undefined : uri;
}

/** The user part without its escapes and parameters. */
function userOf(uri: Uri): string | undefined {
  return /^sips?:([^@]*)@/.exec(addressOfRecord(uri))?.[1];
}
