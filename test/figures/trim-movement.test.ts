/**
 * Mobile nodes that move in every way there is, in virtual time: to and fro, faster than a handover takes, onto an access that dies at once,
 * away from one that is gone already. Each time, in all four forms of the handover (with and without preconditions, by re-INVITE and by
 * INVITE with Replaces): the call is up, the media flow again, and neither phone nor correspondent has heard of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrimCall, type TrimCallOptions } from './trim-call.ts';

const forms = [true, false].flatMap((withReservation) =>
  (['shared', 'per-access'] as const).map((proxyCscfs) => ({ withReservation, proxyCscfs })),
);
/** After the appearance of WLAN all messages of a handover have passed in this time. */
const handoverMs = 60;

function formsOf(statement: string, check: (options: TrimCallOptions) => void): void {
  for (const form of forms) {
    const preconditions = form.withReservation ? 'with preconditions' : 'without preconditions';
    const method = form.proxyCscfs === 'shared' ? 're-INVITE' : 'Replaces';
    test(`TRIM: ${statement} (${preconditions}, ${method})`, () => check(form));
  }
}

function established(options: TrimCallOptions): { call: TrimCall; assertUnheard: () => void } {
  const call = new TrimCall(options);
  call.establish();
  call.run(500);
  const before = call.lab.trace.length;
  const assertUnheard = () => {
    const heard = call.lab.trace.slice(before).filter(({ node }) => node === 'phone' || node === 'cn');
    assert.deepEqual(heard, [], 'phone and correspondent have heard nothing');
  };
  return { call, assertUnheard };
}

function assertCarriedBy(call: TrimCall, access: string, context: string): void {
  assert.deepEqual(
    call.lab.mobile.machine.status().sessions.map((session) => `${session.state} over ${session.access}`),
    [`established over ${access}`],
    context,
  );
  const before = [call.phoneAudio.received, call.correspondentAudio.received];
  call.run(1000);
  const [toPhone, toCorrespondent] = [call.phoneAudio.received, call.correspondentAudio.received];
  assert.ok(toPhone - before[0]! >= 45 && toCorrespondent - before[1]! >= 45, `media flow: ${context}`);
  assert.equal(call.phoneAudio.remotes.length, 1, context);
  assert.equal(call.correspondentAudio.remotes.length, 1, context);
}

function assertEnds(call: TrimCall): void {
  call.drainMedia();
  call.hangUp('phone');
  call.run(5000);
  call.assertNothingLeft();
}

formsOf('twenty handovers lose no packet, and nobody hears of them', (options) => {
  const { call, assertUnheard } = established(options);
  for (let count = 0; count < 20; count++) {
    call.handOver(count % 2 === 0 ? 'wlan' : '3g');
    call.run(200);
  }
  assertUnheard();
  assertCarriedBy(call, '3g', 'after twenty handovers');
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  assertEnds(call);
});

formsOf(
  'a node that wants to go back before it has arrived moves once more afterwards, without loss',
  (options) => {
    const { call, assertUnheard } = established(options);
    call.lab.mobile.setAccess('wlan', true);
    for (let count = 0; count < 10; count++) {
      call.lab.mobile.requestHandover(count % 2 === 0 ? 'wlan' : '3g');
      call.run(15);
    }
    call.run(10_000);
    assertUnheard();
    assertCarriedBy(call, '3g', 'after ten requests');
    assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    assertEnds(call);
  },
);

formsOf('the new access dies after any message of the handover: back to the old one', (options) => {
  for (let afterMs = 0; afterMs < handoverMs; afterMs += 3) {
    const { call, assertUnheard } = established(options);
    call.lab.mobile.setAccess('wlan', true);
    call.run(afterMs);
    call.lab.mobile.setAccess('wlan', false);
    call.run(8000);
    assertUnheard();
    assertCarriedBy(call, '3g', `WLAN died after ${afterMs} ms`);
    assertEnds(call);
  }
});

formsOf('the old access dies after any message of the handover: on to the new one', (options) => {
  for (let afterMs = 0; afterMs < handoverMs; afterMs += 3) {
    const { call, assertUnheard } = established(options);
    call.lab.mobile.setAccess('wlan', true);
    call.run(afterMs);
    call.lab.mobile.setAccess('3g', false);
    call.run(8000);
    assertUnheard();
    assertCarriedBy(call, 'wlan', `3G died after ${afterMs} ms`);
    assertEnds(call);
  }
});

formsOf('a call waits up to ten seconds for an access, and goes on over it', (options) => {
  for (const gapMs of [0, 100, 10_000]) {
    const { call, assertUnheard } = established(options);
    call.lab.mobile.setAccess('3g', false);
    call.run(gapMs);
    call.lab.mobile.setAccess('wlan', true);
    call.run(3000);
    assertUnheard();
    assertCarriedBy(call, 'wlan', `${gapMs} ms without an access`);
    assertEnds(call);
  }
});

formsOf('either side may hang up after any message of a handover', (options) => {
  for (const who of ['phone', 'correspondent'] as const)
    for (let afterMs = 0; afterMs < handoverMs; afterMs += 4) {
      const { call } = established(options);
      call.lab.mobile.setAccess('wlan', true);
      call.run(afterMs);
      call.drainMedia();
      call.hangUp(who);
      call.run(5000);
      assert.equal(call.whatIsLeft(), undefined, `${who} hung up after ${afterMs} ms`);
      assert.equal(call.lab.mobile.machine.status().handover, undefined, 'the handover is over');
    }
});
