/**
 * A handover between 180 and 200, while a telephone rings (TRIM §3.3 says nothing of it): the old access still lives, so the set-up goes
 * to its end there, and the session follows when both ends know the dialog as confirmed. It rings once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formOf, networks } from './changeable-call.ts';
import { isEstablished, TrimCall, type TrimCallOptions } from './trim-call.ts';

const ringMs = 3000;

for (const originator of ['mobile node', 'correspondent'] as const)
  for (const network of networks)
    for (const withReservation of [false, true])
      test(`ringing: the ${originator} calls: one ring, answered, moved (${formOf({ ...network, withReservation })})`, () =>
        moveWhileRinging({ originator, ...network, withReservation }));

function moveWhileRinging(options: TrimCallOptions): void {
  const call = new TrimCall({ ...options, ringMs });
  const [caller, callee] =
    options.originator === 'mobile node' ? (['phone', 'cn'] as const) : (['cn', 'phone'] as const);
  call.dial();
  const seen = (node: string, summary: RegExp) =>
    call.lab.trace.filter(
      (entry) => entry.node === node && entry.direction === 'received' && summary.test(entry.summary),
    ).length;
  assert.ok(
    call.runUntil(() => seen(caller, /^180 /) > 0, 3000),
    'it rings',
  );

  call.handOver('wlan');
  assert.equal(isEstablished(call.phone.events), false, 'the move is over before anybody answers');
  const isMoved = () =>
    call.mobileNodeEvents.some(({ type }) => type === 'session-moved') &&
    isEstablished(call.phone.events) &&
    isEstablished(call.correspondent.events);
  assert.ok(call.runUntil(isMoved, 2 * ringMs), 'answered and moved');
  assert.deepEqual([seen(caller, /^180 /), seen(callee, /^INVITE /)], [1, 1]);

  // The old access may go now; the call does not need it.
  call.run(1000);
  call.lab.mobile.setAccess('3g', false);
  call.sendMedia();
  call.run(1000);
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  assert.ok(call.phoneAudio.received > 40);
  call.hangUp(options.originator === 'mobile node' ? 'correspondent' : 'phone');
  call.run(2000);
  call.assertNothingLeft();
}
