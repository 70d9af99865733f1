import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSipTimers, nonInviteTryingMs, transactionTimeoutMs } from './timers.ts';

test('SipTimers: the default values give the spans that the standards print', () => {
  assert.equal(transactionTimeoutMs(defaultSipTimers), 32_000);
  assert.equal(nonInviteTryingMs(defaultSipTimers), 3_500);
  assert.ok(defaultSipTimers.timerCMs > 180_000);
});
