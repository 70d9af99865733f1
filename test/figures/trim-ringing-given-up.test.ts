/**
 * The caller gives up while the mobile node, which has moved since its telephone began to ring, cannot be reached by the CANCEL: that goes where the
 * INVITE went. The telephone stops ringing all the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEstablished, TrimCall } from './trim-call.ts';

for (const proxyCscfs of ['shared', 'per-access'] as const)
  for (const withReservation of [false, true]) {
    const form = `${proxyCscfs} P-CSCF, ${withReservation ? 'with' : 'without'} reservation`;

    test(`ringing: the correspondent gives up after the mobile node has moved: the telephone stops (${form})`, () => {
      for (const afterMs of [1000, 8000, 40_000]) {
        const call = ringing(proxyCscfs, withReservation);
        move(call, 'wlan');
        call.run(afterMs);
        giveUp(call);
        call.run(1000);
        assert.doesNotMatch(call.whatIsLeft() ?? '', /phone|mobile node/, `${afterMs} ms after the move`);
        call.run(70_000);
        assert.equal(call.whatIsLeft(), undefined);
      }
    });

    test(`ringing: the correspondent gives up while the mobile node has no access: the telephone stops when there is one (${form})`, () => {
      const call = ringing(proxyCscfs, withReservation);
      call.lab.mobile.setAccess('3g', false);
      call.run(500);
      giveUp(call);
      call.run(500);
      call.lab.mobile.setAccess('wlan', true);
      call.run(2000);
      assert.doesNotMatch(call.whatIsLeft() ?? '', /phone|mobile node/);
      call.run(70_000);
      assert.equal(call.whatIsLeft(), undefined);
    });

    test(`ringing: the telephone answers after two moves, and who watched the call does so no more (${form})`, () => {
      const call = ringing(proxyCscfs, withReservation, 4000);
      move(call, 'wlan');
      call.run(500);
      call.lab.mobile.setAccess('wlan', false);
      call.run(100);
      call.lab.mobile.setAccess('3g', true);
      const isUp = () => isEstablished(call.phone.events) && isEstablished(call.correspondent.events);
      assert.ok(call.runUntil(isUp, 8000));
      call.run(2000);
      call.hangUp('correspondent');
      call.run(5000);
      assert.equal(call.whatIsLeft(), undefined);
    });
  }

test('ringing: the ladder of a call that is given up after the mobile node has moved behind another P-CSCF', () => {
  const call = ringing('per-access', false);
  const before = call.lab.trace.length;
  move(call, 'wlan');
  call.run(1000);
  giveUp(call);
  call.run(200);
  const wanted = /^(?:SUBSCRIBE|NOTIFY|CANCEL|200 OK \(NOTIFY|487)/;
  const ladder = call.journeys(before, (summary) => wanted.test(summary));
  assert.deepEqual(
    ladder.filter((line) => /\bmn\b/.test(line)),
    [
      'SUBSCRIBE: mn > p-cscf-2 > s-cscf > trim-as',
      'NOTIFY: trim-as > s-cscf > p-cscf-2 > mn',
      '200 OK (NOTIFY): mn > p-cscf-2 > s-cscf > trim-as',
      'NOTIFY: trim-as > s-cscf > p-cscf-2 > mn',
      '487 Request Terminated: mn > p-cscf > s-cscf > trim-as',
      'CANCEL: mn > phone',
      '200 OK (NOTIFY): mn > p-cscf-2 > s-cscf > trim-as',
      '487 Request Terminated: phone > mn',
    ],
  );
});

function ringing(proxyCscfs: 'shared' | 'per-access', withReservation: boolean, ringMs = 120_000): TrimCall {
  const call = new TrimCall({ originator: 'correspondent', proxyCscfs, withReservation, ringMs });
  call.dial();
  const rings = () => call.lab.trace.some(({ node, summary }) => node === 'cn' && summary.startsWith('180 '));
  assert.ok(call.runUntil(rings, 3000), 'it rings');
  return call;
}

function move(call: TrimCall, access: string): void {
  call.lab.mobile.setAccess('3g', false);
  call.run(200);
  call.lab.mobile.setAccess(access, true);
}

/** The only call of the correspondent's terminal. */
function giveUp({ correspondent }: TrimCall): void {
  correspondent.perform((now) => correspondent.terminal.hangUp(1, now));
}
