/**
 * The notifier of SIP events (RFC 6665 §4.2): keeps subscriptions to resources, tells each of them the state at once and after every change,
 * and ends those that are not refreshed, whose subscriber is gone, or whose resource is. Who may subscribe and what a notification says
 * is the owner's business; so is a journal, if subscriptions are to outlive the process.
 *
 *   SUBSCRIBE ──200, NOTIFY──▶ active ──refresh──▶ active ──Expires: 0, time, refusal of a NOTIFY, end of the resource──▶ terminated
 *
 * A NOTIFY goes out when the one before it is answered, so that none overtakes another. Left out: authentication of subscribers by
 * challenge, the rates of RFC 6446.
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import { Dialog, type DialogParts } from '../dialog/dialog.ts';
import { createResponse } from '../message/create-response.ts';
import { callIdOf, contactsOf, expiresOf, toTagOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId } from '../transaction/sip-event.ts';
import { maximumSubscriptions, maximumSubscriptionsPerResource, maximumWaitingChanges } from './limits.ts';

export interface EventNotifierOptions {
  readonly contentType: string;
  /** Contact of this end, a name-addr. */
  readonly contact: string;
  readonly defaultExpiresSeconds: number;
  readonly maximumExpiresSeconds: number;
  readonly random: RandomSource;
  /** The whole state of a resource, as the body of a notification. */
  readonly describe: (resource: string, version: number, now: Instant) => string;
  /** Sends a request towards a URI; undefined when that leads nowhere. */
  readonly send: (request: SipRequest, nextHop: string, now: Instant) => ClientTransactionId | undefined;
  /** Writes a subscription down, or that it is over; `then` is called when that is done, or cannot be. */
  readonly save: (
    key: string,
    record: SubscriptionRecord | undefined,
    now: Instant,
    then?: (now: Instant) => void,
  ) => void;
}

/** What outlives the process. */
export interface SubscriptionRecord {
  readonly resource: string;
  /** The Event of the SUBSCRIBE, with its id if it has one (RFC 6665 §4.4.1). */
  readonly event: string;
  readonly dialog: DialogParts;
  /** CSeq of the NOTIFY with version 0. */
  readonly firstSequence: number;
  readonly expiresAt: Instant;
}

/** The body of a notification; `version` counts those of one subscription from 0. */
export type Description = (version: number) => string;

interface Notice {
  readonly describe: Description;
  /** Of `terminated`. */
  readonly reason?: string;
}

interface Subscription {
  readonly key: string;
  readonly resource: string;
  readonly event: string;
  readonly dialog: Dialog;
  readonly firstSequence: number;
  expiresAt: Instant;
  isAwaited: boolean;
  /** Wait for the answer to the NOTIFY before them. */
  readonly waiting: Notice[];
}

type Respond = (response: SipResponse, now: Instant) => void;

export class EventNotifier {
  readonly #options: EventNotifierOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #byResource = new Map<string, Set<Subscription>>();
  readonly #deadlines = new DeadlineQueue<string>();
  /** NOTIFY requests that wait for their answer. */
  readonly #notifications = new Map<ClientTransactionId, Subscription>();

