/**
 * A registrar that is out of reach while the mobile node changes its access (TRIM §3.3, MIP–SIP §3): Mobile IP moves, SIP cannot follow. The
 * sessions stay where they can be reached, and go after the node once the registration over the new access succeeds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MipSipCall } from './mip-sip-call.ts';

for (const behindNat of [[], ['wlan']])
  test(`MIP-SIP: a registration that succeeds after the handover was given up takes the session along (translated: ${behindNat.join() || 'none'})`, () => {
    const call = new MipSipCall({ behindNat, registration: 'mobile-node', first: 'umts' });
    const { lab } = call;
    const sessions = () => lab.mobile.machine.status().sessions.map(({ access }) => access);
    const completed = () => lab.mobileNodeEvents.filter((event) => event.type === 'handover-completed');
    const before = completed().length;
    lab.sipServerLink.setUp(false);
    call.during(() => lab.mobile.requestHandover('wlan'), 40_000);
    const [givenUp] = completed().slice(before);
    assert.deepEqual([givenUp?.to, givenUp?.failed.length, givenUp?.sessions.length], ['wlan', 1, 0]);
    assert.deepEqual([sessions(), call.peerSendsTo], [['umts'], '10.1.0.2'], 'reached where it was');

    lab.sipServerLink.setUp(true);
    const messages = call.during(() => {}, 120_000);
    const place = behindNat.length === 0 ? '10.2.0.2' : '10.30.0.100';
    assert.deepEqual([call.peerSendsTo, call.registered], [place, [place]]);
    assert.deepEqual(sessions(), [behindNat.length === 0 ? 'wlan' : 'home-address']);
    const sip = messages.filter((message) => /^(INVITE|ACK|REGISTER)/.test(message));
    assert.deepEqual(sip.slice(0, 2), ['REGISTER: mn > sip-server', 'INVITE: mn > cn']);
    assert.equal(sip.filter((message) => message === 'INVITE: mn > cn').length, 1, 'told once');
    const late = completed().at(-1);
    assert.deepEqual([late?.to, late?.failed, late?.sessions.length], ['wlan', [], 1]);
    call.assertReachable();
  });

test('MIP-SIP: a registration that succeeds late after the node has gone on is taken back', () => {
  const call = new MipSipCall({ behindNat: [], registration: 'mobile-node', first: 'umts' });
  const { lab } = call;
  lab.sipServerLink.setUp(false);
  call.during(() => lab.mobile.requestHandover('wlan'), 40_000);
  lab.sipServerLink.setUp(true);
  call.during(() => lab.mobile.requestHandover('wimax'), 120_000);
  assert.deepEqual([call.peerSendsTo, call.registered], ['10.3.0.2', ['10.3.0.2']]);
  call.assertReachable();
});
