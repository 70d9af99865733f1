import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../../base/malformed.ts';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { createResponse } from '../message/create-response.ts';
import { fromTagOf, toTagOf } from '../message/header-fields.ts';
import { SipRequest } from '../message/sip-message.ts';
import type { SubscriberRecord, SubscriptionTerms } from '../subscription/event-subscriber.ts';
import type { ClientTransactionId } from '../transaction/sip-event.ts';
import {
  type ContactInformation,
  formatRegistrationDocument,
  parseRegistrationDocument,
  type RegistrationDocument,
} from './registration-information.ts';
import { RegistrationWatcher } from './registration-watcher.ts';

const aor = 'sip:mn@home1.net';
const terms: SubscriptionTerms = {
  ...{ name: 'one', resource: aor, subscriber: 'sip:p.test', contact: 'sip:p.test' },
  ...{ routes: [], headers: [['P-Asserted-Identity', '<sip:p.test>']] },
};

class Lab {
  readonly sent: SipRequest[] = [];
  readonly transactions: ClientTransactionId[] = [];
  readonly saved = new Map<string, SubscriberRecord>();
  isWanted = true;
  #sequence = 0;
  readonly watcher = new RegistrationWatcher({
    expiresSeconds: 600,
    random: new SeededRandomSource(1),
    send: (request) => {
      const transaction: ClientTransactionId = { side: 'client', user: undefined };
      this.sent.push(request);
      this.transactions.push(transaction);
      return transaction;
    },
    isWanted: () => this.isWanted,
    save: (name, record) => {
      if (record === undefined) this.saved.delete(name);
      else this.saved.set(name, record);
    },
  });

  /** The answer to the last SUBSCRIBE. */
  answer(statusCode: number, now: number): void {
    const response = createResponse(this.sent.at(-1)!, statusCode, { toTag: 'notifier' });
    response.headers.append('Contact', '<sip:s.test>');
    response.headers.append('Expires', '100');
    this.watcher.conclude(this.transactions.at(-1)!, response, now);
  }

  notify(body: string, now: number, state = 'active', fromTag = 'notifier') {
    const notify = new SipRequest('NOTIFY', 'sip:p.test');
    const last = this.sent.at(-1)!;
    notify.headers.append('From', `<${aor}>;tag=${fromTag}`);
    notify.headers.append('To', `<sip:p.test>;tag=${fromTagOf(last)}`);
    notify.headers.append('Call-ID', last.headers.get('Call-ID')!);
    notify.headers.append('CSeq', `${++this.#sequence} NOTIFY`);
    notify.headers.append('Subscription-State', state);
    notify.body = body;
    return this.watcher.takeNews(notify, now);
  }
}

function document(version: number, isFull: boolean, contacts: readonly ContactInformation[] = []): string {
  const registrations = [{ addressOfRecord: aor, state: 'active', contacts }] as const;
  return formatRegistrationDocument({ version, isFull, registrations });
}

test('RegistrationWatcher subscribes once, refreshes at half the time while somebody is interested, then lets go', () => {
  const lab = new Lab();
  lab.watcher.subscribe(terms, 0);
  lab.watcher.subscribe(terms, 0);
  assert.equal(lab.sent.length, 1);
  const { headers } = lab.sent[0]!;
  assert.deepEqual(
    ['Event', 'Accept', 'Expires', 'P-Asserted-Identity', 'Contact'].map((name) => headers.get(name)),
    ['reg', 'application/reginfo+xml', '600', '<sip:p.test>', '<sip:p.test>'],
  );
  lab.answer(200, 0);
  assert.equal(lab.watcher.pollTimeout()?.at, 50_000);
  lab.watcher.handleTimeout(50_000);
  assert.equal(toTagOf(lab.sent[1]!), 'notifier');
  assert.equal(lab.sent[1]!.headers.get('CSeq'), '2 SUBSCRIBE');
  lab.answer(200, 50_000);
  lab.isWanted = false;
  lab.watcher.handleTimeout(100_000);
  assert.deepEqual([lab.sent.length, lab.watcher.size, lab.saved.size], [2, 0, 0]);
});