  constructor(options: EventNotifierOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /** Takes a SUBSCRIBE outside of a dialog, whose sender may have what it asks for. */
  subscribe(request: SipRequest, resource: string, respond: Respond, now: Instant): void {
    const tag = randomToken(this.#options.random, 10);
    const refusal = this.#refusalOf(request, resource);
    if (refusal !== undefined) {
      respond(createResponse(request, refusal, { toTag: tag }), now);
      return;
    }
    const dialog = Dialog.asCallee(request, tag, this.#options.random);
    const subscription = this.#add(dialog, {
      key: keyOf(callIdOf(request), tag),
      resource,
      event: request.headers.get('Event')!,
      firstSequence: dialog.parts.localSequence + 1,
      expiresAt: now,
    });
    this.#accept(subscription, request, respond, now);
  }

  /** Takes a SUBSCRIBE within a dialog; false when it belongs to no subscription here, which is answered with 481. */
  refresh(request: SipRequest, respond: Respond, now: Instant): boolean {
    const subscription = this.#subscriptions.get(keyOf(callIdOf(request), toTagOf(request) ?? ''));
    if (subscription?.dialog.matchesRequest(request) !== true) return false;
    if (!subscription.dialog.acceptSequence(request)) {
      respond(createResponse(request, 500), now);
      return true;
    }
    subscription.dialog.refreshTarget(request);
    this.#accept(subscription, request, respond, now);
    return true;
  }

  /** Tells all who have subscribed to the resource. */
  notify(resource: string, describe: Description, now: Instant): void {
    for (const subscription of this.#of(resource)) this.#tell(subscription, { describe }, now);
  }

  /** The last notification: to all, or to those who are reached at one of these contacts. */
  terminate(resource: string, describe: Description, now: Instant, contacts?: readonly string[]): void {
    for (const subscription of this.#of(resource))
      if (contacts === undefined || contacts.includes(subscription.dialog.remoteTarget))
        this.#end(subscription, { describe, reason: 'noresource' }, now);
  }

  /** An answer to a NOTIFY, or none. False when the transaction is not the notifier's. */
  conclude(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): boolean {
    const subscription = this.#notifications.get(transaction);
    if (subscription === undefined) return false;
    if (response !== undefined && response.statusCode < 200) return true;
    this.#notifications.delete(transaction);
    subscription.isAwaited = false;
    if (isLost(response)) {
      subscription.waiting.length = 0;
      this.#forget(subscription, now);
    } else this.#sendNext(subscription, now);
    return true;
  }

  handleTimeout(now: Instant): void {
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now)) {
      const subscription = this.#subscriptions.get(key)!;
      this.#end(subscription, { ...this.#wholeState(subscription, now), reason: 'timeout' }, now);
    }
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  /** What was saved before a restart, the last record of each. CSeq, and with it the version, goes on from far above. */
  restore(key: string, record: SubscriptionRecord | undefined): void {
    const old = this.#subscriptions.get(key);
    if (old !== undefined) this.#remove(old);
    if (record === undefined || this.#subscriptions.size >= maximumSubscriptions) return;
    this.#add(Dialog.restored(record.dialog), { ...record, key });
    this.#deadlines.set(key, record.expiresAt, 'subscription expires');
  }

  /** Every subscription as it would be saved now. */
  get records(): readonly (readonly [key: string, record: SubscriptionRecord])[] {
    return [...this.#subscriptions.values()].map((subscription) => [
      subscription.key,
      recordOf(subscription),
    ]);
  }

  #refusalOf(request: SipRequest, resource: string): number | undefined {
    const isFull =
      this.#subscriptions.size >= maximumSubscriptions ||
      (this.#byResource.get(resource)?.size ?? 0) >= maximumSubscriptionsPerResource;
    if (contactsOf(request).length !== 1) return 400;
    if (!accepts(request, this.#options.contentType)) return 406;
    return isFull ? 503 : undefined;
  }

  #add(dialog: Dialog, terms: Omit<SubscriptionRecord, 'dialog'> & { readonly key: string }): Subscription {
    const subscription: Subscription = { ...terms, dialog, isAwaited: false, waiting: [] };
    this.#subscriptions.set(terms.key, subscription);
    const others = this.#byResource.get(terms.resource);
    if (others === undefined) this.#byResource.set(terms.resource, new Set([subscription]));
    else others.add(subscription);
    return subscription;
  }

  /** Confirms it for its time and sends the state. With Expires: 0 that was the last (RFC 6665 §4.2.1.4). */
  #accept(subscription: Subscription, request: SipRequest, respond: Respond, now: Instant): void {
    const { key, dialog } = subscription;
    const { defaultExpiresSeconds, maximumExpiresSeconds, contact, save } = this.#options;
    const seconds = Math.min(expiresOf(request) ?? defaultExpiresSeconds, maximumExpiresSeconds);
    subscription.expiresAt = now + seconds * 1000;
    const response = createResponse(request, 200, { toTag: dialog.localTag });
    for (const value of request.headers.getAll('Record-Route'))
      response.headers.append('Record-Route', value);
    response.headers.set('Contact', contact);
    response.headers.set('Expires', String(seconds));
    if (seconds === 0) {
      respond(response, now);
      this.#end(subscription, { ...this.#wholeState(subscription, now), reason: 'timeout' }, now);
      return;
    }
    this.#deadlines.set(key, subscription.expiresAt, 'subscription expires');
    save(key, recordOf(subscription), now, (later) => {
      respond(response, later);
      this.#tell(subscription, this.#wholeState(subscription, later), later);
    });
  }

  #wholeState({ resource }: Subscription, now: Instant): Notice {
    return { describe: (version) => this.#options.describe(resource, version, now) };
  }

  #end(subscription: Subscription, notice: Notice, now: Instant): void {
    this.#forget(subscription, now);
    this.#tell(subscription, notice, now);
  }

  #tell(subscription: Subscription, notice: Notice, now: Instant): void {
    const { waiting, resource } = subscription;
    if (!subscription.isAwaited) {
      this.#send(subscription, notice, now);
      return;
    }
    waiting.push(notice);
    if (waiting.length <= maximumWaitingChanges) return;
    // Too many for one after the other: what they come to.
    const last = { ...notice, describe: (version: number) => this.#options.describe(resource, version, now) };
    waiting.splice(0, waiting.length, last);
  }

  #sendNext(subscription: Subscription, now: Instant): void {
    const next = subscription.waiting.shift();
    if (next !== undefined) this.#send(subscription, next, now);
  }

