import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { parseUri, type Uri } from './sip-uri.ts';
import { sipUrisEqual } from './sip-uri-equality.ts';

function uri(text: string): Uri {
  const parsed = parseUri(text);
  assert.ok(!isMalformed(parsed), text);
  return parsed;
}

const equal: readonly [string, string][] = [
  // RFC 3261 §19.1.4, the examples.
  ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
  ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
  ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5'],
  [
    'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
    'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
  ],
  [
    'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
    'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
  ],
  ['tel:+34-910', 'tel:+34910'],
  ['urn:service:sos', 'urn:service:sos'],
];

const different: readonly [string, string][] = [
  ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
  ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
  ['sip:bob@biloxi.com;transport=udp', 'sip:bob@biloxi.com;transport=tcp'],
  ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
  ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
  ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
  ['sip:carol@chicago.com', 'sip:carol@chicago.com;user=phone'],
  ['sip:chicago.com', 'sip:a@chicago.com'],
  ['sip:carol@chicago.com', 'sips:carol@chicago.com'],
  ['tel:+34910', 'tel:+34911'],
  ['tel:+34910', 'sip:+34910@home1.net'],
];

test('sipUrisEqual: the examples of RFC 3261 §19.1.4, in both directions', () => {
  for (const [a, b] of equal) {
    assert.equal(sipUrisEqual(uri(a), uri(b)), true, `${a} ${b}`);
    assert.equal(sipUrisEqual(uri(b), uri(a)), true, `${b} ${a}`);
  }
  for (const [a, b] of different) {
    assert.equal(sipUrisEqual(uri(a), uri(b)), false, `${a} ${b}`);
    assert.equal(sipUrisEqual(uri(b), uri(a)), false, `${b} ${a}`);
  }
});
