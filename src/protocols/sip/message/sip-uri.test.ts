import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { parseSipUri } from './sip-uri.ts';

test('parseSipUri: a parameter has a name, and an at sign stands only behind the user', () => {
  for (const text of ['sip:a;=', 'sip:a;b;=c', 'sip:a;', 'sip:a;b@c=', 'sip:a:5060;b=c@d'])
    assert.ok(isMalformed(parseSipUri(text)), text);
  for (const text of ['sip:a;b=', 'sip:a;b=c=d', 'sip:a;b@c', 'sip:a;b=/:[]&+$'])
    assert.ok(!isMalformed(parseSipUri(text)), text);
});