  #send(subscription: Subscription, { describe, reason }: Notice, now: Instant): void {
    const { contact, contentType, send } = this.#options;
    const { request, nextHop } = subscription.dialog.buildRequest('NOTIFY');
    const seconds = Math.max(0, Math.round((subscription.expiresAt - now) / 1000));
    request.headers.append('Event', subscription.event);
    request.headers.append(
      'Subscription-State',
      reason === undefined ? `active;expires=${seconds}` : `terminated;reason=${reason}`,
    );
    request.headers.append('Contact', contact);
    request.headers.append('Content-Type', contentType);
    request.body = describe(subscription.dialog.parts.localSequence - subscription.firstSequence);
    const transaction = send(request, nextHop, now);
    subscription.isAwaited = transaction !== undefined;
    if (transaction === undefined) this.#forget(subscription, now);
    else this.#notifications.set(transaction, subscription);
  }

  #forget(subscription: Subscription, now: Instant): void {
    if (this.#remove(subscription)) this.#options.save(subscription.key, undefined, now);
  }

  #remove(subscription: Subscription): boolean {
    if (!this.#subscriptions.delete(subscription.key)) return false;
    this.#deadlines.delete(subscription.key);
    const others = this.#byResource.get(subscription.resource)!;
    others.delete(subscription);
    if (others.size === 0) this.#byResource.delete(subscription.resource);
    return true;
  }

  #of(resource: string): Subscription[] {
    return [...(this.#byResource.get(resource) ?? [])];
  }
}

/** Without Accept it is what the event package says, which all must know (RFC 6665 §5.4.5). */
function accepts(request: SipRequest, contentType: string): boolean {
  const ranges = request.headers.getAll('Accept').map((range) => range.split(';')[0]!.trim().toLowerCase());
  const wanted = ['*/*', contentType.replace(/\/.*/, '/*'), contentType];
  return ranges.length === 0 || wanted.some((range) => ranges.includes(range));
}

/** RFC 6665 §4.2.2: who does not answer, or does not know of it, is not subscribed any more. */
function isLost(response: SipResponse | undefined): boolean {
  if (response === undefined || response.statusCode === 481) return true;
  return response.statusCode >= 300 && !response.headers.has('Retry-After');
}

function recordOf({ resource, event, dialog, firstSequence, expiresAt }: Subscription): SubscriptionRecord {
  return { resource, event, dialog: dialog.parts, firstSequence, expiresAt };
}

function keyOf(callId: string, localTag: string): string {
  return `${callId} ${localTag}`;
}
