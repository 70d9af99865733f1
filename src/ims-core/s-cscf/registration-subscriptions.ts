/**
 * S-CSCF (TRIM Fig. 1): the notifier of registrations (RFC 3680, TS 24.229 §5.4.2.1): terminals, P-CSCFs and application servers hear of
 * every contact that comes, stays or goes, and why, so that a terminal whose registration the network has ended can register again, or
 * say that it may not.
 *
 * The resource is an implicit registration set: a document tells of all its identities that are not barred. Subscriptions end with the
 * registration. Left out: the least time between two notifications (RFC 3680 §4.10), for who waits for one has a call to save.
 */
import type { Instant } from '../../base/instant.ts';
import type { JournalWriter } from '../../base/journal-writer.ts';
import type { Timeout } from '../../base/machine.ts';
import { isMalformed, type Malformed } from '../../base/malformed.ts';
import { randomToken } from '../../base/random-source.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { addressesOf } from '../../protocols/sip/message/header-fields.ts';
import { parseNameAddress } from '../../protocols/sip/message/name-address.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import {
  formatHostPort,
  formatUri,
  parseUri,
  type SipUri,
  type Uri,
} from '../../protocols/sip/message/sip-uri.ts';
import type { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import { type Binding, defaultRegistrationPolicy } from '../../protocols/sip/registration/binding.ts';
import {
  type ContactEvent,
  type ContactInformation,
  formatRegistrationDocument,
  registrationEventPackage,
  registrationInformationType,
} from '../../protocols/sip/registration/registration-information.ts';
import { EventNotifier, type SubscriptionRecord } from '../../protocols/sip/subscription/event-notifier.ts';
import type { ClientTransactionId, ServerTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { probationSeconds } from './limits.ts';
import { associatedIdentities, canonicalIdentity, type Registrar, type ServedUser } from './registrar.ts';
import type { ServingCscfOptions } from './serving-cscf-options.ts';
import { formatSubscriptionLine } from './serving-journal.ts';

/** Why contacts went that did not go by themselves (RFC 3680 §4.7.1). */
export type ContactEnd = Extract<
  ContactEvent,
  'unregistered' | 'expired' | 'deactivated' | 'probation' | 'rejected'
>;

interface Parts {
  readonly proxy: SipProxy;
  readonly registrar: Registrar;
  readonly journal: JournalWriter;
  readonly options: ServingCscfOptions;
}

/** RFC 3680 §4.4. */
const defaultExpiresSeconds = 3_761;

export class RegistrationSubscriptions {
  readonly #parts: Parts;
  readonly #contactUri: string;
  readonly #notifier: EventNotifier;

  constructor(parts: Parts) {
    const { proxy, registrar, journal, options } = parts;
    const { address, port } = options.address;
    this.#parts = parts;
    this.#contactUri = `sip:${formatHostPort(address, port)}`;
    this.#notifier = new EventNotifier({
      contentType: registrationInformationType,
      contact: `<${this.#contactUri}>`,
      defaultExpiresSeconds,
      maximumExpiresSeconds:
        options.registration?.maximumExpiresSeconds ?? defaultRegistrationPolicy.maximumExpiresSeconds,
      random: options.random,
      describe: (resource, version, now) => describeAll(registrar.findPrivate(resource), version, now),
      send: (request, nextHop, now) => proxy.sendRequest(request, nextHop, now),
      save: (key, record, now, then) => {
        const offsetMs = options.journal?.timeOfDayOffsetMs ?? 0;
        journal.write(
          () => formatSubscriptionLine(key, record, offsetMs),
          now,
          (_, later) => then?.(later),
        );
      },
    });
  }

  get size(): number {
    return this.#notifier.size;
  }

  /** A SUBSCRIBE that makes a subscription. */
  subscribe(transaction: ServerTransactionId, request: SipRequest, now: Instant): void {
    const { proxy, registrar, options } = this.#parts;
    const user = registrar.find(canonicalIdentity(request.requestUri));
    if (user !== undefined && mayWatch(request, user)) {
      this.#notifier.subscribe(request, user.privateIdentity, this.#responder(transaction), now);
    } else {
      // Strangers learn nothing, not even who is known here.
      const toTag = randomToken(options.random, 10);
      proxy.respond(transaction, createResponse(request, 403, { toTag }), now);
    }
  }

  /** A SUBSCRIBE within the dialog of a subscription here; false when it goes elsewhere. */
  refresh(transaction: ServerTransactionId, request: SipRequest, now: Instant): boolean {
    if (!isForRegistrar(request)) return false;
    const respond = this.#responder(transaction);
    if (this.#notifier.refresh(request, respond, now)) return true;
    if (request.requestUri !== this.#contactUri) return false;
    respond(createResponse(request, 481), now);
    return true;
  }

  /** Tells who is interested what has become of a user's contacts. `end`: of those that are gone. */
  changed(before: ServedUser | undefined, after: ServedUser, end: ContactEnd, now: Instant): void {
    const contacts = changesOf(before?.bindings ?? [], after.bindings, end, now);
    if (contacts.length === 0) return;
    const { privateIdentity, bindings } = after;
    const state = bindings.length > 0 ? 'active' : 'terminated';
    const registrations = associatedIdentities(after.profile).map(
      (identity) =>
        ({
          addressOfRecord: identity,
          state,
          contacts,
        }) as const,
    );
    const describe = (version: number): string =>
      formatRegistrationDocument({ version, isFull: false, registrations });
    if (state === 'terminated') this.#notifier.terminate(privateIdentity, describe, now);
    else {
      const gone = contacts.filter(({ isActive }) => !isActive).map(({ uri }) => uri);
      // Who was reached at a contact that is gone does not wait there any more.
      this.#notifier.terminate(privateIdentity, describe, now, gone);
      this.#notifier.notify(privateIdentity, describe, now);
    }
  }

  /** An answer to a NOTIFY, or none. False when the transaction is another's. */
  conclude(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): boolean {
    return this.#notifier.conclude(transaction, response, now);
  }

  handleTimeout(now: Instant): void {
    this.#notifier.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#notifier.pollTimeout();
  }

  restore(key: string, record: SubscriptionRecord | undefined): void {
    this.#notifier.restore(key, record);
  }

  journalSnapshot(): readonly string[] {
    const offsetMs = this.#parts.options.journal?.timeOfDayOffsetMs ?? 0;
    return this.#notifier.records.map(([key, record]) => formatSubscriptionLine(key, record, offsetMs));
  }

  #responder(transaction: ServerTransactionId): (response: SipResponse, now: Instant) => void {
    return (response, now) => this.#parts.proxy.respond(transaction, response, now);
  }
}

/** Whether a SUBSCRIBE is for the S-CSCF itself; a terminal must not get its own subscription. */
export function isForRegistrar(request: SipRequest): boolean {
  const [eventPackage = ''] = (request.headers.get('Event') ?? '').split(';');
  return request.method === 'SUBSCRIBE' && eventPackage.trim().toLowerCase() === registrationEventPackage;
}

/**
 * TS 24.229 §5.4.2.1.1: the user, by one of his identities; a P-CSCF that one of his contacts goes through; an application server that his
 * filter criteria name.
 */
function mayWatch(request: SipRequest, user: ServedUser): boolean {
  const subscribers = addressesOf(request, 'P-Asserted-Identity').map(({ uri }) => uri);
  const own = associatedIdentities(user.profile).map(canonicalIdentity);
  const proxies = user.bindings.flatMap(({ path }) => path.map((value) => parseNameAddress(value, 'Path')));
  const servers = user.profile.serviceProfiles
    .flatMap(({ initialFilterCriteria }) => initialFilterCriteria)
    .map(({ applicationServer }) => parseUri(applicationServer.serverName));
  const functions = [...proxies.map((proxy) => (isMalformed(proxy) ? proxy : proxy.uri)), ...servers];
  return subscribers.some(
    (uri) => own.includes(addressOfRecord(uri)) || functions.some((other) => isSameHost(uri, other)),
  );
}

/** A network function says who it is with its own URI, whose user part is its own affair. */
function isSameHost(a: Uri, b: Uri | Malformed): boolean {
  const placeOf = ({ host, port }: SipUri): string => formatHostPort(host.toLowerCase(), port ?? 5060);
  return !isMalformed(b) && a.kind === 'sip' && b.kind === 'sip' && placeOf(a) === placeOf(b);
}

function describeAll(user: ServedUser | undefined, version: number, now: Instant): string {
  const contacts = (user?.bindings ?? []).map((binding) => activeContact(binding, 'registered', now));
  const state = contacts.length > 0 ? 'active' : 'init';
  const registrations = (user === undefined ? [] : associatedIdentities(user.profile)).map(
    (addressOfRecord) =>
      ({
        addressOfRecord,
        state,
        contacts,
      }) as const,
  );
  return formatRegistrationDocument({ version, isFull: true, registrations });
}

function changesOf(
  before: readonly Binding[],
  after: readonly Binding[],
  end: ContactEnd,
  now: Instant,
): ContactInformation[] {
  const old = new Map(before.map((binding) => [formatUri(binding.contact.uri), binding]));
  const changes: ContactInformation[] = [];
  for (const binding of after) {
    const uri = formatUri(binding.contact.uri);
    const former = old.get(uri);
    old.delete(uri);
    if (former !== binding)
      changes.push(activeContact(binding, former === undefined ? 'registered' : 'refreshed', now));
  }
  for (const uri of old.keys())
    changes.push({
      uri,
      isActive: false,
      event: end,
      ...(end === 'probation' && { retryAfterSeconds: probationSeconds }),
    });
  return changes;
}

function activeContact(
  { contact, expiresAt }: Binding,
  event: ContactEvent,
  now: Instant,
): ContactInformation {
  const expiresSeconds = Math.max(0, Math.ceil((expiresAt - now) / 1000));
  return { uri: formatUri(contact.uri), isActive: true, event, expiresSeconds };
}
