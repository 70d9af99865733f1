/**
 * The access is lost while a telephone rings (between 180 and 200), and another one comes up. A call of the mobile node goes on by a second
 * INVITE that names the first one's dialog (Target-Dialog), a call to it by UPDATE, or, by another P-CSCF, by the answer that leaves from the
 * new address and INVITE with Replaces behind it. It rings once, the call is answered, and media flow.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formOf, networks } from './changeable-call.ts';
import { isEstablished, TrimCall, type TrimCallOptions } from './trim-call.ts';

const ringMs = 3000;
type Originator = NonNullable<TrimCallOptions['originator']>;

for (const originator of ['mobile node', 'correspondent'] as const)
  for (const network of networks)
    for (const withReservation of [false, true]) {
      const form = formOf({ ...network, withReservation });
      const options = { originator, ...network, withReservation, ringMs };

      test(`ringing: the ${originator} calls, the access dies: one ring, answered over the other one, media at once (${form})`, () => {
        const call = ring(options);
        replaceAccess(call, 200);
        answeredOver(call, 'wlan', originator);
        finish(call, originator);
      });

      test(`ringing: the ${originator} calls, the access dies, and so does the next: back over the first (${form})`, () => {
        const call = ring(options);
        replaceAccess(call, 200);
        call.run(300);
        call.lab.mobile.setAccess('wlan', false);
        call.run(100);
        call.lab.mobile.setAccess('3g', true);
        answeredOver(call, '3g', originator);
        finish(call, originator);
      });
    }

test('ringing: the answer may come at any time while there is no access or the new one is being told: the call is up in the end', () => {
  for (const originator of ['mobile node', 'correspondent'] as const)
    for (const proxyCscfs of ['shared', 'per-access'] as const)
      for (let gapMs = 150; gapMs <= 330; gapMs += 6) {
        const call = ring({ originator, proxyCscfs, ringMs: 300 });
        replaceAccess(call, gapMs);
        const context = `${originator} calls, ${gapMs} ms without access, ${proxyCscfs}`;
        answeredOver(call, 'wlan', originator, context);
        call.hangUp('phone');
        call.run(5000);
        assert.equal(call.whatIsLeft(), undefined, context);
      }
});

test('ringing: a 180 that is lost with the access is heard over the other one', () => {
  const call = new TrimCall({ ringMs, withReservation: true });
  call.dial();
  assert.ok(
    call.runUntil(() => heard(call, 'p-cscf', /^180 /) > 1, 3000),
    'it rings',
  );
  replaceAccess(call, 200);
  assert.equal(heard(call, 'phone', /^180 /), 0);
  answeredOver(call, 'wlan', 'mobile node');
  finish(call, 'mobile node');
});

for (const proxyCscfs of ['shared', 'per-access'] as const)
  for (const withReservation of [false, true])
    test(`ringing: the access dies before the caller has heard anything: one call, one ring, answered over the other one (${proxyCscfs} P-CSCF, ${withReservation ? 'with' : 'without'} reservation)`, () => {
      for (const ringMs of [100, 1000])
        for (let afterMs = 0; afterMs < 84; afterMs += 12) {
          const call = new TrimCall({ proxyCscfs, withReservation, ringMs });
          call.dial();
          call.run(afterMs);
          assert.equal(heard(call, 'phone', /^18/), 0);
          replaceAccess(call, 200 + afterMs);
          const context = `after ${afterMs} ms, ${ringMs} ms of ringing`;
          assert.ok(
            call.runUntil(() => isUpOver(call, 'wlan'), 2 * ringMs + 2000),
            `answered ${context}`,
          );
          assert.equal(heard(call, 'cn', /^INVITE /), 1, context);
          // None where the answer was there before the way to hear of it.
          assert.ok(heard(call, 'phone', /^180 /) <= 1, context);
          call.run(1000);
          call.hangUp('phone');
          call.run(5000);
          assert.equal(call.whatIsLeft(), undefined, context);
        }
    });

for (const proxyCscfs of ['shared', 'per-access'] as const)
  for (const withReservation of [false, true])
    test(`ringing: the access dies while the application server waits for a translator that is dead: one call, nothing is refused (${formOf({ proxyCscfs, withReservation })})`, () => {
      for (const afterMs of [40, 300, 9000]) {
        const call = new TrimCall({ proxyCscfs, withReservation, ringMs, hasSecondTranslator: true });
        call.lab.host('translator').kill();
        call.dial();
        call.run(afterMs);
        replaceAccess(call, 100);
        // The request to the translator is given up after 10 s.
        const isUp = call.runUntil(() => isUpOver(call, 'wlan'), 12_000 + ringMs);
        const context = `after ${afterMs} ms`;
        assert.ok(isUp, context);
        assert.deepEqual([heard(call, 'cn', /^INVITE /), heard(call, 'phone', /^180 /)], [1, 1], context);
        assert.deepEqual([heard(call, 'mn', /^5/), heard(call, 'phone', /^5/)], [0, 0], context);
        call.run(1000);
        call.hangUp('phone');
        call.run(5000);
        assert.equal(call.whatIsLeft(), undefined, context);
      }
    });

test('ringing: who gives up after the move reaches the other side', () => {
  for (const originator of ['mobile node', 'correspondent'] as const) {
    const call = ring({ originator, ringMs: 60_000 });
    replaceAccess(call, 200);
    call.run(1000);
    const caller = originator === 'mobile node' ? call.phone : call.correspondent;
    caller.perform((now) => caller.terminal.stop(now));
    call.run(5000);
    assert.equal(call.whatIsLeft(), undefined, originator);
  }
});

test('ringing: a node that finds no other access gives the call up, and nothing is left of it', () => {
  for (const originator of ['mobile node', 'correspondent'] as const) {
    const call = ring({ originator, ringMs: 5000 });
    call.lab.mobile.setAccess('3g', false);
    call.run(400_000);
    assert.equal(call.whatIsLeft(), undefined, originator);
  }
});

test('ringing: the ladder of a call of the mobile node whose access dies', () => {
  assert.deepEqual(ladder('mobile node'), [
    'INVITE: mn (m2) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '180 Ringing: trim-as > s-cscf > p-cscf > mn',
    '487 Request Terminated: trim-as > s-cscf > p-cscf',
    'PRACK: mn > p-cscf > s-cscf > trim-as',
    '200 OK (PRACK): trim-as > s-cscf > p-cscf > mn',
  ]);
});

test('ringing: the ladder of a call to the mobile node whose access dies, before and after the media are agreed on', () => {
  const update = [
    'UPDATE: mn > p-cscf > s-cscf > trim-as',
    '200 OK (UPDATE): trim-as > s-cscf > p-cscf > mn',
  ];
  assert.deepEqual(ladder('correspondent'), update);
  assert.deepEqual(ladder('correspondent', true), [
    'UPDATE: mn (m2) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '200 OK (UPDATE): trim-as (y:b) > s-cscf > p-cscf > mn',
  ]);
});

function ladder(originator: Originator, withReservation = false): string[] {
  const call = ring({ originator, ringMs, withReservation });
  const before = call.lab.trace.length;
  replaceAccess(call, 200);
  call.run(1000);
  const wanted =
    /^(?!100 |NOTIFY|200 OK \(NOTIFY|SUBSCRIBE|200 OK \(SUBS|ACK|DW).*(?:INVITE|18|NC|UPDATE|487|PRACK)/;
  return call.journeys(before, (summary) => wanted.test(summary));
}

function ring(options: TrimCallOptions): TrimCall {
  const call = new TrimCall(options);
  call.dial();
  const [caller] = nodesOf(options.originator ?? 'mobile node');
  assert.ok(
    call.runUntil(() => heard(call, caller, /^180 /) > 0, 3000),
    'it rings',
  );
  return call;
}

function replaceAccess(call: TrimCall, gapMs: number): void {
  call.lab.mobile.setAccess('3g', false);
  call.run(gapMs);
  call.lab.mobile.setAccess('wlan', true);
}

function answeredOver(call: TrimCall, access: string, originator: Originator, context = ''): void {
  assert.ok(
    call.runUntil(() => isUpOver(call, access), 2 * ringMs),
    `answered ${context}`,
  );
  const [caller, callee] = nodesOf(originator);
  assert.deepEqual([heard(call, caller, /^180 /), heard(call, callee, /^INVITE /)], [1, 1], context);
}

function isUpOver(call: TrimCall, access: string): boolean {
  const { sessions } = call.lab.mobile.machine.status();
  const isUp = isEstablished(call.phone.events) && isEstablished(call.correspondent.events);
  return isUp && sessions.every((session) => session.access === access);
}

function finish(call: TrimCall, originator: Originator): void {
  call.run(100);
  call.sendMedia();
  call.run(1000);
  assert.ok(call.phoneAudio.received >= 45 && call.correspondentAudio.received >= 45, 'media flow');
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  call.hangUp(originator === 'mobile node' ? 'correspondent' : 'phone');
  call.run(40_000);
  call.assertNothingLeft();
}

function nodesOf(originator: Originator): readonly [caller: string, callee: string] {
  return originator === 'mobile node' ? ['phone', 'cn'] : ['cn', 'phone'];
}

function heard(call: TrimCall, node: string, summary: RegExp): number {
  return call.lab.trace.filter(
    (entry) => entry.node === node && entry.direction === 'received' && summary.test(entry.summary),
  ).length;
}
