import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSipMessage } from '../../protocols/sip/message/parse-sip-message.ts';
import { identityOfCaller, servedUserOf } from './served-user.ts';

const nobody = (): boolean => false;

test('servedUserOf: P-Served-User says which end is the mobile node, and by which identity', () => {
  const serve = (value: string): unknown => servedUserOf(invite(`P-Served-User: ${value}`), nobody);
  assert.deepEqual(serve('<sip:Bob@IMS.test:5070;x=y>;sescase=orig;regstate=reg'), {
    leg: 'caller',
    identity: 'sip:Bob@ims.test',
  });
  assert.deepEqual(serve('<tel:+3491;phone-context=x>;sescase=term'), {
    leg: 'callee',
    identity: 'tel:+3491',
  });
});

test('servedUserOf: without it the parameter "orig" of the own Route says so', () => {
  const request = invite('Route: <sip:as.ims.test;lr;orig>, <sip:scscf.ims.test;lr>');
  const isKnown = (identity: string): boolean => identity === 'sip:bob@ims.test';
  assert.deepEqual(servedUserOf(request, isKnown), { leg: 'caller', identity: 'sip:alice@ims.test' });
});

test('servedUserOf: else the user who is registered, the caller before the callee', () => {
  const serve = (...known: string[]): unknown =>
    servedUserOf(
      invite('Route: <sip:as.ims.test;lr>', 'P-Asserted-Identity: "A" <sip:a@ims.test;user=x>'),
      (identity) => known.includes(identity),
    );
  assert.deepEqual(serve('sip:bob@ims.test'), { leg: 'callee', identity: 'sip:bob@ims.test' });
  assert.deepEqual(serve('sip:a@ims.test', 'sip:bob@ims.test'), {
    leg: 'caller',
    identity: 'sip:a@ims.test',
  });
  assert.deepEqual(serve(), { leg: 'caller', identity: 'sip:a@ims.test' });
});

test('identityOfCaller: the asserted identity, else From', () => {
  assert.equal(identityOfCaller(invite('P-Asserted-Identity: <tel:+34910>')), 'tel:+34910');
  assert.equal(identityOfCaller(invite('Subject: x')), 'sip:alice@ims.test');
});

function invite(...fields: readonly string[]): Parameters<typeof identityOfCaller>[0] {
  const lines = [
    'INVITE sip:bob@ims.test;user=phone SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
    'From: <sip:alice@ims.test:5080;x=y>;tag=1',
    'To: <sip:bob@ims.test>',
    'Call-ID: c',
    'CSeq: 1 INVITE',
    'Max-Forwards: 70',
    ...fields,
    'Content-Length: 0',
    '',
    '',
  ];
  const message = parseSipMessage(new TextEncoder().encode(lines.join('\r\n')));
  assert.ok('requestUri' in message, String(message));
  return message;
}
