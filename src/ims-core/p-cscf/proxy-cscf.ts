/**
 * P-CSCF (TRIM Fig. 1): the first contact point of user equipment, at the edge of the trust domain.
 *
 * Follows RFC 3261 §16, RFC 3327 §5.2 (Path), RFC 5626 §5 (flow tokens), RFC 3608, RFC 3325, RFC 7315 and TS 24.229 §5.2; what is sent
 * and tolerated keeps to Kamailio 5.6. Within a dialog the way to the user is the Request-URI, not a flow
 * token, because a mobile node changes its address while the route set stays (TRIM Fig. 6; RFC 3261 §12.2).
 * Left out: IPsec security agreement, policy control (Rx), emergency calls, STUN keep-alives.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import {
  type JournalCompleted,
  type JournalEffect,
  JournalWriter,
  type TimedJournal,
} from '../../base/journal-writer.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import { type RandomSource, randomToken } from '../../base/random-source.ts';
import { SipEndpoint, type SipListener } from '../../protocols/sip/endpoint.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { addressesOf, fromOf, listIncludes, toTagOf } from '../../protocols/sip/message/header-fields.ts';
import { parseNameAddress } from '../../protocols/sip/message/name-address.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort } from '../../protocols/sip/message/sip-uri.ts';
import type { ForwardTarget, ProxyEvent } from '../../protocols/sip/proxy/proxy-event.ts';
import { OwnNames } from '../../protocols/sip/proxy/route-processing.ts';
import { type HostAddress, SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import type {
  ClientTransactionId,
  SipArrival,
  SipTarget,
} from '../../protocols/sip/transaction/sip-event.ts';
import type { SipTimers } from '../../protocols/sip/transaction/timers.ts';
import { type AccessNetwork, AccessNetworks } from './access-networks.ts';
import { DialogRoutes, dialogKeyOctets } from './dialog-routes.ts';
import { type Flow, type RegisteredContact, RegisteredContacts } from './registered-contacts.ts';
import { enterTrustDomain, hideKeys, leaveTrustDomain } from './trust-domain.ts';
import { WatchedRegistrations } from './watched-registrations.ts';

export interface ProxyCscfOptions {
  readonly listen: readonly SipListener[];
  /** Stands in Path and Record-Route; reachable from the users and from the core. */
  readonly address: TransportAddress;
  /** P-Visited-Network-ID, such as "home1.net". */
  readonly visitedNetwork: string;
  /** Each home domain with its I-CSCF, and every other name that Route headers may hold. */
  readonly hosts: ReadonlyMap<string, HostAddress>;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly locatesServers?: boolean;
  /** Which accesses users come from; what is not named here is as the user says. */
  readonly accessNetworks?: readonly AccessNetwork[];
  /** Requests within a dialog from an address nobody registered from: a moved user that has not registered yet. */
  readonly unregisteredInDialog: 'forward' | 'refuse';
  /** Absent: none is kept. */
  readonly journal?: TimedJournal;
  readonly random: RandomSource;
  readonly timers?: Partial<SipTimers>;
}

/** A line of the journal that is not the last cannot be read: a contact may be missing. */
export interface ProxyCscfEvent {
  readonly kind: 'journal-damaged';
  readonly line: number;
}

/** What becomes of the response to a forwarded request. */
type Pending =
  | { readonly kind: 'registration'; readonly flow: Flow }
  | { readonly kind: 'from-user' }
  | { readonly kind: 'to-user'; readonly contact: RegisteredContact | undefined };

type Arrived = Extract<ProxyEvent, { kind: 'request' }>;

export class ProxyCscf implements NetworkFunction<JournalCompleted, ProxyCscfEvent, JournalEffect> {
  readonly #options: ProxyCscfOptions;
  readonly #proxy: SipProxy;
  readonly #journal: JournalWriter;
  readonly #contacts: RegisteredContacts;
  readonly #watched: WatchedRegistrations;
  readonly #dialogKey: Uint8Array;
  readonly #dialogs: DialogRoutes;
  readonly #events = new Fifo<EventOutput<ProxyCscfEvent>>();
  readonly #accesses: AccessNetworks;
  /** By the request that the proxy core holds: an entry goes with it. */
  readonly #pending = new WeakMap<SipRequest, Pending>();
  readonly #authority: string;

