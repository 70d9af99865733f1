import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptIdentification, judgeIdentification, type ReplayState } from './replay-window.ts';
import { ntpTimestamp } from './timestamp.ts';

const clock = { timestamp: ntpTimestamp(1_000_000), toleranceMs: 7000 };
const at = (ms: number): bigint => ntpTimestamp(1_000_000 + ms);
const empty: ReplayState = { paths: new Map() };
const accept = (state: ReplayState, path: string | undefined, ms: number, isFloor = false): ReplayState =>
  acceptIdentification(state, path, at(ms), isFloor, clock);
const judge = (state: ReplayState, path: string | undefined, ms: number) =>
  judgeIdentification(state, path, at(ms), clock);

test('judgeIdentification: a slower path is not refused because a faster one overtook it', () => {
  const state = accept(empty, '1', 20);
  assert.equal(judge(state, '2', 10), 'fresh');
  assert.equal(judge(state, '1', 10), 'old');
  assert.equal(judge(state, '1', 20), 'repeated');
  assert.equal(judge(state, '1', 21), 'fresh');
});

test('judgeIdentification: a peer without paths gets the strict rule', () => {
  const state = accept(accept(empty, undefined, 20, true), '1', 30);
  assert.equal(judge(state, undefined, 20), 'repeated');
  assert.equal(judge(state, undefined, 25), 'old');
  assert.equal(judge(state, undefined, 31), 'fresh');
});

test('judgeIdentification: nothing made before a request that cleared all counts any more', () => {
  const state = accept(accept(empty, '1', 0), '2', 20, true);
  assert.equal(judge(state, '3', 10), 'old');
  assert.equal(judge(state, '1', 10), 'old');
  assert.equal(judge(state, '3', 21), 'fresh');
});

test('judgeIdentification: the tolerance holds in both directions', () => {
  for (const [ms, verdict] of [
    [-7001, 'outside-tolerance'],
    [-6999, 'fresh'],
    [6999, 'fresh'],
    [7001, 'outside-tolerance'],
  ] as const)
    assert.equal(judge(empty, '1', ms), verdict);
});

test('acceptIdentification: a path is forgotten when its last timestamp would be refused anyway', () => {
  const state = accept(accept(empty, '1', -6000), '2', 0);
  assert.deepEqual([...state.paths.keys()], ['1', '2']);
  const later = { ...clock, timestamp: at(2000) };
  assert.deepEqual([...acceptIdentification(state, '3', at(2000), false, later).paths.keys()], ['2', '3']);
});

test('acceptIdentification: an overtaken request that clears all does not lower the floor', () => {
  const state = accept(accept(empty, '1', 20, true), '2', 10, true);
  assert.equal(state.floor, at(20));
});
