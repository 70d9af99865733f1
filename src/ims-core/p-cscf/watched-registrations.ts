/**
 * P-CSCF (TRIM Fig. 1): watches the registrations of its users (TS 24.229 §5.2.3, RFC 3680), so that a contact that the network has taken away
 * is forgotten here, too. One subscription for each default identity, made after the 200 to its REGISTER; in the journal, as a process that
 * has just begun should not miss that its users went.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { JournalWriter } from '../../base/journal-writer.ts';
import type { Timeout } from '../../base/machine.ts';
import { type RandomSource, randomToken } from '../../base/random-source.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import type { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { RegistrationWatcher } from '../../protocols/sip/registration/registration-watcher.ts';
import type { SubscriberRecord } from '../../protocols/sip/subscription/event-subscriber.ts';
import type { ClientTransactionId, ServerTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import type { RegisteredContacts } from './registered-contacts.ts';

interface Parts {
  readonly proxy: SipProxy;
  readonly contacts: RegisteredContacts;
  readonly journal: JournalWriter;
  readonly timeOfDayOffsetMs: DurationMs;
  /** URI of this P-CSCF, with the host that stands in Path. */
  readonly uri: string;
  readonly random: RandomSource;
}

/** `refreshAt` in milliseconds since 1970. */
interface SubscriptionLine {
  readonly subscription: string;
  readonly state?: SubscriberRecord;
}

/** How long a user who is not registered any more is still reached over his flow: a BYE and a NOTIFY are on their way to him (64·T1). */
const afterTerminationMs = 32_000;

/** TS 24.229 §5.2.3: longer than the registration. */
const expiresSeconds = 600_000;

export class WatchedRegistrations {
  readonly #parts: Parts;
  readonly #watcher: RegistrationWatcher;

  constructor(parts: Parts) {
    const { proxy, contacts, journal, random } = parts;
    this.#parts = parts;
    this.#watcher = new RegistrationWatcher({
      expiresSeconds,
      random,
      send: (request, nextHop, _, now) => proxy.sendRequest(request, nextHop, now),
      isWanted: (identity) => contacts.hasDefaultIdentity(identity),
      save: (identity, record, now) => journal.write(() => this.#line(identity, record), now),
    });
  }

  get size(): number {
    return this.#watcher.size;
  }

  /** `identity`: the default one of a user who has registered here. A telephone number has no domain to ask. */
  watch(identity: string, now: Instant): void {
    const { uri } = this.#parts;
    if (!identity.startsWith('sip')) return;
    const headers = [['P-Asserted-Identity', `<${uri}>`]] as const;
    const terms = { name: identity, resource: identity, subscriber: uri, contact: uri, routes: [], headers };
    this.#watcher.subscribe(terms, now);
  }

  /** Takes a NOTIFY to this P-CSCF; false for those that only pass. */
  take(transaction: ServerTransactionId, request: SipRequest, now: Instant): boolean {
    const { proxy, contacts, uri, random } = this.#parts;
    if (request.method !== 'NOTIFY' || request.requestUri !== uri) return false;
    const { statusCode, registrations } = this.#watcher.takeNews(request, now);
    const toTag = randomToken(random, 10);
    proxy.respond(transaction, createResponse(request, statusCode, { toTag }), now);
    for (const { addressOfRecord, state, contacts: told } of registrations)
      for (const contact of contacts.ofUser(addressOfRecord)) {
        const news = told.find((one) => one.uri === contact.contactUri);
        if (state === 'terminated' || news?.isActive === false)
          contacts.expireBy(contact, Math.min(contact.expiresAt, now + afterTerminationMs), now);
        else if (news?.expiresSeconds !== undefined)
          contacts.expireBy(contact, now + news.expiresSeconds * 1000, now);
      }
    return true;
  }

  /** The end of a request of the P-CSCF's own. */
  conclude(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): void {
    this.#watcher.conclude(transaction, response, now);
  }

  handleTimeout(now: Instant): void {
    this.#watcher.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#watcher.pollTimeout();
  }

  /** False when the line of a journal is not about a subscription. */
  replay(line: string): boolean {
    try {
      const { subscription, state } = JSON.parse(line) as SubscriptionLine;
      if (typeof subscription !== 'string') return false;
      const offsetMs = this.#parts.timeOfDayOffsetMs;
      this.#watcher.restore(subscription, state && { ...state, refreshAt: state.refreshAt - offsetMs });
      return true;
    } catch {
      return false;
    }
  }

  journalSnapshot(): readonly string[] {
    return this.#watcher.records.map(([identity, record]) => this.#line(identity, record));
  }

  #line(subscription: string, record: SubscriberRecord | undefined): string {
    const refreshAt = (record?.refreshAt ?? 0) + this.#parts.timeOfDayOffsetMs;
    const state = record && { ...record, refreshAt };
    return JSON.stringify({ subscription, ...(state && { state }) } satisfies SubscriptionLine);
  }
}
