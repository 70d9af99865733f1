import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndedDialogs } from './ended-dialogs.ts';
import { maxEndedDialogs } from './limits.ts';

test('EndedDialogs: a dialog is known by its whole name, for its time and little more', () => {
  const ended = new EndedDialogs(64_000);
  ended.add({ callId: 'call', localTag: 'ours', remoteTag: 'theirs' }, 1_000);
  assert.equal(ended.has('call', 'ours', 'theirs', 65_000), true);
  assert.equal(ended.has('other', 'ours', 'theirs', 1_000), false);
  assert.equal(ended.has('call', 'other', 'theirs', 1_000), false);
  assert.equal(ended.has('call', 'ours', 'other', 1_000), false);
  assert.equal(ended.has('call', 'ours', 'theirs', 69_001), false);
});

test('EndedDialogs: each is remembered for its time, however many follow', () => {
  const ended = new EndedDialogs(64_000);
  for (let now = 0; now <= 200_000; now += 500) {
    ended.add({ callId: 'call', localTag: `ours${now}`, remoteTag: 'theirs' }, now);
    if (now >= 64_000) assert.equal(ended.has('call', `ours${now - 64_000}`, 'theirs', now), true);
    if (now >= 69_000) assert.equal(ended.has('call', `ours${now - 69_000}`, 'theirs', now), false);
  }
});

test('EndedDialogs: when there are too many the oldest are given up', () => {
  const ended = new EndedDialogs(64_000);
  for (let count = 0; count <= maxEndedDialogs + maxEndedDialogs / 16; count++)
    ended.add({ callId: 'call', localTag: `ours${count}`, remoteTag: 'theirs' }, 0);
  assert.equal(ended.has('call', 'ours0', 'theirs', 0), false);
  assert.equal(ended.has('call', `ours${maxEndedDialogs}`, 'theirs', 0), true);
});
