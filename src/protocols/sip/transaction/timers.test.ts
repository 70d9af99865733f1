import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimerSet } from './timer-set.ts';
import { defaultSipTimers, nonInviteTryingMs, transactionTimeoutMs } from './timers.ts';

test('SipTimers: the default values give the spans that the standards print', () => {
  assert.equal(transactionTimeoutMs(defaultSipTimers), 32_000);
  assert.equal(nonInviteTryingMs(defaultSipTimers), 3_500);
  assert.ok(defaultSipTimers.timerCMs > 180_000);
});

test('TimerSet: the earliest timer is due first, a stopped one never', () => {
  const timers = new TimerSet<'A' | 'B' | 'D'>();
  timers.start('B', 20);
  timers.start('A', 10);
  timers.start('D', 5);
  timers.stop('D');
  assert.deepEqual([timers.earliest()?.at, timers.earliest()?.reason], [10, 'A']);
  assert.deepEqual(
    [timers.takeDue(9), timers.takeDue(30), timers.takeDue(30), timers.takeDue(30)],
    [undefined, 'A', 'B', undefined],
  );
});
