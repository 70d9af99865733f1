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

test('parseTargetDialog: who has heard nothing of a dialog does not know the local tag', () => {
  const parsed = parseTargetDialog('id;remote-tag=a');
  assert.deepEqual(parsed, { callId: 'id', localTag: undefined, remoteTag: 'a' });
  assert.equal(formatTargetDialog(parsed), 'id;remote-tag=a');
});

for (const text of ['', 'id', 'id;local-tag=a', ';local-tag=a;remote-tag=b', 'i d;local-tag=a;remote-tag=b'])
  test(`parseTargetDialog refuses "${text}"`, () => assert.ok(isMalformed(parseTargetDialog(text))));
