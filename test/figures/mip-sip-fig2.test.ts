/**
 * MIP–SIP fig. 2 in virtual time: what is signalled at a handover, message for message. BU and BAck of the paper are Mobile IP's Registration
 * Request (RRQ) and Reply (RRP). The re-INVITE goes to the peer itself and at the same moment as the binding update; the home agent's
 * REGISTER follows the binding.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessProfile } from '../../src/access-network/access-profiles.ts';
import { ladderArrows } from '../../src/observation/message-ladder.ts';
import { labLadder } from '../../src/testbed/lab-ladder.ts';
import { correspondentIdentity } from '../../src/testbed/lab-users.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import type { MobileIpSettings } from '../../src/testbed/scenario.ts';
import { VirtualMipSipLab } from '../../src/testbed/virtual-mip-sip-lab.ts';

const audio = { media: 'audio', transport: 'udp', port: 40_000, formats: ['8'] } as const;

/** Every message of a handover from one access to another, in the order in which they were sent. */
function handover(registration: MobileIpSettings['registration'], from: string, to: string): string[] {
  const scenario = loadScenario('mip-sip-fifty');
  const lab = new VirtualMipSipLab({
    scenario: {
      ...scenario,
      accesses: scenario.accesses.map((access) => ({ ...access, profile: steady(access.profile) })),
      policy: { kind: 'preference', order: [from] },
      mobileIp: { ...scenario.mobileIp, registration },
    },
  });
  const run = (ms: number): void => lab.network.simulation.runFor(ms);
  const peer = lab.addTerminal('cn', 'cn', 5060, { media: [audio], ringMs: 0 });
  for (const { name } of scenario.accesses) lab.mobile.setAccess(name, true);
  run(5000);
  const phone = lab.addTerminal('mn', 'session-call', 6000, { media: [audio], ringMs: 0 });
  phone.perform((now) => void phone.terminal.placeCall(correspondentIdentity, now));
  run(5000);
  assert.ok(
    peer.events.some(({ type }) => type === 'session-established'),
    'the call is there',
  );
  const before = lab.network.trace.length;
  lab.mobile.requestHandover(to);
  run(3000);
  const { entries, options } = labLadder(lab.network.trace.slice(before));
  assert.ok(ladderArrows(entries, options).every(({ isLost }) => !isLost));
  return ladderArrows(entries, options).map(
    ({ from: sender, to: receiver, label }) => `${label}: ${sender} > ${receiver}`,
  );
}

/** Without jitter, which would decide whether the peer or the home agent is the first to go on. */
function steady(profile: AccessProfile): AccessProfile {
  const { uplink, downlink } = profile;
  return { ...profile, uplink: { ...uplink, jitterMs: 0 }, downlink: { ...downlink, jitterMs: 0 } };
}

test('MIP-SIP fig. 2: the binding update and the re-INVITE to the peer, then the home agent registers the new care-of address', () => {
  assert.deepEqual(handover('home-agent', 'umts', 'wlan'), [
    'RRQ 10.2.0.2: mn > home-agent',
    'INVITE: mn > cn',
    'RRP 0: home-agent > mn',
    'REGISTER: home-agent > sip-server',
    '200 OK: cn > mn',
    '200 OK: sip-server > home-agent',
    'ACK: mn > cn',
    // The care-of address that was left.
    'REGISTER: home-agent > sip-server',
    '200 OK: sip-server > home-agent',
  ]);
});

test('MIP-SIP fig. 2: the same messages whichever accesses they are, only their order depends on who is nearer', () => {
  for (const [from, to, address] of [
    ['wlan', 'umts', '10.1.0.2'],
    ['wimax', 'cdma', '10.4.0.2'],
    ['cdma', 'wimax', '10.3.0.2'],
  ] as const) {
    const messages = handover('home-agent', from, to);
    assert.deepEqual(messages.slice(0, 2), [`RRQ ${address}: mn > home-agent`, 'INVITE: mn > cn']);
    assert.deepEqual(messages.toSorted(), [
      '200 OK: cn > mn',
      '200 OK: sip-server > home-agent',
      '200 OK: sip-server > home-agent',
      'ACK: mn > cn',
      'INVITE: mn > cn',
      'REGISTER: home-agent > sip-server',
      'REGISTER: home-agent > sip-server',
      'RRP 0: home-agent > mn',
      `RRQ ${address}: mn > home-agent`,
    ]);
  }
});

test('MIP-SIP fig. 2 with a mobile node that registers by itself', () => {
  assert.deepEqual(handover('mobile-node', 'umts', 'wlan'), [
    'RRQ 10.2.0.2: mn > home-agent',
    'REGISTER: mn > sip-server',
    'RRP 0: home-agent > mn',
    '200 OK: sip-server > mn',
    'INVITE: mn > cn',
    '200 OK: cn > mn',
    'ACK: mn > cn',
    'REGISTER: mn > sip-server',
    '200 OK: sip-server > mn',
  ]);
});
