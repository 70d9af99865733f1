import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { Watchdog } from './watchdog.ts';

/** Longer than Tw with any jitter. */
const period = 32_000;

test('Watchdog asks after Tw of silence, at most ±2 s off', () => {
  const times = Array.from({ length: 50 }, (_, seed) => {
    const watchdog = new Watchdog(30_000, new SeededRandomSource(seed));
    watchdog.connectionUp(false, 0);
    return watchdog.pollTimeout()?.at ?? 0;
  });
  assert.ok(Math.min(...times) >= 28_000 && Math.max(...times) <= 32_000);
  assert.ok(new Set(times).size > 40, 'the jitter jitters');
});

test('Watchdog never runs faster than RFC 3539 allows', () => {
  const watchdog = new Watchdog(10, new SeededRandomSource(1));
  watchdog.connectionUp(false, 0);
  assert.ok((watchdog.pollTimeout()?.at ?? 0) >= 4000);
});

test('Watchdog is put off by every message', () => {
  const watchdog = opened();
  watchdog.messageReceived(false, 20_000);
  assert.deepEqual(watchdog.handleTimeout(period), []);
  assert.ok((watchdog.pollTimeout()?.at ?? 0) >= 48_000);
});

test('Watchdog suspects after one missing answer and closes after two', () => {
  const watchdog = opened();
  assert.deepEqual(watchdog.handleTimeout(period), ['send-watchdog-request']);
  assert.deepEqual(watchdog.handleTimeout(2 * period), ['fail-over']);
  assert.equal(watchdog.status, 'suspect');
  assert.deepEqual(watchdog.handleTimeout(3 * period), ['close-connection']);
});

test('Watchdog forgives a suspect that says anything', () => {
  const watchdog = opened();
  watchdog.handleTimeout(period);
  watchdog.handleTimeout(2 * period);
  assert.deepEqual(watchdog.messageReceived(false, 2 * period + 1), ['fail-back']);
  assert.equal(watchdog.status, 'okay');
});

test('Watchdog closes a reopened connection that misses two answers, and counts again from the start', () => {
  const watchdog = opened();
  watchdog.connectionDown();
  assert.equal(watchdog.status, 'down');
  assert.deepEqual(watchdog.connectionUp(false, 0), ['send-watchdog-request']);
  assert.deepEqual(watchdog.messageReceived(false, 1), [], 'only answers count');
  assert.deepEqual(watchdog.handleTimeout(period), []);
  assert.deepEqual(watchdog.handleTimeout(2 * period), ['close-connection']);
  watchdog.connectionDown();
  watchdog.connectionUp(false, 0);
  for (const expected of [[], [], ['fail-back']]) {
    assert.deepEqual(watchdog.messageReceived(true, 1), expected);
    watchdog.handleTimeout(period);
  }
});

function opened(): Watchdog {
  const watchdog = new Watchdog(30_000, new SeededRandomSource(3));
  assert.deepEqual(watchdog.connectionUp(false, 0), []);
  return watchdog;
}
