import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { parseUri } from '../message/sip-uri.ts';
import { addressOfRecord } from './address-of-record.ts';

test('addressOfRecord drops parameters, escapes, capitals of the host and separators of a number', () => {
  const table: readonly [uri: string, canonical: string][] = [
    ['sip:mn@home1.net', 'sip:mn@home1.net'],
    ['sip:m%6E@HOME1.net;user=phone?Subject=x', 'sip:mn@home1.net'],
    ['sip:+34910;isub=1@home1.net', 'sip:+34910@home1.net'],
    ['sip:Mn@home1.net:5070', 'sip:Mn@home1.net:5070'],
    ['sip:home1.net', 'sip:home1.net'],
    ['tel:+34-(910).0-1;phone-context=x', 'tel:+3491001'],
    ['urn:service:sos', 'urn:service:sos'],
  ];
  for (const [text, canonical] of table) {
    const uri = parseUri(text);
    assert.ok(!isMalformed(uri));
    assert.equal(addressOfRecord(uri), canonical);
  }
});
