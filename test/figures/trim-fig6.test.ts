/**
 * TRIM fig. 6 in virtual time: what is signalled when the mobile node moves to another access, message for message and hop for hop, with and
 * without preconditions, by re-INVITE (one P-CSCF) and by INVITE with Replaces (a second one); and the order of a handover (DESIGN §4).
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { correspondentIdentity } from '../../src/testbed/lab-users.ts';
import { audio, isEstablished, remoteOf, TrimCall, type TrimCallOptions } from './trim-call.ts';

/**
 * Everything from the new access on, until everybody is quiet, but for 100 and for who watches the registration (RFC 3680), which the figure
 * does not have and ims-core-registration-event.test.ts does.
 */
function handover(options: TrimCallOptions): string[] {
  const call = new TrimCall(options);
  call.establish();
  call.run(1000);
  const before = call.lab.trace.length;
  call.handOver('wlan');
  call.run(1000);
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  return call.journeys(before, (summary) => !/^100 |\b(?:SUBSCRIBE|NOTIFY)\b/.test(summary));
}

/** Registration over the new access, by way of that P-CSCF, with the nonce of the one before. */
function registration(proxyCscf: string): string[] {
  return [
    `REGISTER: mn > ${proxyCscf} > i-cscf > s-cscf`,
    `200 OK (REGISTER): s-cscf > i-cscf > ${proxyCscf} > mn`,
    'REGISTER: s-cscf > trim-as',
    '200 OK (REGISTER): trim-as > s-cscf',
  ];
}

const withPreconditions = (proxyCscf: string): string[] => [
  ...registration(proxyCscf),
  `INVITE: mn (m2 local none, remote none) > ${proxyCscf} > s-cscf > trim-as`,
  `183 Session Progress: trim-as (y:b local sendrecv, remote none) > s-cscf > ${proxyCscf} > mn`,
  `PRACK: mn > ${proxyCscf} > s-cscf > trim-as`,
  `200 OK (PRACK): trim-as > s-cscf > ${proxyCscf} > mn`,
  `UPDATE: mn (m2 local sendrecv, remote sendrecv) > ${proxyCscf} > s-cscf > trim-as`,
  'NCR: trim-as > translator',
  'NCA 2001: translator > trim-as',
  `200 OK (UPDATE): trim-as (y:b local sendrecv, remote sendrecv) > s-cscf > ${proxyCscf} > mn`,
  `200 OK: trim-as > s-cscf > ${proxyCscf} > mn`,
];

const withoutPreconditions = (proxyCscf: string): string[] => [
  ...registration(proxyCscf),
  `INVITE: mn (m2) > ${proxyCscf} > s-cscf > trim-as`,
  'NCR: trim-as > translator',
  'NCA 2001: translator > trim-as',
  `200 OK: trim-as (y:b) > s-cscf > ${proxyCscf} > mn`,
];

const byReinvite: readonly string[] = [
  'ACK: mn > p-cscf > s-cscf > trim-as',
  'REGISTER: mn > p-cscf > i-cscf > s-cscf',
  '200 OK (REGISTER): s-cscf > i-cscf > p-cscf > mn',
  'REGISTER: s-cscf > trim-as',
  '200 OK (REGISTER): trim-as > s-cscf',
];

/** The replaced dialog is ended over the old access, and the old contact removed there. */
const byReplaces: readonly string[] = [
  'BYE: trim-as > s-cscf > p-cscf > mn',
  'ACK: mn > p-cscf-2 > s-cscf > trim-as',
  'REGISTER: mn > p-cscf > i-cscf > s-cscf',
  '200 OK (BYE): mn > p-cscf > s-cscf > trim-as',
  '200 OK (REGISTER): s-cscf > i-cscf > p-cscf > mn',
  'REGISTER: s-cscf > trim-as',
  '200 OK (REGISTER): trim-as > s-cscf',
];

for (const originator of ['mobile node', 'correspondent'] as const) {
  test(`TRIM fig. 6 with preconditions, by re-INVITE: a call that the ${originator} made`, () => {
    const ladder = handover({ withReservation: true, proxyCscfs: 'shared', originator });
    assert.deepEqual(ladder, [...withPreconditions('p-cscf'), ...byReinvite]);
  });

  test(`TRIM fig. 6 with preconditions, by INVITE with Replaces: a call that the ${originator} made`, () => {
    const ladder = handover({ withReservation: true, proxyCscfs: 'per-access', originator });
    assert.deepEqual(ladder, [...withPreconditions('p-cscf-2'), ...byReplaces]);
  });

  test(`TRIM fig. 6 without preconditions, by re-INVITE: a call that the ${originator} made`, () => {
    const ladder = handover({ withReservation: false, proxyCscfs: 'shared', originator });
    assert.deepEqual(ladder, [...withoutPreconditions('p-cscf'), ...byReinvite]);
  });

  test(`TRIM fig. 6 without preconditions, by INVITE with Replaces: a call that the ${originator} made`, () => {
    const ladder = handover({ withReservation: false, proxyCscfs: 'per-access', originator });
    assert.deepEqual(ladder, [...withoutPreconditions('p-cscf-2'), ...byReplaces]);
  });
}

test('MobileNode keeps the order of a soft handover with two sessions: registered, both moved, uplinks, old contact, old access', () => {
  const call = new TrimCall({ withReservation: true });
  const second = { ...audio, port: 40_002 };
  const secondPhone = call.lab.addTerminal('mn', 'phone-2', 5064, { media: [second], ringMs: 0 });
  const secondAudio = call.addAudio('mn', second.port);
  call.establish();
  secondPhone.perform((now) => void secondPhone.terminal.placeCall(correspondentIdentity, now));
  assert.ok(call.runUntil(() => isEstablished(secondPhone.events), 5000));
  call.sendAudio(secondAudio, remoteOf(secondPhone.events));
  call.run(1000);
  const packets = call.captureMedia();
  const [events, entries] = [call.mobileNodeEvents.length, call.lab.trace.length];
  call.handOver('wlan');
  call.run(8000);
  const trace = call.lab.trace.slice(entries).filter(({ node }) => node === 'mn');
  const instants = (direction: 'sent' | 'received', summary: RegExp) =>
    trace.filter((entry) => entry.direction === direction && summary.test(entry.summary)).map(({ at }) => at);
  const registers = instants('sent', /^REGISTER/);
  const [registered] = instants('received', /\(REGISTER\)/);
  const invites = instants('sent', /^INVITE/);
  const answers = instants('received', /^200 OK \(INVITE\)/);
  const uplinks = ['10.2.0.2:40002', 'm2'].map(
    (source) => packets.find(({ path }) => path.startsWith(`${source} > `))?.at ?? Number.NaN,
  );
  assert.equal(registers.length, 2);
  assert.equal(invites.length, 2);
  assert.equal(answers.length, 2);
  assert.ok(registered! <= Math.min(...invites), 'registered before any session moves');
  assert.ok(Math.min(...uplinks) >= Math.min(...answers), 'no uplink moves before its 200');
  assert.ok(registers[1]! >= Math.max(...answers), 'the old contact goes after the last session');
  assert.deepEqual(
    call.mobileNodeEvents.slice(events).map(({ type }) => type),
    [
      'access-ready',
      'handover-started',
      'registered',
      'session-moved',
      'session-moved',
      'handover-completed',
      'deregistered',
      'access-released',
    ],
  );
  assert.equal(call.drainMedia().toPhone, 0);
  assert.equal(call.correspondentAudio.remotes.length, 2, 'one address per session');
});
