/**
 * A BYE that a movement keeps from arriving: sent into an access that is gone, on its way when it goes, or to a node that is nowhere. Whoever has
 * hung up is out of the call at once; the other end leaves it as soon as it can be told, and nothing of the session is left anywhere.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessProfiles } from '../../src/access-network/access-profiles.ts';
import { TrimCall } from './trim-call.ts';

const { hspa } = accessProfiles;
const loss = { kind: 'independent', probability: 1 } as const;
const dead = { uplink: { ...hspa.uplink, loss }, downlink: { ...hspa.downlink, loss } };
/** REGISTER with its challenge, one re-INVITE or INVITE with Replaces that is refused, and the BYE to the phone. */
const soonMs = 2500;
/** Of the virtual lab. */
const graceMs = 32_000;
const sides = ['phone', 'correspondent'] as const;
type Side = (typeof sides)[number];

for (const proxyCscfs of ['shared', 'per-access'] as const) {
  const form = proxyCscfs === 'shared' ? 're-INVITE' : 'Replaces';

  for (const side of sides) {
    for (const gapMs of [400, 20_000, 200_000])
      test(`BYE: the ${side} hangs up while the node has no access for ${gapMs} ms: the other end is told over the next one (${form})`, () => {
        const call = established(proxyCscfs);
        call.lab.mobile.setAccess('3g', false);
        call.run(gapMs / 2);
        call.hangUp(side);
        call.run(gapMs / 2);
        call.lab.mobile.setAccess('wlan', true);
        assertOver(call, soonMs);
      });

    test(`BYE: the ${side} hangs up while the node has no access; the same one comes back (${form})`, () => {
      const call = established(proxyCscfs);
      call.lab.mobile.setAccess('3g', false);
      call.run(1000);
      call.hangUp(side);
      call.run(50_000);
      call.lab.mobile.setAccess('3g', true);
      assertOver(call, soonMs);
    });

    test(`BYE: the ${side} hangs up over an access that leads nowhere: the other end is told when it leads somewhere again (${form})`, () => {
      const call = established(proxyCscfs);
      call.lab.mobile.changeLink('3g', dead);
      call.hangUp(side);
      call.run(40_000);
      call.lab.mobile.changeLink('3g', hspa);
      // The next attempt comes when the grace time is over.
      assertOver(call, graceMs);
    });

    test(`BYE: the ${side} hangs up at any instant about the loss of the access (${form})`, () => {
      for (let afterMs = -96; afterMs <= 240; afterMs += 12) {
        const call = established(proxyCscfs);
        at(call, [0, () => call.lab.mobile.setAccess('3g', false)], [afterMs, () => call.hangUp(side)]);
        call.lab.mobile.setAccess('wlan', true);
        assertOver(call, soonMs, `${afterMs} ms after the loss`);
      }
    });

    test(`BYE: the ${side} hangs up at any instant of a soft handover (${form})`, () => {
      for (let afterMs = 0; afterMs <= 420; afterMs += 12) {
        const call = established(proxyCscfs);
        call.startHandover('wlan');
        call.run(afterMs);
        call.hangUp(side);
        assertOver(call, soonMs, `${afterMs} ms after its start`);
      }
    });
  }

  test(`BYE: both hang up while the node has no access (${form})`, () => {
    const call = established(proxyCscfs);
    call.lab.mobile.setAccess('3g', false);
    for (const side of sides) call.hangUp(side);
    call.run(1000);
    call.lab.mobile.setAccess('wlan', true);
    assertOver(call, soonMs);
  });
}

test('BYE: the bindings of a session are released with the BYE of the correspondent, wherever the mobile node is', () => {
  const call = established('shared');
  call.lab.mobile.setAccess('3g', false);
  call.hangUp('correspondent');
  call.run(200);
  assert.equal(call.lab.addressTranslator()?.sessions, 0);
});

test('BYE: the ladder of one that could not reach the application server before the node had moved', () => {
  assert.deepEqual(ladder('phone'), [
    'BYE: phone > mn > p-cscf > s-cscf > trim-as',
    '200 OK (BYE): mn > phone',
    'INVITE: mn (m2) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '200 OK: trim-as (y:b) > s-cscf > p-cscf > mn',
    '200 OK (BYE): trim-as > s-cscf > p-cscf > mn',
    'BYE: trim-as > s-cscf > p-cscf > cn',
    'STR: trim-as > translator',
    'STA 2001: translator > trim-as',
    '200 OK (BYE): cn > p-cscf > s-cscf > trim-as',
  ]);
});

test('BYE: the ladder of one that could not reach the mobile node before it had moved', () => {
  assert.deepEqual(ladder('correspondent'), [
    'BYE: cn > p-cscf > s-cscf > trim-as',
    '200 OK (BYE): trim-as > s-cscf > p-cscf > cn',
    'BYE: trim-as > s-cscf > p-cscf',
    'STR: trim-as > translator',
    'STA 2001: translator > trim-as',
    'INVITE: mn (m2) > p-cscf > s-cscf > trim-as',
    '481 Call/Transaction Does Not Exist: trim-as > s-cscf > p-cscf > mn',
    '603 Decline: trim-as > s-cscf > p-cscf > mn',
    'BYE: mn > phone',
    '200 OK (BYE): phone > mn',
  ]);
});

/** From the loss of the access on, without registrations, acknowledgements and what is sent again. */
function ladder(side: Side): string[] {
  const call = established('shared');
  const before = call.lab.trace.length;
  call.lab.mobile.setAccess('3g', false);
  call.run(1000);
  call.hangUp(side);
  call.run(1000);
  call.lab.mobile.setAccess('wlan', true);
  call.run(soonMs);
  const wanted = /^(?!100 |ACK|.*(?:REGISTER|NOTIFY|SUBSCRIBE)|(?:UA|LI|MA|SA|DW|CE)[RA]\b)/;
  return [...new Set(call.journeys(before, (summary) => wanted.test(summary)))];
}

function established(proxyCscfs: 'shared' | 'per-access'): TrimCall {
  const call = new TrimCall({ proxyCscfs, ringMs: 100 });
  call.establish();
  call.run(500);
  return call;
}

/** Does each at its time, in ms from the earliest. */
function at(call: TrimCall, ...actions: (readonly [atMs: number, action: () => void])[]): void {
  actions.sort(([first], [second]) => first - second);
  let now = actions[0]![0];
  for (const [atMs, action] of actions) {
    call.run(atMs - now);
    action();
    now = atMs;
  }
}

/** For both ends and the mobile node; of the application server's last question to the node nothing is left either in the end. */
function assertOver(call: TrimCall, withinMs: number, context = ''): void {
  call.phoneAudio.stop();
  call.correspondentAudio.stop();
  call.run(withinMs);
  assert.doesNotMatch(call.whatIsLeft() ?? '', /calls|mobile node/, context);
  call.run(2 * graceMs + 1000);
  assert.equal(call.whatIsLeft(), undefined, context);
}
