import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { parseVia } from './via.ts';

test('parseVia: what has colons and no brackets is an IPv6 address as a whole, or malformed', () => {
  const hostOf = (sentBy: string): unknown => {
    const via = parseVia(`SIP/2.0/UDP ${sentBy};branch=z9hG4bK1`);
    return isMalformed(via) ? undefined : [via.host, via.port];
  };
  assert.deepEqual(hostOf('2001:db8::1'), ['2001:db8::1', undefined]);
  assert.deepEqual(hostOf('::ffff:10.0.0.1'), ['::ffff:10.0.0.1', undefined]);
  assert.deepEqual(hostOf('[2001:db8::1]:5060'), ['2001:db8::1', 5060]);
  for (const sentBy of ['10.1.0.2:5.0.2:5060', '10.0.0.1:5060:5061', 'a:b:c', '::1::2', '1:2:3:4:5:6:7:8:9'])
    assert.equal(hostOf(sentBy), undefined, sentBy);
});
