import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipRequest } from '../message/sip-message.ts';
import { formatUri } from '../message/sip-uri.ts';
import { type Binding, contactValues, defaultRegistrationPolicy, updateBindings } from './binding.ts';

const instance = '"<urn:uuid:00000000-0000-1000-8000-000000000001>"';
const outbound = { path: '<sip:flow@192.0.2.1;lr;ob>' };

interface Parts {
  readonly callId?: string;
  readonly cseq?: number;
  readonly expires?: string;
  readonly path?: string;
  readonly supported?: string;
}

function register(contacts: readonly string[], parts: Parts = {}): SipRequest {
  const request = new SipRequest('REGISTER', 'sip:home1.net');
  request.headers.append('From', '<sip:mn@home1.net>;tag=1');
  request.headers.append('To', '<sip:mn@home1.net>');
  request.headers.append('Call-ID', parts.callId ?? 'a');
  request.headers.append('CSeq', `${parts.cseq ?? 1} REGISTER`);
  for (const contact of contacts) request.headers.append('Contact', contact);
  if (parts.expires !== undefined) request.headers.append('Expires', parts.expires);
  if (parts.path !== undefined) request.headers.append('Path', parts.path);
  if (parts.supported !== undefined) request.headers.append('Supported', parts.supported);
  return request;
}

function accept(current: readonly Binding[], request: SipRequest, now = 0, policy = {}): readonly Binding[] {
  const update = updateBindings(current, request, { ...defaultRegistrationPolicy, ...policy }, now);
  assert.equal(update.kind, 'accepted');
  return update.kind === 'accepted' ? update.bindings : [];
}

function refuse(current: readonly Binding[], request: SipRequest): number {
  const update = updateBindings(current, request, defaultRegistrationPolicy, 0);
  assert.equal(update.kind, 'refused');
  return update.kind === 'refused' ? update.statusCode : 0;
}

function uris(bindings: readonly Binding[]): string[] {
  return bindings.map(({ contact }) => formatUri(contact.uri));
}

test('updateBindings adds contacts, each with its own time, and lists what is left of it', () => {
  const request = register(['<sip:mn@192.0.2.10>;expires=100;q=0.5', '<sip:mn@192.0.2.11>'], {
    expires: '200',
  });
  const bindings = accept([], request, 1_000);
  assert.deepEqual(contactValues(bindings, 1_000), [
    '<sip:mn@192.0.2.10>;q=0.5;expires=100',
    '<sip:mn@192.0.2.11>;expires=200',
  ]);
  assert.deepEqual(contactValues(bindings, 41_500)[0], '<sip:mn@192.0.2.10>;q=0.5;expires=60');
  assert.equal(accept([], register(['<sip:mn@192.0.2.10>']))[0]!.expiresAt, 3_600_000);
});

test('updateBindings takes the default for a malformed and the maximum for an excessive time', () => {
  assert.equal(accept([], register(['<sip:mn@192.0.2.10>;expires=x']))[0]!.expiresAt, 3_600_000);
  assert.equal(accept([], register(['<sip:mn@192.0.2.10>;expires=999999999']))[0]!.expiresAt, 600_000_000);
});

test('updateBindings refuses a time that is too brief and changes nothing', () => {
  assert.equal(
    refuse([], register(['<sip:mn@192.0.2.10>;expires=100', '<sip:mn@192.0.2.11>;expires=29'])),
    423,
  );
  assert.equal(accept([], register(['<sip:mn@192.0.2.10>;expires=30'])).length, 1);
});

test('updateBindings refreshes and removes by the contact, and ignores what comes out of order', () => {
  const first = accept([], register(['<sip:mn@192.0.2.10>;expires=100']));
  const second = accept(first, register(['<sip:mn@192.0.2.10>;expires=300'], { cseq: 2 }), 50_000);
  assert.equal(second[0]!.expiresAt, 350_000);
  assert.equal(second[0]!.since, 0, 'a refresh does not make a flow younger');
  assert.equal(refuse(second, register(['<sip:mn@192.0.2.10>;expires=0'], { cseq: 2 })), 500);
  assert.deepEqual(accept(second, register(['<sip:mn@192.0.2.10>;expires=0'], { cseq: 3 })), []);
  assert.deepEqual(accept(second, register(['<sip:mn@192.0.2.10>;expires=0'], { callId: 'b' })), []);
});

