/** The network ends the mobile node's registration (RFC 3680): the node hears of it, and registers again or says that it may not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mobileIdentity } from '../../src/testbed/lab-users.ts';
import { isEstablished, TrimCall } from './trim-call.ts';

/** From the end of the registration on: what the node says, and when it sends REGISTER, in seconds. */
function endRegistration(reason: number, runMs: number) {
  const call = new TrimCall();
  call.run(6_000);
  const { simulation } = call.lab.network;
  const [endedAt, traced, told] = [simulation.now, call.lab.trace.length, call.mobileNodeEvents.length];
  call.lab.terminateRegistration(mobileIdentity, reason);
  call.run(runMs);
  const registers = call.lab.trace
    .slice(traced)
    .filter(
      ({ node, direction, summary }) => node === 'mn' && direction === 'sent' && /^REGISTER/.test(summary),
    )
    .map(({ at }) => Math.round((at - endedAt) / 1000));
  const events = call.mobileNodeEvents.slice(told).map((event) => {
    const words = [event.type, 'access' in event && event.access, 'reason' in event && event.reason];
    return words.filter(Boolean).join(' ');
  });
  return { call, registers, events };
}

for (const reason of [1, 2])
  test(`MobileNode: its registration is deactivated (Reason-Code ${reason}): it registers again at once, and is called`, () => {
    const { call, registers, events } = endRegistration(reason, 2_000);
    assert.deepEqual(events, ['registration-ended 3g deactivated', 'registered 3g']);
    assert.deepEqual(registers, [0]);
    call.correspondent.perform((now) => void call.correspondent.terminal.placeCall(mobileIdentity, now));
    call.run(2_000);
    assert.ok(isEstablished(call.phone.events) && isEstablished(call.correspondent.events));
  });

test('MobileNode: it is sent away for a while, and comes back after that', () => {
  const { registers, events } = endRegistration(3, 70_000);
  assert.deepEqual(events, ['registration-ended 3g probation', 'registered 3g']);
  assert.deepEqual(registers, [60]);
});

test('MobileNode: its registration is rejected: it says so and stays away', () => {
  const { registers, events } = endRegistration(0, 3_600_000);
  assert.deepEqual(events, ['registration-ended 3g rejected']);
  assert.deepEqual(registers, []);
});

test('MobileNode: after a handover it is the registration over the new access that it watches', () => {
  const call = new TrimCall({ proxyCscfs: 'per-access' });
  call.establish();
  call.handOver('wlan');
  call.run(15_000);
  const told = call.mobileNodeEvents.length;
  call.lab.terminateRegistration(mobileIdentity, 1);
  call.run(2_000);
  const types = call.mobileNodeEvents
    .slice(told)
    .map((event) => `${event.type} ${'access' in event ? event.access : ''}`);
  assert.ok(types.includes('registration-ended wlan') && types.includes('registered wlan'), String(types));
});
