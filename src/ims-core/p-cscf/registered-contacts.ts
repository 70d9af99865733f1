/**
 * P-CSCF (TRIM Fig. 1): what it knows of the users in its access networks, learnt from the 200 to each REGISTER (TS 24.229 §5.2.2.1):
 * over which flow a contact is reached, who stands behind it, and the Service-Route its initial requests have to take. A line of the
 * journal is one contact, or the name of one that is gone.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { JournalWriter } from '../../base/journal-writer.ts';
import type { Timeout } from '../../base/machine.ts';
import type { TransportAddress } from '../../base/network.ts';
import { sameTransportAddress } from '../../base/network.ts';
import { addressesOf, contactsOf, listIncludes, toOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatUri } from '../../protocols/sip/message/sip-uri.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import type { SipArrival } from '../../protocols/sip/transaction/sip-event.ts';
import { maximumRegisteredContacts } from './limits.ts';

/** Where a user's messages come from and go to; its token names it in Path, and nobody can guess it (RFC 5626 §5.2). */
export interface Flow extends SipArrival {
  readonly token: string;
}

export interface RegisteredContact {
  readonly addressOfRecord: string;
  readonly contactUri: string;
  readonly flow: Flow;
  /** The registrar knows flows (RFC 5626): it has others to try when this one fails. */
  readonly isOutbound?: boolean;
  /** In canonical form, the default identity first. */
  readonly identities: readonly string[];
  readonly serviceRoute: readonly string[];
  readonly expiresAt: Instant;
}

/** `expiresAt` in milliseconds since 1970. */
type ContactLine = { readonly contact: RegisteredContact } | { readonly gone: string };

export class RegisteredContacts {
  /** By address-of-record and contact URI. */
  readonly #contacts = new Map<string, RegisteredContact>();
  /** By what contacts are looked up with, each lookup with its own prefix; sets keep the order of registration. */
  readonly #index = new Map<string, Set<RegisteredContact>>();
  readonly #deadlines = new DeadlineQueue<string>();
  readonly #journal: JournalWriter;
  readonly #timeOfDayOffsetMs: DurationMs;

  constructor(journal: JournalWriter, timeOfDayOffsetMs: DurationMs) {
    this.#journal = journal;
    this.#timeOfDayOffsetMs = timeOfDayOffsetMs;
  }

  get size(): number {
    return this.#contacts.size;
  }

  /** Takes over what a line of a journal says; false when it is not about a contact. */
  replay(text: string): boolean {
    const line = parseLine(text);
    if (line === undefined) return false;
    if ('gone' in line) this.#remove(line.gone);
    else this.#store({ ...line.contact, expiresAt: line.contact.expiresAt - this.#timeOfDayOffsetMs });
    return true;
  }

  journalSnapshot(): readonly string[] {
    return [...this.#contacts.values()].map((contact) => this.#line(contact));
  }

  #line(contact: RegisteredContact): string {
    const expiresAt = contact.expiresAt + this.#timeOfDayOffsetMs;
    return JSON.stringify({ contact: { ...contact, expiresAt } } satisfies ContactLine);
  }