test('RegistrationWatcher makes a subscription anew that the notifier has forgotten or wants made anew, and no other', () => {
  const lab = new Lab();
  lab.watcher.subscribe(terms, 0);
  lab.answer(200, 0);
  lab.watcher.handleTimeout(50_000);
  lab.answer(481, 50_000);
  assert.equal(lab.sent.length, 3);
  assert.notEqual(lab.sent[2]!.headers.get('Call-ID'), lab.sent[0]!.headers.get('Call-ID'));
  lab.answer(200, 50_000);
  lab.notify('', 50_000, 'terminated;reason=deactivated');
  assert.equal(lab.sent.length, 4);
  lab.answer(200, 50_000);
  lab.notify('', 50_000, 'terminated;reason=noresource');
  assert.deepEqual([lab.sent.length, lab.watcher.size], [4, 0]);
  lab.watcher.subscribe(terms, 50_000);
  lab.answer(403, 50_000);
  assert.deepEqual([lab.sent.length, lab.watcher.size], [5, 0]);
});

test('RegistrationWatcher tells what is new, drops what is old, and asks for the whole state when a document is missing', () => {
  const lab = new Lab();
  lab.watcher.subscribe(terms, 0);
  // The first one may overtake the 200.
  assert.equal(lab.notify(document(3, true), 0).registrations.length, 1);
  lab.answer(200, 0);
  assert.equal(lab.notify(document(3, true), 0).registrations.length, 0, 'the same again');
  assert.equal(lab.notify(document(4, false), 0).registrations.length, 1);
  assert.equal(lab.sent.length, 1);
  assert.equal(lab.notify(document(6, false), 0).registrations.length, 1);
  assert.equal(lab.sent.length, 2, '5 is missing');
  assert.deepEqual(lab.notify('<reginfo/>', 0).statusCode, 400);
  assert.deepEqual(lab.notify(document(7, false), 0, 'active', 'stranger').statusCode, 481);
  lab.notify(document(7, false), 0, 'terminated;reason=timeout');
  lab.answer(200, 0);
  assert.equal(lab.notify(document(0, true), 0).registrations.length, 1, 'a new one counts from 0');
});

test('RegistrationWatcher goes on after a restart, in the same dialog', () => {
  const lab = new Lab();
  lab.watcher.subscribe(terms, 0);
  lab.answer(200, 0);
  const next = new Lab();
  for (const [name, record] of lab.saved)
    next.watcher.restore(name, JSON.parse(JSON.stringify(record)) as SubscriberRecord);
  next.watcher.handleTimeout(50_000);
  assert.equal(next.sent[0]!.headers.get('Call-ID'), lab.sent[0]!.headers.get('Call-ID'));
  assert.equal(toTagOf(next.sent[0]!), 'notifier');
  assert.equal(next.notify(document(0, true), 50_000).registrations.length, 1);
});

test('parseRegistrationDocument reads what formatRegistrationDocument writes, and refuses what breaks the rules', () => {
  const text = fc
    .string({ unit: fc.constantFrom(...'a<&>"\'; @:.'), minLength: 1 })
    .map((part) => `x${part}x`);
  const contact = fc.record({
    uri: text,
    isActive: fc.boolean(),
    event: fc.constantFrom('registered', 'refreshed', 'expired', 'probation', 'rejected'),
    expiresSeconds: fc.nat(),
  });
  const registration = fc.record({
    addressOfRecord: text,
    state: fc.constantFrom('init', 'active', 'terminated'),
    contacts: fc.array(contact, { maxLength: 4 }),
  });
  const whole = fc.record({
    version: fc.nat(),
    isFull: fc.boolean(),
    registrations: fc.array(registration, { maxLength: 3 }),
  });
  fc.assert(
    fc.property(whole, (value) => {
      const document = value as RegistrationDocument;
      const read = parseRegistrationDocument(formatRegistrationDocument(document));
      // fast-check's records have no prototype.
      assert.equal(JSON.stringify(read), JSON.stringify(document));
    }),
    { seed: 1, numRuns: 300 },
  );
  for (const broken of [
    '<reginfo version="x" state="full"/>',
    '<reginfo version="1" state="half"/>',
    '<other version="1" state="full"/>',
    '<reginfo version="1" state="full"><registration aor="a" state="?"/></reginfo>',
    '<reginfo version="1" state="full"><registration aor="a" state="active"><contact state="active" event="registered"/></registration></reginfo>',
    '<reginfo version="1" state="full"><registration aor="a" state="active"><contact state="active" event="new"><uri>b</uri></contact></registration></reginfo>',
  ])
    assert.ok(isMalformed(parseRegistrationDocument(broken)), broken);
  const foreign =
    '<reginfo version="1" state="full"><x/><registration aor="a" id="1" state="active"><contact id="2" state="active" event="created" q="0.5"><uri>b</uri><unknown-param name="x"/></contact></registration></reginfo>';
  assert.ok(!isMalformed(parseRegistrationDocument(foreign)));
});
