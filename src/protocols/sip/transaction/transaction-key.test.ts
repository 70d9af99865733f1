import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipResponse } from '../message/sip-message.ts';
import { clientKey, clientKeyOf, cookieKey } from './transaction-key.ts';

const local = { address: '192.0.2.1', port: 5060 };
const localV6 = { address: '2001:db8::1', port: 5062 };

function keyOfResponse(via: string): string {
  const response = new SipResponse(200, 'OK');
  response.headers.append('Via', via);
  response.headers.append('CSeq', '7 INVITE');
  return clientKeyOf(response);
}

test('clientKeyOf: a response finds its request however it writes the Via of that', () => {
  const key = clientKey(`${cookieKey}abc`, local, 'INVITE');
  for (const via of [
    'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKAbc',
    'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport=5060;received=192.0.2.9;oc=0',
    'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc',
    'SIP/2.0/UDP 192.0.2.1:05060;branch=z9hG4bKabc',
    'sip / 2.0 / udp 192.0.2.1 : 5060 ; rport ; Branch = Z9HG4BKABC',
    'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc, SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKother',
  ])
    assert.equal(keyOfResponse(via), key, via);
  const keyV6 = clientKey(`${cookieKey}abc`, localV6, 'INVITE');
  for (const via of [
    'SIP/2.0/TCP [2001:db8::1]:5062;branch=z9hG4bKabc',
    'SIP/2.0/TCP [2001:DB8::1]:5062;rport;branch=z9hG4bKabc',
  ])
    assert.equal(keyOfResponse(via), keyV6, via);
});

test('clientKeyOf: branches that differ, and one in quotes, are of other requests', () => {
  const keys = ['abc', 'abcd', '', '"abc"'].map((end) =>
    keyOfResponse(
      `SIP/2.0/UDP 192.0.2.1:5060;branch=${end.startsWith('"') ? '"z9hG4bKabc"' : `z9hG4bK${end}`}`,
    ),
  );
  assert.equal(new Set(keys).size, keys.length);
});