  /**
   * Brings the contacts that the request names in line with the 200. Others stay until they expire though the 200 may not list them: RFC 3261
   * §10.3 asks for all bindings, but Kamailio 5.6 lists those of the request only. Returns the default identity of who has registered.
   */
  learn(request: SipRequest, response: SipResponse, flow: Flow, now: Instant): string | undefined {
    const user = addressOfRecord(toOf(request).uri);
    const lifetimes = new Map(
      contactsOf(response).map(({ uri, parameters }) => [
        formatUri(uri),
        Number(parameters.get('expires') ?? 0),
      ]),
    );
    const named = new Set(contactsOf(request).map(({ uri }) => formatUri(uri)));
    const isForAll = request.headers.get('Contact') === '*';
    for (const contact of this.ofUser(user)) {
      const { contactUri } = contact;
      if ((isForAll || named.has(contactUri)) && !lifetimes.has(contactUri)) this.#delete(contact, now);
    }
    const associated = addressesOf(response, 'P-Associated-URI').map(({ uri }) => addressOfRecord(uri));
    // Kamailio 5.6 writes a list that cannot be read when a telephone number is in it.
    const identities = associated.length > 0 ? associated : [user];
    let registered: string | undefined;
    for (const { uri } of contactsOf(request)) {
      const contactUri = formatUri(uri);
      const seconds = lifetimes.get(contactUri) ?? 0;
      if (!(seconds > 0)) continue;
      registered = identities[0];
      this.#put(
        {
          addressOfRecord: user,
          contactUri,
          flow,
          ...(listIncludes(response, 'Require', 'outbound') && { isOutbound: true }),
          identities,
          serviceRoute: response.headers.getAll('Service-Route'),
          expiresAt: now + seconds * 1000,
        },
        now,
      );
    }
    return registered;
  }

  ofUser(user: string): RegisteredContact[] {
    return this.#lookUp(`user ${user}`);
  }

  /** Whether anybody is registered here whose default identity this is. */
  hasDefaultIdentity(identity: string): boolean {
    return this.#lookUp(`default ${identity}`).length > 0;
  }

  /** The registrar says how long a contact lasts. */
  expireBy(contact: RegisteredContact, expiresAt: Instant, now: Instant): void {
    // Whole seconds, and as long as a notification is under way: that is no news.
    if (Math.abs(contact.expiresAt - expiresAt) > 2_000) this.#put({ ...contact, expiresAt }, now);
  }

  /** The contacts registered over exactly this flow; if there are none, those that the request's Contact and source name. */
  ofSender(request: SipRequest, arrival: SipArrival): RegisteredContact[] {
    const neighbours = this.#lookUp(`source ${arrival.source.address}`);
    const exact = neighbours.filter(({ flow }) => isSameFlow(flow, arrival));
    if (exact.length > 0) return exact;
    // A request of more than 1300 octets came over TCP, from another port (RFC 3261 §18.1.1).
    const named = contactsOf(request).map(({ uri }) => formatUri(uri));
    return neighbours.filter(({ contactUri }) => named.includes(contactUri));
  }

  isKnownSource(source: TransportAddress): boolean {
    return this.#lookUp(`source ${source.address}`).length > 0;
  }

  flowOf(arrival: SipArrival): Flow | undefined {
    return this.#lookUp(`source ${arrival.source.address}`).find(({ flow }) => isSameFlow(flow, arrival))
      ?.flow;
  }

  ofToken(token: string): RegisteredContact | undefined {
    return this.#lookUp(`token ${token}`).at(-1);
  }

  /** By what stands in the Request-URI of a request to the user. */
  ofContactUri(uri: string): RegisteredContact | undefined {
    return this.#lookUp(`contact ${uri}`).at(-1);
  }

  expire(now: Instant): void {
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now)) {
      this.#delete(this.#contacts.get(key)!, now);
    }
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #put(contact: RegisteredContact, now: Instant): void {
    if (this.#store(contact)) this.#journal.write(() => this.#line(contact), now);
  }

  #delete(contact: RegisteredContact, now: Instant): void {
    this.#remove(keyOf(contact));
    this.#journal.write(() => JSON.stringify({ gone: keyOf(contact) } satisfies ContactLine), now);
  }

  /** False when there is no room. */
  #store(contact: RegisteredContact): boolean {
    const key = keyOf(contact);
    this.#remove(key);
    if (this.#contacts.size >= maximumRegisteredContacts) return false;
    this.#contacts.set(key, contact);
    this.#deadlines.set(key, contact.expiresAt, 'registered contact expires');
    for (const name of indexNames(contact)) {
      const found = this.#index.get(name);
      if (found === undefined) this.#index.set(name, new Set([contact]));
      else found.add(contact);
    }
    return true;
  }

  #remove(key: string): void {
    const contact = this.#contacts.get(key);
    if (contact === undefined) return;
    this.#contacts.delete(key);
    this.#deadlines.delete(key);
    for (const name of indexNames(contact)) {
      const found = this.#index.get(name)!;
      found.delete(contact);
      if (found.size === 0) this.#index.delete(name);
    }
  }

  #lookUp(name: string): RegisteredContact[] {
    return [...(this.#index.get(name) ?? [])];
  }
}

function parseLine(text: string): ContactLine | undefined {
  try {
    const line = JSON.parse(text);
    const isComplete = typeof line?.gone === 'string' || typeof line?.contact?.contactUri === 'string';
    return isComplete ? line : undefined;
  } catch {
    return undefined;
  }
}

function keyOf(contact: RegisteredContact): string {
  return `${contact.addressOfRecord} ${contact.contactUri}`;
}

function indexNames({ addressOfRecord, flow, contactUri, identities }: RegisteredContact): string[] {
  return [
    `user ${addressOfRecord}`,
    `default ${identities[0]}`,
    `source ${flow.source.address}`,
    `token ${flow.token}`,
    `contact ${contactUri}`,
  ];
}

function isSameFlow(a: SipArrival, b: SipArrival): boolean {
  return (
    a.transport === b.transport &&
    sameTransportAddress(a.source, b.source) &&
    sameTransportAddress(a.local, b.local)
  );
}
