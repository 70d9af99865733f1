/**
 * The subscriber to SIP events (RFC 6665 §4.1): keeps one subscription per resource, refreshed at half its time, made anew when the notifier
 * has forgotten it, and hands out what the notifications say. Without answer, or with a refusal, it lets the matter rest until it is
 * asked again.
 *
 *   subscribe() ──200──▶ confirmed ──half the time──▶ refresh … ──481──▶ anew
 *                  └── refusal, silence ──▶ forgotten ◀── Subscription-State: terminated, forget()
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import { Dialog, type DialogParts, routeRequest } from '../dialog/dialog.ts';
import { callIdOf, expiresOf, fromTagOf, toTagOf } from '../message/header-fields.ts';
import { SipRequest, type SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId } from '../transaction/sip-event.ts';
import { maximumSubscriptions } from './limits.ts';

export interface EventSubscriberOptions {
  readonly eventPackage: string;
  readonly contentType: string;
  readonly expiresSeconds: number;
  readonly random: RandomSource;
  /** Sends a request towards a URI; undefined when that leads nowhere. */
  readonly send: (
    request: SipRequest,
    nextHop: string,
    subscription: SubscriptionTerms,
    now: Instant,
  ) => ClientTransactionId | undefined;
  /** Whether a subscription is worth its refresh. */
  readonly isWanted: (name: string) => boolean;
  /** Writes a subscription down, or that it is over. */
  readonly save?: (name: string, record: SubscriberRecord | undefined, now: Instant) => void;
  readonly onForgotten?: (name: string) => void;
}

/** How a resource is subscribed to. */
export interface SubscriptionTerms {
  /** Names the subscription here. */
  readonly name: string;
  /** The URI that is subscribed to. */
  readonly resource: string;
  /** From: a URI. */
  readonly subscriber: string;
  /** Where notifications come to: a URI. */
  readonly contact: string;
  /** Of requests outside of a dialog. */
  readonly routes: readonly string[];
  /** Further header fields of each SUBSCRIBE. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What outlives the process. */
export interface SubscriberRecord {
  readonly terms: SubscriptionTerms;
  readonly dialog: DialogParts;
  readonly refreshAt: Instant;
}

export interface Notification {
  readonly terms: SubscriptionTerms;
  readonly body: string;
  readonly isLast: boolean;
}

interface Subscription {
  readonly terms: SubscriptionTerms;
  readonly callId: string;
  readonly tag: string;
  /** The last SUBSCRIBE. */
  sent: SipRequest;
  dialog: Dialog | undefined;
  refreshAt: Instant;
}

export class EventSubscriber {
  readonly #options: EventSubscriberOptions;
  readonly #byName = new Map<string, Subscription>();
  readonly #byCallId = new Map<string, Subscription>();
  readonly #transactions = new Map<ClientTransactionId, Subscription>();
  readonly #refreshes = new DeadlineQueue<string>();

