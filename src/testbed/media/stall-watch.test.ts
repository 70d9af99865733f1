import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StallWatch } from './stall-watch.ts';

test('StallWatch: steady progress is no stall, and the longest is told with its end', () => {
  const watch = new StallWatch();
  for (const at of [5, 14, 23, 83, 92, 132]) watch.progressed(at);
  assert.deepEqual(watch.stalls, [
    { ms: 60, endedAt: 83 },
    { ms: 40, endedAt: 132 },
  ]);
  assert.deepEqual(watch.longest, { ms: 60, endedAt: 83 });
});

test('StallWatch: of many the longest are kept, in order of time', () => {
  const watch = new StallWatch();
  let now = 0;
  for (const ms of [0, 70, ...Array.from({ length: 100 }, () => 20), 50]) {
    now += ms;
    watch.progressed(now);
  }
  assert.equal(watch.stalls.length, 64);
  assert.deepEqual([watch.stalls[0]?.ms, watch.stalls.at(-1)?.ms], [70, 50]);
});

test('StallWatch: before there are two instants nothing has stalled', () => {
  const watch = new StallWatch();
  watch.progressed(1000);
  assert.deepEqual([watch.stalls, watch.longest], [[], undefined]);
});
