/**
 * MIP–SIP behind address translation, message for message in virtual time: the care-of address is one that nobody else can send to, so SIP and
 * media are at the home address and take the tunnel (RFC 3519). Between two such accesses the binding update alone moves everything; to and
 * from an open access the session is told where it goes, as in figure 2.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessProfile } from '../../src/access-network/access-profiles.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import { everyAccess, MipSipCall, newLab } from './mip-sip-call.ts';

const home = '10.30.0.100';

test('MIP-SIP with address translation on both accesses: a handover is the binding update and nothing else', () => {
  for (const registration of ['home-agent', 'mobile-node'] as const) {
    const call = new MipSipCall({ behindNat: everyAccess, registration, first: 'umts' });
    assert.deepEqual(call.handover('wlan'), ['RRQ 10.2.0.2: mn > home-agent', 'RRP 0: home-agent > mn']);
    assert.equal(call.peerSendsTo, home);
    assert.deepEqual(call.registered, [home]);
  }
});

test('MIP-SIP from an open access to one behind address translation: figure 2, with the home address in SDP, Contact and REGISTER', () => {
  const call = new MipSipCall({ behindNat: ['wlan'], registration: 'home-agent', first: 'umts' });
  assert.deepEqual([call.peerSendsTo, call.registered], ['10.1.0.2', ['10.1.0.2']]);
  assertFigure2(call.handover('wlan'), '10.2.0.2');
  assert.deepEqual([call.peerSendsTo, call.registered], [home, [home]]);
  call.assertReachable();
});

test('MIP-SIP from behind address translation to an open access: figure 2, with the care-of address again', () => {
  const call = new MipSipCall({ behindNat: ['wlan'], registration: 'home-agent', first: 'wlan' });
  assert.deepEqual([call.peerSendsTo, call.registered], [home, [home]]);
  assertFigure2(call.handover('umts'), '10.1.0.2');
  assert.deepEqual([call.peerSendsTo, call.registered], ['10.1.0.2', ['10.1.0.2']]);
  call.assertReachable();
});

test('MIP-SIP behind address translation with a node that registers by itself: one contact, at the home address, through the tunnel', () => {
  const call = new MipSipCall({ behindNat: ['wlan', 'wimax'], registration: 'mobile-node', first: 'umts' });
  const registers = call.handover('wlan').filter((message) => message.startsWith('REGISTER'));
  assert.equal(registers.length, 2, 'the new contact, then the old one away');
  assert.deepEqual([call.peerSendsTo, call.registered], [home, [home]]);
  assert.deepEqual(call.handover('wimax'), ['RRQ 10.3.0.2: mn > home-agent', 'RRP 0: home-agent > mn']);
  call.handover('cdma');
  assert.deepEqual([call.peerSendsTo, call.registered], ['10.4.0.2', ['10.4.0.2']]);
  call.assertReachable();
});

test('MIP-SIP: over an access that has just come SIP waits for the home agent to say where the node can be reached', () => {
  const call = new MipSipCall({
    behindNat: ['wlan'],
    registration: 'home-agent',
    first: 'umts',
    present: ['umts'],
  });
  call.lab.mobile.setAccess('umts', false);
  call.lab.mobile.setAccess('wlan', true);
  const messages = call.during(() => {});
  assert.ok(messages.indexOf('RRP 0: home-agent > mn') < messages.indexOf('INVITE: mn > cn'));
  assert.deepEqual([call.peerSendsTo, call.registered], [home, [home]]);
  call.assertReachable();
});

test('MIP-SIP: when the home agent is slow to say so SIP has begun at the care-of address, and goes to the home address then', () => {
  for (const registration of ['home-agent', 'mobile-node'] as const) {
    const call = new MipSipCall({ behindNat: ['wlan'], registration, first: 'umts', present: ['umts'] });
    const { uplink, downlink } = profileOf('wlan');
    call.lab.mobile.changeLink('wlan', { uplink: { ...uplink, delayMs: 1300 }, downlink });
    call.lab.mobile.setAccess('umts', false);
    call.lab.mobile.setAccess('wlan', true);
    call.during(() => {}, 12_000);
    assert.equal(call.peerSendsTo, home, registration);
    // The care-of address, had the node told it to the registrar, is forgotten there when its time is over.
    assert.ok(call.registered.includes(home), registration);
    call.assertReachable();
  }
});

test('MIP-SIP: a node that could not ask the home agent when it came is at the home address as soon as it can', () => {
  const lab = newLab({ behindNat: ['wlan'], registration: 'home-agent', first: 'wlan' });
  const { uplink, downlink } = profileOf('wlan');
  const loss = { kind: 'independent', probability: 1 } as const;
  lab.mobile.changeLink('wlan', { uplink: { ...uplink, loss }, downlink });
  lab.mobile.setAccess('wlan', true);
  lab.network.simulation.runFor(12_000);
  assert.equal(lab.mobile.machine.status().accesses.find(({ isCurrent }) => isCurrent)?.name, 'wlan');
  lab.mobile.changeLink('wlan', { uplink, downlink });
  lab.network.simulation.runFor(12_000);
  const call = new MipSipCall(lab);
  assert.deepEqual([call.peerSendsTo, call.registered], [home, [home]]);
});

test('MIP-SIP: all accesses behind address translation die one after the other; the call is on the last', () => {
  const call = new MipSipCall({ behindNat: everyAccess, registration: 'home-agent', first: 'umts' });
  for (const access of ['umts', 'wlan', 'wimax']) {
    const messages = call.during(() => call.lab.mobile.setAccess(access, false));
    assert.ok(!messages.some((message) => message.startsWith('INVITE')));
  }
  assert.deepEqual([call.peerSendsTo, call.registered], [home, [home]]);
  call.assertReachable();
});

test('MIP-SIP: a node that stops behind address translation ends its calls and registrations before its tunnel', () => {
  for (const registration of ['home-agent', 'mobile-node'] as const) {
    const call = new MipSipCall({ behindNat: everyAccess, registration, first: 'umts' });
    const messages = call.during(() => call.lab.mobile.stop());
    assert.ok(call.peer.events.some(({ type }) => type === 'session-ended'));
    const [bye, end] = ['BYE: mn > sip-server', 'RRQ 10.1.0.2 lifetime 0: mn > home-agent'];
    assert.deepEqual(
      messages.filter((message) => message === bye || message === end),
      [bye, end],
    );
    assert.deepEqual([call.registered, call.lab.homeAgent.bindings], [[], 0]);
    assert.ok(call.lab.mobile.machine.isStopped);
  }
});

/** What leaves first does so at the same instant; the rest takes two ways at once, and whichever is shorter is ahead. */
function assertFigure2(messages: readonly string[], careOfAddress: string): void {
  const first = [`RRQ ${careOfAddress}: mn > home-agent`, 'INVITE: mn > cn'];
  assert.deepEqual(messages.slice(0, 2), first);
  assert.deepEqual(messages.slice(2).toSorted(), [
    '200 OK: cn > mn',
    '200 OK: sip-server > home-agent',
    '200 OK: sip-server > home-agent',
    'ACK: mn > cn',
    'REGISTER: home-agent > sip-server',
    'REGISTER: home-agent > sip-server',
    'RRP 0: home-agent > mn',
  ]);
}

function profileOf(access: string): AccessProfile {
  const { accesses } = loadScenario('mip-nat');
  return accesses.find(({ name }) => name === access)?.profile ?? assert.fail();
}