  constructor(options: ProxyCscfOptions) {
    this.#options = options;
    this.#accesses = new AccessNetworks(options.accessNetworks ?? []);
    this.#authority = formatHostPort(options.address.address, options.address.port);
    const { listen, random } = options;
    const timers = options.timers === undefined ? {} : { timers: options.timers };
    const endpoint = new SipEndpoint({
      listen,
      random,
      hasOverloadControl: true,
      locatesServers: options.locatesServers ?? false,
      ...timers,
    });
    const ownNames = [this.#authority, ...listen.map(({ address, port }) => formatHostPort(address, port))];
    this.#proxy = new SipProxy({
      endpoint,
      ownNames,
      hosts: options.hosts,
      ...timers,
    });
    const { lines, timeOfDayOffsetMs } = options.journal ?? { lines: [], timeOfDayOffsetMs: 0 };
    this.#journal = new JournalWriter(options.journal !== undefined);
    this.#contacts = new RegisteredContacts(this.#journal, timeOfDayOffsetMs);
    this.#watched = new WatchedRegistrations({
      proxy: this.#proxy,
      contacts: this.#contacts,
      journal: this.#journal,
      timeOfDayOffsetMs,
      uri: `sip:${this.#authority}`,
      random,
    });
    const dialogKey = dialogKeyOf(lines[0] ?? '');
    this.#dialogKey = dialogKey ?? newDialogKey(random);
    this.#dialogs = new DialogRoutes(this.#dialogKey, new OwnNames(ownNames));
    lines.forEach((line, index) => {
      // The last one may be torn by the end of the process before this.
      const isKey = index === 0 && dialogKey !== undefined;
      const isUnderstood = isKey || this.#contacts.replay(line) || this.#watched.replay(line);
      if (!isUnderstood && index < lines.length - 1)
        this.#events.push({ kind: 'event', event: { kind: 'journal-damaged', line: index + 1 } });
    });
  }

  /** How many contacts are registered through here. */
  get contacts(): number {
    return this.#contacts.size;
  }

  /** The journal as short as it can be, for the host to write in place of the one that grew. */
  journalSnapshot(): readonly string[] {
    const dialogKey = Buffer.from(this.#dialogKey).toString('hex');
    return [
      JSON.stringify({ dialogKey } satisfies DialogKeyLine),
      ...this.#contacts.journalSnapshot(),
      ...this.#watched.journalSnapshot(),
    ];
  }

  start(now: Instant): void {
    this.#proxy.start(now);
  }

  handleInput(input: NetworkInput | JournalCompleted, now: Instant): void {
    if (input.kind === 'effect-completed') this.#journal.complete(input, now);
    else this.#proxy.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#contacts.expire(now);
    this.#watched.handleTimeout(now);
    this.#proxy.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollTimeout(): Timeout | undefined {
    const ofUsers = earlierTimeout(this.#contacts.pollTimeout(), this.#watched.pollTimeout());
    return earlierTimeout(this.#proxy.pollTimeout(), ofUsers);
  }

  pollOutput(): NetworkOutput | EventOutput<ProxyCscfEvent> | EffectOutput<JournalEffect> | undefined {
    return this.#events.shift() ?? this.#journal.pollOutput() ?? this.#proxy.pollOutput();
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#proxy.pollEvent(now); event !== undefined; event = this.#proxy.pollEvent(now)) {
      if (event.kind === 'request') this.#handleRequest(event, now);
      else if (event.kind === 'ack') this.#handleAck(event, now);
      else if (event.kind === 'response-chosen') this.#handleResponse(event, now);
      else if (event.kind === 'response') this.#watched.conclude(event.transaction, event.response, now);
      else if (event.kind === 'timed-out' || event.kind === 'transport-failed')
        this.#watched.conclude(event.transaction as ClientTransactionId, undefined, now);
    }
  }

  #handleRequest(event: Arrived, now: Instant): void {
    const { request, ownRoute, transaction } = event;
    if (this.#watched.take(transaction, request, now)) return;
    const token = ownRoute?.parameters.has('ob') === true ? ownRoute.user : undefined;
    if (request.method === 'REGISTER') this.#register(event, now);
    else if (toTagOf(request) !== undefined) this.#handleInDialog(event, now);
    else if (token !== undefined) this.#terminate(event, token, now);
    else this.#originate(event, now);
  }

  /** TS 24.229 §5.2.2.1. */
  #register(event: Arrived, now: Instant): void {
    const { request } = event;
    const { source, local, transport } = event;
    const flow = this.#contacts.flowOf(event) ?? {
      token: randomToken(this.#options.random, 16),
      source,
      local,
      transport,
    };
    this.#enter(request, event);
    request.headers.removeAll('P-Preferred-Identity');
    request.headers.removeAll('Route');
    request.headers.prepend('Path', `<sip:${flow.token}@${this.#authority};lr;ob>`);
    if (!listIncludes(request, 'Require', 'path')) request.headers.append('Require', 'path');
    if (!listIncludes(request, 'Supported', 'path')) request.headers.append('Supported', 'path');
    request.headers.set('P-Visited-Network-ID', `"${this.#options.visitedNetwork}"`);
    this.#addChargingVector(request);
    this.#forward(event, { kind: 'registration', flow }, {}, now);
  }

  /** An initial request from a user: TS 24.229 §5.2.6.3. */
  #originate(event: Arrived, now: Instant): void {
    const { request } = event;
    const sender = this.#identify(request, this.#contacts.ofSender(request, event));
    if (sender === undefined) {
      this.#refuse(event, 403, now);
      return;
    }
    const { contact, identity } = sender;
    this.#enter(request, event);
    request.headers.removeAll('P-Preferred-Identity');
    request.headers.set('P-Asserted-Identity', `<${identity}>`);
    this.#addChargingVector(request);
    // A preloaded Route other than the Service-Route is replaced by it (§5.2.6.3.2A allows that or a 400).
    const routes = request.headers.getAll('Route');
    if (routes.join() !== contact.serviceRoute.join()) {
      request.headers.removeAll('Route');
      for (const route of contact.serviceRoute) request.headers.append('Route', route);
    }
    this.#forward(event, { kind: 'from-user' }, { recordRoute: { user: 'mo' } }, now);
  }

  /** The contact that a request belongs to, and the identity that is asserted for it (RFC 3325 §6). */
  #identify(
    request: SipRequest,
    contacts: readonly RegisteredContact[],
  ): { readonly contact: RegisteredContact; readonly identity: string } | undefined {
    const known = contacts.flatMap((contact) =>
      contact.identities.map((identity) => ({ contact, identity })),
    );
    const wishes = [...addressesOf(request, 'P-Preferred-Identity'), fromOf(request)];
    for (const wish of wishes.map(({ uri }) => addressOfRecord(uri))) {
      const found = known.find(({ identity }) => identity === wish);
      if (found !== undefined) return found;
    }
    return known[0];
  }

  /** An initial request to a user, along the Path of its registration. */
  #terminate(event: Arrived, token: string, now: Instant): void {
    const contact = this.#contacts.ofToken(token);
    if (contact === undefined) {
      this.#refuse(event, 430, now);
      return;
    }
    // RFC 5626 §5.3.1. A user agent without outbound may have come by TCP only as its request was long: it is reached where its contact says.
    const hasFlow = this.#hasFlow(contact.flow);
    if (!hasFlow && contact.isOutbound === true) {
      this.#refuse(event, 430, now);
      return;
    }
    leaveTrustDomain(event.request);
    const nextHop = hasFlow ? { nextHop: targetOf(contact.flow) } : {};
    const user = this.#dialogs.userPartTowardsCallee(event.request);
    const target = { recordRoute: { user }, ...nextHop };
    this.#forward(event, { kind: 'to-user', contact }, target, now);
  }

  #handleInDialog(event: Arrived, now: Instant): void {
    const { request } = event;
    if (!request.headers.has('Route')) {
      const contact = this.#contacts.ofContactUri(request.requestUri);
      if (this.#isPastCore(event, contact)) {
        this.#refuse(event, 403, now);
        return;
      }
      leaveTrustDomain(request);
      this.#forward(event, { kind: 'to-user', contact }, targetFor(contact), now);
    } else if (this.#isRefused(event) || !this.#dialogs.areOf(request, event.ownRoute)) {
      this.#refuse(event, 403, now);
    } else {
      this.#enter(request, event);
      request.headers.removeAll('P-Preferred-Identity');
      this.#addChargingVector(request);
      this.#forward(event, { kind: 'from-user' }, {}, now);
    }
  }

  #handleAck(event: Extract<ProxyEvent, { kind: 'ack' }>, now: Instant): void {
    const { request } = event;
    if (request.headers.has('Route')) {
      if (this.#isRefused(event) || !this.#dialogs.areOf(request, event.ownRoute)) return;
      this.#enter(request, event);
      request.headers.removeAll('P-Preferred-Identity');
      this.#proxy.forwardAck(request, {}, now);
    } else {
      const contact = this.#contacts.ofContactUri(request.requestUri);
      if (this.#isPastCore(event, contact)) return;
      leaveTrustDomain(request);
      this.#proxy.forwardAck(request, targetFor(contact), now);
    }
  }

  /** A user who leaves the core out of his Route would speak to other users as if the core did. */
  #isPastCore({ source }: SipArrival, contact: RegisteredContact | undefined): boolean {
    if (!this.#contacts.isKnownSource(source)) return false;
    const routes = (contact?.serviceRoute ?? []).map((value) => parseNameAddress(value, 'Service-Route'));
    const hosts = routes.flatMap((route) =>
      !isMalformed(route) && route.uri.kind === 'sip' ? [route.uri.host] : [],
    );
    const core = [...this.#options.hosts.values()].map(({ address }) => address);
    // An I-CSCF or S-CSCF may run where users do, on one machine.
    return ![...hosts, ...core].includes(source.address);
  }

  #isRefused({ source }: SipArrival): boolean {
    return this.#options.unregisteredInDialog === 'refuse' && !this.#contacts.isKnownSource(source);
  }

  #handleResponse(event: Extract<ProxyEvent, { kind: 'response-chosen' }>, now: Instant): void {
    const { transaction, request, response } = event;
    const pending = this.#pending.get(request);
    if (pending?.kind === 'to-user') {
      enterTrustDomain(response, this.#accesses.infoOf(pending.contact?.flow.source.address ?? ''));
      const identity = this.#identifyCallee(response, pending.contact);
      response.headers.removeAll('P-Preferred-Identity');
      if (identity !== undefined) response.headers.set('P-Asserted-Identity', `<${identity}>`);
    } else {
      leaveTrustDomain(response);
      if (pending?.kind === 'from-user') this.#dialogs.sign(response);
      if (response.statusCode === 401) hideKeys(response);
    }
    if (pending?.kind === 'registration' && response.statusCode >= 200 && response.statusCode < 300) {
      const identity = this.#contacts.learn(request, response, pending.flow, now);
      // Not before the journal has it. A disk that fails is no reason to turn away a user whom the S-CSCF has registered.
      this.#journal.flushed(now, (later) => {
        this.#proxy.respond(transaction, response, later);
        if (identity !== undefined) this.#watched.watch(identity, later);
      });
    } else this.#proxy.respond(transaction, response, now);
  }

  #identifyCallee(response: SipResponse, contact: RegisteredContact | undefined): string | undefined {
    const wishes = addressesOf(response, 'P-Preferred-Identity').map(({ uri }) => addressOfRecord(uri));
    return contact?.identities.find((identity) => wishes.includes(identity)) ?? contact?.identities[0];
  }

  #forward({ transaction, request }: Arrived, pending: Pending, target: ForwardTarget, now: Instant): void {
    this.#pending.set(request, pending);
    this.#proxy.forward(transaction, [target], now);
  }

  #hasFlow({ source, local, transport }: Flow): boolean {
    return this.#proxy.endpoint.hasFlow({ transport, local, remote: source });
  }

  #refuse({ request, transaction }: Arrived, statusCode: number, now: Instant): void {
    const toTag = randomToken(this.#options.random, 10);
    this.#proxy.respond(transaction, createResponse(request, statusCode, { toTag }), now);
  }

  #enter(request: SipRequest, { source }: SipArrival): void {
    enterTrustDomain(request, this.#accesses.infoOf(source.address));
  }

  /** RFC 7315 §5.6: the first network function gives each request its charging identity. */
  #addChargingVector(request: SipRequest): void {
    const identity = randomToken(this.#options.random, 20);
    const generatedAt = this.#options.address.address;
    request.headers.set('P-Charging-Vector', `icid-value=${identity};icid-generated-at=${generatedAt}`);
  }
}

/** The first line of the journal: what dialogs are vouched for with (dialog-routes.ts). */
interface DialogKeyLine {
  readonly dialogKey: string;
}

function dialogKeyOf(line: string): Uint8Array | undefined {
  try {
    const { dialogKey } = JSON.parse(line) as Partial<DialogKeyLine>;
    const key = Buffer.from(String(dialogKey), 'hex');
    return key.length === dialogKeyOctets ? new Uint8Array(key) : undefined;
  } catch {
    return undefined;
  }
}

function newDialogKey(random: RandomSource): Uint8Array {
  const key = Buffer.alloc(dialogKeyOctets);
  for (let at = 0; at < dialogKeyOctets; at += 4) key.writeUInt32BE(random.nextUint32(), at);
  return key;
}

function targetOf({ source, local, transport }: Flow): SipTarget {
  return { transport, address: source.address, port: source.port, local };
}

/** A user who is not (or no longer) registered is reached where the Request-URI says. */
function targetFor(contact: RegisteredContact | undefined): ForwardTarget {
  return contact === undefined ? {} : { nextHop: targetOf(contact.flow) };
}
