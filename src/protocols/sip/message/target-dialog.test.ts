import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { formatTargetDialog, parseTargetDialog } from './target-dialog.ts';

test('parseTargetDialog takes the example of RFC 4538 §9 and gives it back', () => {
  const text = 'fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544';
  const parsed = parseTargetDialog(text.replaceAll(';', ' ; '));
  assert.ok(!isMalformed(parsed));
  assert.equal(formatTargetDialog(parsed), text);
});

for (const text of [
  '',
  'id',
  'id;local-tag=a',
  'id;remote-tag=a',
  ';local-tag=a;remote-tag=b',
  'i d;local-tag=a;remote-tag=b',
])
  test(`parseTargetDialog refuses "${text}"`, () => assert.ok(isMalformed(parseTargetDialog(text))));