  constructor(options: EventSubscriberOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#byName.size;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Makes the subscription unless there is one of that name. */
  subscribe(terms: SubscriptionTerms, now: Instant): void {
    if (this.#byName.has(terms.name) || this.#byName.size >= maximumSubscriptions) return;
    const { random } = this.#options;
    const [callId, tag] = [randomToken(random, 24), randomToken(random, 10)];
    const request = new SipRequest('SUBSCRIBE', terms.resource);
    request.headers.append('From', `<${terms.subscriber}>;tag=${tag}`);
    request.headers.append('To', `<${terms.resource}>`);
    request.headers.append('Call-ID', callId);
    request.headers.append('CSeq', '1 SUBSCRIBE');
    const subscription = { terms, callId, tag, sent: request, dialog: undefined, refreshAt: now };
    this.#add(subscription);
    const routed = routeRequest(request, terms.routes);
    this.#send(subscription, routed.request, routed.nextHop, now);
  }

  /**
   * What a NOTIFY says, which is to be answered with 200; otherwise the status code of the answer. The first one may come before the 200 to
   * the SUBSCRIBE (RFC 6665 §4.1.2.4).
   */
  take(notify: SipRequest, now: Instant): Notification | 481 | 500 {
    const subscription = this.#byCallId.get(callIdOf(notify));
    if (subscription === undefined || toTagOf(notify) !== subscription.tag) return 481;
    const { dialog, terms } = subscription;
    if (dialog !== undefined && fromTagOf(notify) !== dialog.remoteTag) return 481;
    if (dialog?.acceptSequence(notify) === false) return 500;
    dialog?.refreshTarget(notify);
    const state = notify.headers.get('Subscription-State') ?? '';
    const isLast = /^\s*terminated\b/i.test(state);
    if (isLast) {
      this.#forget(subscription, now);
      // RFC 6665 §4.1.3: these two do not mean that there is nothing more to hear.
      const isTransient = /;\s*reason\s*=\s*(?:deactivated|timeout)\b/i.test(state);
      if (isTransient && this.#options.isWanted(terms.name)) this.subscribe(terms, now);
    }
    return { terms, body: notify.body, isLast };
  }

  /** An answer to a SUBSCRIBE, or none. False when the transaction is not the subscriber's. */
  conclude(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): boolean {
    const subscription = this.#transactions.get(transaction);
    if (subscription === undefined) return false;
    if (response !== undefined && response.statusCode < 200) return true;
    this.#transactions.delete(transaction);
    if (this.#byCallId.get(subscription.callId) !== subscription) return true;
    if (response !== undefined && response.statusCode < 300) {
      this.#confirm(subscription, response, now);
      return true;
    }
    const isForgotten = response?.statusCode === 481 && subscription.dialog !== undefined;
    this.#forget(subscription, now);
    if (isForgotten) this.subscribe(subscription.terms, now);
    return true;
  }

  /** Asks for the whole state again (RFC 3680 §5.2). */
  refresh(name: string, now: Instant): void {
    const subscription = this.#byName.get(name);
    if (subscription?.dialog === undefined) return;
    this.#refreshes.delete(name);
    const { request, nextHop } = subscription.dialog.buildRequest('SUBSCRIBE');
    this.#send(subscription, request, nextHop, now);
  }

  /** Nobody is interested any more: it ends by itself, without a refresh. */
  forget(name: string, now: Instant): void {
    const subscription = this.#byName.get(name);
    if (subscription !== undefined) this.#forget(subscription, now);
  }

  handleTimeout(now: Instant): void {
    for (let name = this.#refreshes.takeDue(now); name !== undefined; name = this.#refreshes.takeDue(now))
      if (this.#options.isWanted(name)) this.refresh(name, now);
      else this.forget(name, now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#refreshes.peek();
  }

  /** What was saved before a restart, the last record of each. */
  restore(name: string, record: SubscriberRecord | undefined): void {
    const old = this.#byName.get(name);
    if (old !== undefined) this.#remove(old);
    if (record === undefined || this.#byName.size >= maximumSubscriptions) return;
    const { terms, refreshAt } = record;
    const dialog = Dialog.restored(record.dialog);
    const sent = new SipRequest('SUBSCRIBE', terms.resource);
    this.#add({ terms, callId: dialog.callId, tag: dialog.localTag, sent, dialog, refreshAt });
    this.#refreshes.set(name, refreshAt, 'refresh of a subscription');
  }

  /** Every subscription as it would be saved now. */
  get records(): readonly (readonly [name: string, record: SubscriberRecord])[] {
    return [...this.#byName].flatMap(([name, { terms, dialog, refreshAt }]) =>
      dialog === undefined ? [] : [[name, { terms, dialog: dialog.parts, refreshAt }] as const],
    );
  }

  #confirm(subscription: Subscription, response: SipResponse, now: Instant): void {
    const { terms, sent } = subscription;
    subscription.dialog ??= Dialog.asCaller(sent, response);
    const seconds = expiresOf(response) ?? this.#options.expiresSeconds;
    subscription.refreshAt = now + (seconds * 1000) / 2;
    this.#refreshes.set(terms.name, subscription.refreshAt, 'refresh of a subscription');
    const { refreshAt, dialog } = subscription;
    this.#options.save?.(terms.name, { terms, dialog: dialog.parts, refreshAt }, now);
  }

  #send(subscription: Subscription, request: SipRequest, nextHop: string, now: Instant): void {
    const { eventPackage, contentType, expiresSeconds, send } = this.#options;
    const { terms } = subscription;
    request.headers.append('Contact', `<${terms.contact}>`);
    request.headers.append('Event', eventPackage);
    request.headers.append('Accept', contentType);
    request.headers.append('Expires', String(expiresSeconds));
    for (const [name, value] of terms.headers) request.headers.append(name, value);
    subscription.sent = request;
    const transaction = send(request, nextHop, terms, now);
    if (transaction === undefined) this.#forget(subscription, now);
    else this.#transactions.set(transaction, subscription);
  }

  #add(subscription: Subscription): void {
    this.#byName.set(subscription.terms.name, subscription);
    this.#byCallId.set(subscription.callId, subscription);
  }

  #forget(subscription: Subscription, now: Instant): void {
    this.#remove(subscription);
    if (subscription.dialog !== undefined) this.#options.save?.(subscription.terms.name, undefined, now);
  }

  #remove({ terms, callId }: Subscription): void {
    this.#byName.delete(terms.name);
    this.#byCallId.delete(callId);
    this.#refreshes.delete(terms.name);
    this.#options.onForgotten?.(terms.name);
  }
}
