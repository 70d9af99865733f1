import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { routesOf } from '../../protocols/sip/message/header-fields.ts';
import { SipRequest, type SipResponse } from '../../protocols/sip/message/sip-message.ts';
import type { SipUri } from '../../protocols/sip/message/sip-uri.ts';
import { OwnNames } from '../../protocols/sip/proxy/route-processing.ts';
import { DialogRoutes } from './dialog-routes.ts';

const ownNames = new OwnNames(['p.test:5060', 'p.test:5061']);
const dialogs = new DialogRoutes(new Uint8Array(32).fill(7), ownNames);

test('DialogRoutes: each dialog of a forked call is known by its own tag and its own way', () => {
  const [first, second] = [
    answer('b1', ['<sip:s1.test;lr>', '<sip:mo@p.test;lr>']),
    answer('b2', ['<sip:s2.test;lr>', '<sip:s1.test;lr>', '<sip:mo@p.test;lr>']),
  ];
  for (const response of [first, second]) {
    dialogs.sign(response);
    assert.equal(isKnown(response), true);
  }
  for (const [tagOf, routesOfOther] of [
    [first, second],
    [second, first],
  ] as const) {
    const mixed = tagOf.clone();
    mixed.headers.removeAll('Record-Route');
    for (const value of routesOfOther.headers.getAll('Record-Route'))
      mixed.headers.append('Record-Route', value);
    assert.equal(isKnown(mixed), false);
  }
});

test('DialogRoutes: both entries of one whose sides differ are signed, and nobody else’s', () => {
  const own = ['<sip:mo@p.test:5060;lr;r2=on>', '<sip:mo@p.test:5061;transport=tls;lr;r2=on>'];
  const response = answer('b', ['<sip:mo@s.test;lr;r2=on>', ...own]);
  dialogs.sign(response);
  const [beyond, ...signed] = response.headers.getAll('Record-Route');
  assert.equal(beyond, '<sip:mo@s.test;lr;r2=on>');
  for (const value of signed) assert.match(value, /^<sip:mo-[\w-]{22}@p\.test:506[01];/);
  assert.equal(isKnown(response), true);

  // A user agent server that leaves ours out.
  const values = ['<sip:mo@s.test;lr>'];
  const incomplete = answer('b', values);
  dialogs.sign(incomplete);
  assert.deepEqual(incomplete.headers.getAll('Record-Route'), values);
});

test('DialogRoutes: another key does not know them', () => {
  const response = answer('b', ['<sip:s.test;lr>', '<sip:mo@p.test;lr>']);
  new DialogRoutes(new Uint8Array(32), ownNames).sign(response);
  assert.equal(isKnown(response), false);
});

function answer(toTag: string, recordRoutes: readonly string[]): SipResponse {
  const invite = new SipRequest('INVITE', 'sip:b@b.test');
  for (const [name, value] of [
    ['Via', 'SIP/2.0/UDP a.test;branch=z9hG4bK1'],
    ['From', '<sip:a@a.test>;tag=a'],
    ['To', '<sip:b@b.test>'],
    ['Call-ID', 'one'],
    ['CSeq', '1 INVITE'],
  ] as const)
    invite.headers.append(name, value);
  for (const value of recordRoutes) invite.headers.append('Record-Route', value);
  return createResponse(invite, 180, { toTag });
}

/** Whether the caller's next request is. */
function isKnown(response: SipResponse): boolean {
  const request = new SipRequest('PRACK', 'sip:b@b.test');
  for (const name of ['From', 'To', 'Call-ID']) request.headers.append(name, response.headers.get(name)!);
  for (const value of response.headers.getAll('Record-Route').reverse())
    request.headers.append('Route', value);
  const own = routesOf(request).filter(({ uri }) => ownNames.includes(uri));
  for (const _ of own) request.headers.removeFirst('Route');
  return dialogs.areOf(request, own[0]?.uri as SipUri | undefined);
}
