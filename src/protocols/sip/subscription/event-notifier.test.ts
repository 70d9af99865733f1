import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { createResponse } from '../message/create-response.ts';
import { fromTagOf, toTagOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { testRequest } from '../test-support/test-request.ts';
import type { ClientTransactionId } from '../transaction/sip-event.ts';
import { EventNotifier, type SubscriptionRecord } from './event-notifier.ts';
import { maximumSubscriptionsPerResource, maximumWaitingChanges } from './limits.ts';

class Lab {
  readonly responses: SipResponse[] = [];
  readonly notices: SipRequest[] = [];
  readonly saved = new Map<string, SubscriptionRecord>();
  isReachable = true;
  readonly notifier = new EventNotifier({
    contentType: 'text/plain',
    contact: '<sip:notifier.test>',
    defaultExpiresSeconds: 100,
    maximumExpiresSeconds: 1_000,
    random: new SeededRandomSource(1),
    describe: (resource, version, now) => `${version} all of ${resource} at ${now}`,
    send: (request) => {
      if (!this.isReachable) return undefined;
      return transactionOf(this.notices.push(request));
    },
    save: (key, record, now, then) => {
      if (record === undefined) this.saved.delete(key);
      else this.saved.set(key, record);
      then?.(now);
    },
  });

  subscribe(callId: string, now: number, fields: Readonly<Record<string, string>> = {}): SipRequest {
    const request = testRequest('SUBSCRIBE', { callId });
    const { Contact = `<sip:${callId}@subscriber.test>`, ...rest } = fields;
    for (const [name, value] of Object.entries({ Event: 'test;id=7', Contact, ...rest }))
      request.headers.set(name, value);
    this.notifier.subscribe(request, 'thing', (response) => this.responses.push(response), now);
    return request;
  }

  /** The answer to the NOTIFY of that number, from 1. */
  answer(number: number, statusCode: number, now: number, headers: readonly [string, string][] = []): void {
    const response = createResponse(this.notices[number - 1]!, statusCode);
    for (const [name, value] of headers) response.headers.append(name, value);
    this.notifier.conclude(transactionOf(number), response, now);
  }

  get bodies(): string[] {
    return this.notices.map(({ body }) => body);
  }
}

const transactions: ClientTransactionId[] = [];

function transactionOf(number: number): ClientTransactionId {
  transactions[number] ??= { side: 'client', user: undefined };
  return transactions[number];
}

test('EventNotifier answers a SUBSCRIBE, tells the whole state, then each change', () => {
  const lab = new Lab();
  lab.subscribe('a', 0, { Expires: '60' });
  const [response] = lab.responses;
  assert.deepEqual([response?.statusCode, response?.headers.get('Expires')], [200, '60']);
  lab.answer(1, 200, 10);
  lab.notifier.notify('thing', (version) => `${version} changed`, 20_000);
  assert.deepEqual(lab.bodies, ['0 all of thing at 0', '1 changed']);
  const [first, second] = lab.notices;
  assert.equal(first?.headers.get('Event'), 'test;id=7');
  assert.equal(second?.headers.get('Subscription-State'), 'active;expires=40');
  assert.equal(second?.requestUri, 'sip:a@subscriber.test');
  assert.equal(fromTagOf(first!), toTagOf(response!));
});

test('EventNotifier holds changes back until the NOTIFY before them is answered, and folds what becomes too much', () => {
  const lab = new Lab();
  lab.subscribe('a', 0);
  for (const change of ['x', 'y']) lab.notifier.notify('thing', (version) => `${version} ${change}`, 1);
  assert.equal(lab.notices.length, 1);
  lab.answer(1, 200, 2);
  lab.answer(2, 200, 3);
  assert.deepEqual(lab.bodies.slice(1), ['1 x', '2 y']);
  for (let count = 0; count <= maximumWaitingChanges; count++)
    lab.notifier.notify('thing', (version) => `${version} change`, 4);
  lab.answer(3, 200, 5);
  lab.answer(4, 200, 6);
  assert.deepEqual(lab.bodies.slice(3), ['3 all of thing at 4']);
});

test('EventNotifier ends a subscription that is over, refused or unreachable, and one that is asked to end', () => {
  const lab = new Lab();
  lab.subscribe('a', 0);
  lab.subscribe('b', 0);
  lab.subscribe('c', 0);
  assert.equal(lab.saved.size, 3);
  lab.answer(1, 481, 1);
  lab.answer(2, 503, 1, [['Retry-After', '5']]);
  lab.notifier.conclude(transactionOf(3), undefined, 1);
  assert.deepEqual([lab.notifier.size, lab.saved.size], [1, 1], 'a refusal for a while is none');
  lab.isReachable = false;
  lab.notifier.notify('thing', () => '', 2);
  assert.deepEqual([lab.notifier.size, lab.saved.size], [0, 0]);
  lab.isReachable = true;
  lab.subscribe('d', 0, { Expires: '50' });
  assert.equal(lab.notifier.pollTimeout()?.at, 50_000);
  lab.answer(4, 200, 1);
  lab.notifier.handleTimeout(50_000);
  assert.equal(lab.notices.at(-1)!.headers.get('Subscription-State'), 'terminated;reason=timeout');
  lab.subscribe('e', 60_000, { Expires: '0' });
  assert.equal(lab.notices.at(-1)!.headers.get('Subscription-State'), 'terminated;reason=timeout');
  assert.deepEqual([lab.notifier.size, lab.saved.size], [0, 0]);
});

test('EventNotifier ends those at contacts that are gone, and all with the resource', () => {
  const lab = new Lab();
  lab.subscribe('a', 0);
  lab.subscribe('b', 0);
  lab.answer(1, 200, 1);
  lab.answer(2, 200, 1);
  lab.notifier.terminate('thing', () => 'gone', 2, ['sip:a@subscriber.test']);
  assert.deepEqual([lab.notices.length, lab.notices[2]!.requestUri], [3, 'sip:a@subscriber.test']);
  lab.notifier.terminate('thing', () => 'all gone', 3);
  assert.deepEqual([lab.notices.length, lab.notices[3]!.requestUri], [4, 'sip:b@subscriber.test']);
  assert.equal(lab.notices[3]!.headers.get('Subscription-State'), 'terminated;reason=noresource');
  assert.equal(lab.notifier.size, 0);
});

test('EventNotifier refuses what it cannot serve, and bounds the subscriptions to one resource', () => {
  const lab = new Lab();
  lab.subscribe('a', 0, { Contact: '' });
  lab.subscribe('b', 0, { Accept: 'application/other, text/html' });
  lab.subscribe('c', 0, { Accept: 'text/*;q=0.5' });
  assert.deepEqual(
    lab.responses.map(({ statusCode }) => statusCode),
    [400, 406, 200],
  );
  for (let count = 1; count < maximumSubscriptionsPerResource; count++) lab.subscribe(`n${count}`, 0);
  lab.subscribe('one-too-many', 0);
  assert.deepEqual(
    lab.responses.slice(-2).map(({ statusCode }) => statusCode),
    [200, 503],
  );
  assert.equal(lab.notifier.size, maximumSubscriptionsPerResource);
});

test('EventNotifier goes on after a restart, in the same dialog, with higher numbers', () => {
  const lab = new Lab();
  lab.subscribe('a', 0, { Expires: '60' });
  const before = Number(lab.notices[0]!.headers.get('CSeq')!.split(' ')[0]);
  const [[key, record] = assert.fail()] = [...lab.saved];
  const next = new Lab();
  next.notifier.restore(key, JSON.parse(JSON.stringify(record)) as SubscriptionRecord);
  next.notifier.notify('thing', (version) => `${version} changed`, 30_000);
  const [notice] = next.notices;
  assert.equal(notice?.headers.get('Call-ID'), 'a');
  assert.equal(fromTagOf(notice), toTagOf(lab.responses[0]!));
  assert.ok(Number(notice.headers.get('CSeq')!.split(' ')[0]) > before);
  assert.ok(Number.parseInt(notice.body, 10) > 0);
  next.notifier.restore(key, undefined);
  assert.equal(next.notifier.size, 0);
});
