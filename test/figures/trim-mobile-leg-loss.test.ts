/**
 * The mobile node is out of reach: its leg is silent, or the way there is gone. The correspondent is not told; he may find out by asking, and
 * then is asked to be patient (500, Retry-After). Within the grace time of the application server (key grace-time) the node may come back,
 * from wherever. The correspondent gets BYE when that is over and the node still does not answer, once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessProfiles } from '../../src/access-network/access-profiles.ts';
import { audio, ChangeableCall, description } from './changeable-call.ts';

/** Of the virtual lab. */
const graceMs = 32_000;
/** When a transaction over the mobile leg is given up (RFC 3261 §17.1.1.2 Timer B). */
const timeoutMs = 32_000;

const { hspa } = accessProfiles;
const loss = { kind: 'independent', probability: 1 } as const;
const dead = { uplink: { ...hspa.uplink, loss }, downlink: { ...hspa.downlink, loss } };

for (const proxyCscfs of ['shared', 'per-access'] as const) {
  const form = proxyCscfs === 'shared' ? 're-INVITE' : 'Replaces';

  for (const request of ['INVITE', 'INFO', 'OPTIONS', 'UPDATE'] as const)
    test(`TRIM: the correspondent's ${request} to a node out of reach, which comes back over the other access: no BYE, and the call goes on (${form})`, () => {
      const call = new ChangeableCall({ proxyCscfs, withReservation: false });
      call.lab.mobile.setAccess('3g', false);
      ask(call, request);
      call.run(timeoutMs + 3000);
      assert.equal(losses(call), 1, 'the application server has noticed');
      call.run(graceMs - 10_000);
      call.lab.mobile.setAccess('wlan', true);
      call.run(30_000);
      assert.deepEqual(
        new Set(call.correspondent.statusCodes.filter((code) => code >= 300 && code !== 500)),
        new Set(),
      );
      assertGoesOn(call, 'wlan');
    });

  test(`TRIM: a node that falls silent and returns at the same place unnoticed keeps its call beyond the grace time (${form})`, () => {
    const call = new ChangeableCall({ proxyCscfs, withReservation: false });
    call.lab.mobile.changeLink('3g', dead);
    ask(call, 'INFO');
    call.run(timeoutMs + 3000);
    assert.equal(losses(call), 1);
    call.run(5000);
    call.lab.mobile.changeLink('3g', hspa);
    call.run(3 * graceMs);
    assertGoesOn(call, '3g');
  });

  test(`TRIM: a node that never comes back: the correspondent gets one BYE, not within the grace time (${form})`, () => {
    const call = new ChangeableCall({ proxyCscfs, withReservation: false });
    call.lab.mobile.setAccess('3g', false);
    const before = call.lab.network.simulation.now;
    ask(call, 'INFO');
    call.run(10 * graceMs);
    const [bye, ...further] = byesToCorrespondent(call);
    assert.ok(bye !== undefined && further.length === 0, 'one BYE');
    assert.ok(bye >= before + timeoutMs + graceMs, `BYE after ${bye - before} ms`);
    assert.equal(call.correspondent.isEnded, true);
    assert.equal(call.lab.trimApplicationServer.sessionCount, 0);
    assert.equal(call.lab.addressTranslator()?.sessions, 0);
  });
}

test("TRIM: the P-CSCF of the mobile node's access dies; the node moves to the other one, and the correspondent hears nothing", () => {
  const call = new ChangeableCall({ proxyCscfs: 'per-access', withReservation: false });
  call.lab.mobile.setAccess('wlan', true);
  call.run(3000);
  call.lab.host('p-cscf-2').kill();
  ask(call, 'INFO');
  call.run(timeoutMs + 3000);
  assert.equal(losses(call), 1);
  call.lab.mobile.requestHandover('3g');
  call.run(10_000);
  assertGoesOn(call, '3g');
});

function ask(call: ChangeableCall, method: 'INVITE' | 'INFO' | 'OPTIONS' | 'UPDATE'): void {
  const body =
    method === 'INVITE' || method === 'UPDATE' ? description('correspondent', audio(8, 'sendonly')) : '';
  call.phone.answer = description('phone', audio(8, 'recvonly'));
  call.perform('correspondent', (now) => call.correspondent.request(method, body, now));
}

function losses(call: ChangeableCall): number {
  return call.lab.trimEvents.filter(({ type }) => type === 'mobile-leg-lost').length;
}

function byesToCorrespondent(call: ChangeableCall): number[] {
  return call.lab.trace
    .filter(
      ({ node, direction, summary }) =>
        node === 'cn' && direction === 'received' && summary.startsWith('BYE'),
    )
    .map(({ at }) => at);
}

/** Over that access, in both directions. */
function assertGoesOn(call: ChangeableCall, access: string): void {
  assert.deepEqual(byesToCorrespondent(call), []);
  assert.deepEqual([call.phone.isEnded, call.correspondent.isEnded], [false, false]);
  assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, access);
  for (const side of ['phone', 'correspondent'] as const) {
    call.perform(side, (now) => call[side].request('INFO', '', now));
    call.run(1000);
    assert.equal(call[side].statusCodes.at(-1), 200, `INFO of the ${side}`);
  }
}
