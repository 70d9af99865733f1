import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { createResponse } from '../message/create-response.ts';
import { SipRequest, type SipResponse } from '../message/sip-message.ts';
import { Dialog, routeRequest } from './dialog.ts';

const random = new SeededRandomSource(1);

test('Dialog of the caller turns the Record-Route round and sends to the contact', () => {
  const invite = createInvite();
  const dialog = Dialog.asCaller(invite, answer(invite, ['<sip:p1;lr>, <sip:p2;lr>', '<sip:p3;lr>']));
  const { request, nextHop } = dialog.buildRequest('UPDATE');
  assert.equal(request.requestUri, 'sip:bob@192.0.2.9:5062');
  assert.deepEqual(request.headers.getAll('Route'), ['<sip:p3;lr>', '<sip:p2;lr>', '<sip:p1;lr>']);
  assert.equal(nextHop, 'sip:p3;lr');
  assert.equal(request.headers.get('CSeq'), '8 UPDATE');
  assert.equal(request.headers.get('From'), '<sip:alice@a>;tag=alice');
  assert.equal(request.headers.get('To'), '<sip:bob@b>;tag=bob');
});

test('Dialog of the callee keeps the order of the Record-Route and answers with its own tag', () => {
  const invite = createInvite();
  invite.headers.append('Record-Route', '<sip:p2;lr=on;ftag=x>, <sip:p1;lr>');
  const dialog = Dialog.asCallee(invite, 'mine', random);
  const { request } = dialog.buildRequest('BYE');
  assert.equal(request.requestUri, 'sip:alice@192.0.2.1');
  assert.deepEqual(request.headers.getAll('Route'), ['<sip:p2;lr=on;ftag=x>', '<sip:p1;lr>']);
  assert.equal(request.headers.get('From'), '<sip:bob@b>;tag=mine');
  assert.equal(request.headers.get('To'), '<sip:alice@a>;tag=alice');
});

test('Dialog puts a strict router into the Request-URI and the remote target at the end of the Route', () => {
  const invite = createInvite();
  const dialog = Dialog.asCaller(invite, answer(invite, ['<sip:p1;lr>, <sip:strict;method=INVITE?a=b>']));
  const { request, nextHop } = dialog.buildRequest('INFO');
  assert.equal(request.requestUri, 'sip:strict');
  assert.deepEqual(request.headers.getAll('Route'), ['<sip:p1;lr>', '<sip:bob@192.0.2.9:5062>']);
  assert.equal(nextHop, 'sip:strict;method=INVITE?a=b');
});

test('routeRequest understands several routes in one line and leaves them as they were written', () => {
  const routed = routeRequest(new SipRequest('INVITE', 'sip:bob@b'), ['<sip:s;lr;a=%41> , <sip:next;lr>']);
  assert.equal(routed.nextHop, 'sip:s;lr;a=%41');
  assert.equal(routed.request.headers.toString(), 'Route: <sip:s;lr;a=%41> , <sip:next;lr>\r\n');
});

test('Dialog takes the route set of the 2xx when it confirms an early dialog, and never again', () => {
  const invite = createInvite();
  const dialog = Dialog.asCaller(invite, answer(invite, ['<sip:early;lr>']));
  dialog.confirm(answer(invite, ['<sip:final;lr>']));
  dialog.confirm(answer(invite, ['<sip:later;lr>']));
  assert.deepEqual(dialog.buildRequest('INVITE').request.headers.getAll('Route'), ['<sip:final;lr>']);
});

test('Dialog takes sequence numbers that grow, with gaps, and no others', () => {
  const dialog = Dialog.asCallee(createInvite(), 'mine', random);
  const accepts = (number: number): boolean => {
    const request = createInvite();
    request.headers.set('CSeq', `${number} INFO`);
    return dialog.acceptSequence(request);
  };
  assert.deepEqual([7, 8, 12, 11, 12, 13].map(accepts), [false, true, true, false, false, true]);
});

test('Dialog follows the peer to a new contact and the ACK repeats the number of the INVITE', () => {
  const invite = createInvite();
  const dialog = Dialog.asCaller(invite, answer(invite, []));
  const moved = createInvite();
  moved.headers.set('Contact', '<sip:bob@198.51.100.7>');
  dialog.refreshTarget(moved);
  dialog.buildRequest('INFO');
  const { request } = dialog.buildAck(7);
  assert.equal(request.requestUri, 'sip:bob@198.51.100.7');
  assert.equal(request.headers.get('CSeq'), '7 ACK');
});

test('Dialog matches requests by Call-ID and both tags', () => {
  const dialog = Dialog.asCallee(createInvite(), 'mine', random);
  const request = createInvite();
  request.headers.set('To', '<sip:bob@b>;tag=mine');
  assert.equal(dialog.matchesRequest(request), true);
  request.headers.set('From', '<sip:alice@a>;tag=other');
  assert.equal(dialog.matchesRequest(request), false);
});

function createInvite(): SipRequest {
  const request = new SipRequest('INVITE', 'sip:bob@b');
  request.headers.append('Via', 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1');
  request.headers.append('From', '<sip:alice@a>;tag=alice');
  request.headers.append('To', '<sip:bob@b>');
  request.headers.append('Call-ID', 'c1');
  request.headers.append('CSeq', '7 INVITE');
  request.headers.append('Contact', '<sip:alice@192.0.2.1>');
  return request;
}

function answer(invite: SipRequest, recordRoutes: readonly string[]): SipResponse {
  const response = createResponse(invite, 200, { toTag: 'bob' });
  for (const value of recordRoutes) response.headers.append('Record-Route', value);
  response.headers.append('Contact', '<sip:bob@192.0.2.9:5062>');
  return response;
}