test('updateBindings removes everything for "*" with Expires: 0 and only then', () => {
  const two = accept([], register(['<sip:mn@192.0.2.10>', '<sip:mn@192.0.2.11>']));
  assert.deepEqual(accept(two, register(['*'], { expires: '0', cseq: 2 })), []);
  assert.equal(refuse(two, register(['*'], { cseq: 2 })), 400);
  assert.equal(refuse(two, register(['*'], { cseq: 2, expires: '1' })), 400);
  assert.equal(refuse(two, register(['*', '<sip:mn@192.0.2.10>'], { cseq: 2, expires: '0' })), 400);
  assert.equal(refuse(two, register(['*'], { cseq: 1, expires: '0' })), 500);
});

test('updateBindings keeps a flow beside the other flows of its instance and replaces the same one', () => {
  const flow = (address: string, regId: number): string =>
    `<sip:mn@${address}>;+sip.instance=${instance};reg-id=${regId}`;
  const parts = { ...outbound, supported: 'path, outbound' };
  const old = accept([], register([flow('192.0.2.10', 1)], parts));
  const both = accept(old, register([flow('198.51.100.10', 2)], { ...parts, callId: 'b' }), 10);
  assert.deepEqual(uris(both), ['sip:mn@192.0.2.10', 'sip:mn@198.51.100.10']);
  const moved = accept(both, register([flow('203.0.113.10', 1)], { ...parts, callId: 'c' }), 20);
  assert.deepEqual(uris(moved), ['sip:mn@198.51.100.10', 'sip:mn@203.0.113.10']);
  assert.equal(moved[1]!.since, 20, 'a flow that moved is a new one');
  const left = accept(
    moved,
    register([`${flow('198.51.100.10', 2)};expires=0`], { ...parts, callId: 'd' }),
    30,
  );
  assert.deepEqual(uris(left), ['sip:mn@203.0.113.10']);
});

test('updateBindings applies outbound only behind a first hop that does', () => {
  const contact = `<sip:mn@192.0.2.10>;+sip.instance=${instance};reg-id=1`;
  const update = updateBindings(
    [],
    register([contact], { ...outbound, supported: 'outbound' }),
    defaultRegistrationPolicy,
    0,
  );
  assert.equal(update.kind === 'accepted' && update.usesOutbound, true);
  assert.equal(refuse([], register([contact], { supported: 'outbound' })), 439);
  assert.equal(accept([], register([contact]))[0]!.regId, undefined);
  const second = `<sip:mn@192.0.2.11>;+sip.instance=${instance};reg-id=2`;
  assert.equal(refuse([], register([contact, second], { ...outbound, supported: 'outbound' })), 400);
});

test('updateBindings adds a new contact of an instance without reg-id, or replaces the others, as told', () => {
  const first = accept([], register([`<sip:mn@192.0.2.10>;+sip.instance=${instance}`]));
  const other = accept(first, register(['<sip:mn@192.0.2.99>'], { callId: 'b' }));
  const next = register([`<sip:mn@198.51.100.10>;+sip.instance=${instance}`], { callId: 'c' });
  assert.equal(accept(other, next).length, 3);
  const update = updateBindings(
    other,
    next,
    { ...defaultRegistrationPolicy, contactWithoutRegId: 'replace' },
    5,
  );
  assert.ok(update.kind === 'accepted');
  assert.deepEqual(uris(update.bindings), ['sip:mn@192.0.2.99', 'sip:mn@198.51.100.10']);
  assert.deepEqual(uris(update.replaced), ['sip:mn@192.0.2.10']);
});

test('updateBindings stores Path and refuses more contacts than the limit', () => {
  const request = register(['<sip:mn@192.0.2.10>'], { path: '<sip:a;lr>, <sip:b;lr>' });
  assert.deepEqual(accept([], request)[0]!.path, ['<sip:a;lr>', '<sip:b;lr>']);
  const many = Array.from({ length: 17 }, (_, index) => `<sip:mn@192.0.2.${index}>`);
  assert.equal(refuse([], register(many)), 403);
});
