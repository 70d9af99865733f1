import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JournalWriter } from '../../base/journal-writer.ts';
import { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import type { SipArrival } from '../../protocols/sip/transaction/sip-event.ts';
import { RegisteredContacts } from './registered-contacts.ts';

const local = { address: '10.0.1.1', port: 5060 };

function arrival(address: string, port = 5060, transport: 'udp' | 'tcp' = 'udp'): SipArrival {
  return { source: { address, port }, local, transport };
}

function register(contact: string, user = 'mn'): SipRequest {
  const request = new SipRequest('REGISTER', 'sip:home1.net');
  request.headers.append('To', `<sip:${user}@home1.net>`);
  request.headers.append('Contact', contact);
  return request;
}

function success(contacts: readonly string[], identities = '<sip:mn@home1.net>, <tel:+34-910>'): SipResponse {
  const response = new SipResponse(200, 'OK');
  for (const contact of contacts) response.headers.append('Contact', contact);
  response.headers.append('Service-Route', '<sip:orig@s;lr>');
  response.headers.append('P-Associated-URI', identities);
  return response;
}

const a = '<sip:mn@10.0.0.10:5060>';
const b = '<sip:mn@10.0.2.10:5060>';

test('RegisteredContacts learns flow, identities and Service-Route from the 200', () => {
  const contacts = new RegisteredContacts(new JournalWriter(false), 0);
  contacts.learn(register(a), success([`${a};expires=60`]), { ...arrival('10.0.0.10'), token: 'one' }, 1_000);
  const contact = contacts.ofToken('one')!;
  assert.equal(contact.contactUri, 'sip:mn@10.0.0.10:5060');
  assert.deepEqual(contact.identities, ['sip:mn@home1.net', 'tel:+34910']);
  assert.deepEqual(contact.serviceRoute, ['<sip:orig@s;lr>']);
  assert.equal(contacts.flowOf(arrival('10.0.0.10'))?.token, 'one');
  assert.equal(contacts.ofContactUri('sip:mn@10.0.0.10:5060'), contact);
  assert.equal(contacts.isKnownSource({ address: '10.0.0.10', port: 1 }), true);
  assert.deepEqual(contacts.pollTimeout(), { ...contacts.pollTimeout(), at: 61_000 });
  contacts.expire(61_000);
  assert.equal(contacts.ofToken('one'), undefined);
  assert.equal(contacts.isKnownSource({ address: '10.0.0.10', port: 1 }), false);
});

test('RegisteredContacts knows the sender by his flow, and over TCP by his Contact and address', () => {
  const contacts = new RegisteredContacts(new JournalWriter(false), 0);
  contacts.learn(register(a), success([`${a};expires=60`]), { ...arrival('10.0.0.10'), token: 'one' }, 0);
  const invite = new SipRequest('INVITE', 'sip:cn@home1.net');
  assert.equal(contacts.ofSender(invite, arrival('10.0.0.10')).length, 1);
  assert.equal(contacts.ofSender(invite, arrival('10.0.0.10', 40_000, 'tcp')).length, 0);
  invite.headers.append('Contact', a);
  assert.equal(contacts.ofSender(invite, arrival('10.0.0.10', 40_000, 'tcp')).length, 1);
  assert.equal(contacts.ofSender(invite, arrival('10.0.0.99', 40_000, 'tcp')).length, 0);
});

test('RegisteredContacts keeps two contacts of a user and drops one that the 200 lists no more', () => {
  const contacts = new RegisteredContacts(new JournalWriter(false), 0);
  contacts.learn(register(a), success([`${a};expires=60`]), { ...arrival('10.0.0.10'), token: 'one' }, 0);
  contacts.learn(
    register(b),
    success([`${a};expires=60`, `${b};expires=60`]),
    { ...arrival('10.0.2.10'), token: 'two' },
    0,
  );
  assert.ok(contacts.ofToken('one') !== undefined && contacts.ofToken('two') !== undefined);
  contacts.learn(
    register(`${a};expires=0`),
    success([`${b};expires=60`]),
    { ...arrival('10.0.2.10'), token: 'two' },
    0,
  );
  assert.equal(contacts.ofToken('one'), undefined);
  assert.ok(contacts.ofToken('two') !== undefined);
});

test('RegisteredContacts keeps what the 200 does not list when the request was about another contact, until all are removed', () => {
  const contacts = new RegisteredContacts(new JournalWriter(false), 0);
  contacts.learn(register(a), success([`${a};expires=60`]), { ...arrival('10.0.0.10'), token: 'one' }, 0);
  contacts.learn(register(b), success([`${b};expires=60`]), { ...arrival('10.0.2.10'), token: 'two' }, 0);
  contacts.learn(register(`${b};expires=0`), success([]), { ...arrival('10.0.2.10'), token: 'two' }, 0);
  assert.ok(contacts.ofToken('one') !== undefined);
  assert.equal(contacts.ofToken('two'), undefined);
  contacts.learn(register('*'), success([]), { ...arrival('10.0.0.10'), token: 'one' }, 0);
  assert.equal(contacts.ofToken('one'), undefined);
});

test('RegisteredContacts moves a contact to the flow that it was registered over last', () => {
  const contacts = new RegisteredContacts(new JournalWriter(false), 0);
  contacts.learn(register(a), success([`${a};expires=60`]), { ...arrival('10.0.0.10'), token: 'one' }, 0);
  contacts.learn(
    register(a),
    success([`${a};expires=60`]),
    { ...arrival('10.0.0.10', 5070), token: 'two' },
    0,
  );
  assert.equal(contacts.ofToken('one'), undefined);
  assert.equal(contacts.ofContactUri('sip:mn@10.0.0.10:5060')?.flow.token, 'two');
});

test('RegisteredContacts takes the address-of-record when P-Associated-URI cannot be read', () => {
  const contacts = new RegisteredContacts(new JournalWriter(false), 0);
  const kamailio = '<sip:mn@home1.net, tel:+34910>';
  contacts.learn(
    register(a),
    success([`${a};expires=60`], kamailio),
    { ...arrival('10.0.0.10'), token: 'one' },
    0,
  );
  assert.deepEqual(contacts.ofToken('one')!.identities, ['sip:mn@home1.net']);
});
