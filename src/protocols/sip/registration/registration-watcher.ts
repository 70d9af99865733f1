/**
 * The subscriber to registrations (RFC 3680 §5.2): in IMS a P-CSCF or a terminal, which learns here that the network has ended a registration.
 * Documents come in the order of their versions; when one is missing, the whole state is asked for again.
 */
import type { Instant } from '../../../base/instant.ts';
import { isMalformed } from '../../../base/malformed.ts';
import type { SipRequest } from '../message/sip-message.ts';
import {
  EventSubscriber,
  type EventSubscriberOptions,
  type SubscriptionTerms,
} from '../subscription/event-subscriber.ts';
import {
  parseRegistrationDocument,
  type RegistrationInformation,
  registrationEventPackage,
  registrationInformationType,
} from './registration-information.ts';

/** The answer to a NOTIFY, and what it told. */
export interface RegistrationNews {
  readonly statusCode: 200 | 400 | 481 | 500;
  readonly terms?: SubscriptionTerms;
  /** What has changed, or the whole state; empty when the NOTIFY said nothing new. */
  readonly registrations: readonly RegistrationInformation[];
}

export class RegistrationWatcher extends EventSubscriber {
  /** Of the last document of each subscription. */
  readonly #versions = new Map<string, number>();

  constructor(options: Omit<EventSubscriberOptions, 'eventPackage' | 'contentType'>) {
    const contentType = registrationInformationType;
    super({
      ...options,
      eventPackage: registrationEventPackage,
      contentType,
      onForgotten: (name) => this.#versions.delete(name),
    });
  }

  takeNews(notify: SipRequest, now: Instant): RegistrationNews {
    const notification = this.take(notify, now);
    if (typeof notification === 'number') return { statusCode: notification, registrations: [] };
    const { terms, body, isLast } = notification;
    // RFC 6665 §4.1.2.4: without a body there is no state that the notifier would tell.
    if (body === '') return { statusCode: 200, terms, registrations: [] };
    const document = parseRegistrationDocument(body);
    if (isMalformed(document)) return { statusCode: 400, registrations: [] };
    const { version, isFull, registrations } = document;
    const last = this.#versions.get(terms.name);
    if (last !== undefined && version <= last) return { statusCode: 200, terms, registrations: [] };
    if (!isLast) this.#versions.set(terms.name, version);
    if (last !== undefined && version > last + 1 && !isFull && !isLast) this.refresh(terms.name, now);
    return { statusCode: 200, terms, registrations };
  }
}
