/**
 * What goes wrong around a TRIM session, one thing at a time, in virtual time: translators that die, come back or are full, a silent HSS, a
 * core that ends dialogs, single messages lost on the access. A clear error or a clean retry; what was up stays up, with the same addresses.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VirtualPacket } from '../../src/sim/virtual-packet.ts';
import { correspondentIdentity } from '../../src/testbed/lab-users.ts';
import { audio, isEstablished, remoteOf, TrimCall, type TrimCallOptions } from './trim-call.ts';

const translated = { phone: ['198.51.100.2:20000'], correspondent: ['198.51.100.1:20000'] };
const direct = { phone: ['203.0.113.2:40000'], correspondent: ['10.1.0.2:40000'] };

/** Both directions flow, and each side has only ever seen these addresses. */
function assertMedia(call: TrimCall, seen: typeof translated): void {
  const before = [call.phoneAudio.received, call.correspondentAudio.received];
  call.run(1000);
  assert.ok(call.phoneAudio.received - before[0]! >= 45, 'media to the phone');
  assert.ok(call.correspondentAudio.received - before[1]! >= 45, 'media to the correspondent');
  assert.deepEqual(call.phoneAudio.remotes, seen.phone);
  assert.deepEqual(call.correspondentAudio.remotes, seen.correspondent);
}

function assertUpOver(call: TrimCall, access: string): void {
  const sessions = call.lab.mobile.machine.status().sessions.map((session) => session.access);
  assert.deepEqual(sessions, [access]);
  assertMedia(call, translated);
}

function trimEvents(call: TrimCall): string[] {
  return call.lab.trimEvents.map(({ type }) => type);
}

/** A second call of the phone; where its media go. */
function secondCall(call: TrimCall): ReturnType<typeof remoteOf> {
  const before = call.phone.events.length;
  call.phone.perform((now) => void call.phone.terminal.placeCall(correspondentIdentity, now));
  assert.ok(call.runUntil(() => isEstablished(call.phone.events.slice(before)), 5000));
  return remoteOf(call.phone.events);
}

test('TrimApplicationServer without a translator refuses with 503, and the S-CSCF sets the call up without mobility', () => {
  const call = new TrimCall();
  call.lab.host('translator').kill();
  call.establish(60_000);
  assert.ok(trimEvents(call).includes('session-refused'));
  assertMedia(call, direct);
});

test('TrimApplicationServer whose translator has no address left refuses; the call is set up without mobility, the first one stays', () => {
  const call = new TrimCall({ translatorPorts: { first: 20_000, last: 20_001 } });
  call.establish();
  assert.deepEqual(secondCall(call), { address: '203.0.113.2', port: audio.port });
  assert.ok(trimEvents(call).includes('session-refused'));
  assertMedia(call, translated);
});

test('TrimApplicationServer takes the second translator when the first is full', () => {
  const call = new TrimCall({
    translatorPorts: { first: 20_000, last: 20_001 },
    hasSecondTranslator: true,
  });
  call.establish();
  assert.deepEqual(secondCall(call), { address: '192.0.2.11', port: 20_000 });
  assertMedia(call, translated);
});

test('TrimApplicationServer takes the second translator when the first has died, noticed or not', () => {
  for (const noticedAfterMs of [0, 120_000]) {
    const call = new TrimCall({ hasSecondTranslator: true });
    call.lab.host('translator').kill();
    call.run(noticedAfterMs);
    call.establish(60_000);
    assertMedia(call, { phone: ['192.0.2.11:20000'], correspondent: ['198.51.100.11:20000'] });
  }
});

test('TrimApplicationServer ends a call attempt cleanly when the translator dies between offer and answer', () => {
  const call = new TrimCall();
  call.dial();
  call.run(60);
  call.lab.host('translator').kill();
  call.run(120_000);
  assert.ok(call.phone.events.some(({ type }) => type === 'session-ended'));
  assert.equal(call.lab.trimApplicationServer.sessionCount, 0);
  assert.deepEqual(call.lab.mobile.machine.status().sessions, []);
});

for (const form of [
  { withReservation: false, proxyCscfs: 'shared' },
  { withReservation: true, proxyCscfs: 'per-access' },
] as const satisfies readonly TrimCallOptions[]) {
  const formText = form.withReservation ? 'preconditions, Replaces' : 're-INVITE';

  test(`TRIM: a translator that restarts gets the bindings of its sessions back, with the same addresses (${formText})`, () => {
    const call = new TrimCall(form);
    call.establish();
    call.run(500);
    call.lab.host('translator').kill();
    call.lab.startTranslator('translator');
    call.run(120_000);
    assertMedia(call, translated);
    call.handOver('wlan');
    call.run(100);
    assertUpOver(call, 'wlan');
    call.drainMedia();
    call.hangUp('phone');
    call.run(2000);
    call.assertNothingLeft();
  });

  test(`TRIM: a translator that dies in the middle of a handover leaves the session on the old access, until it is back (${formText})`, () => {
    const call = new TrimCall(form);
    call.establish();
    call.run(500);
    call.lab.mobile.setAccess('wlan', true);
    call.run(5);
    call.lab.host('translator').kill();
    call.run(60_000);
    assert.deepEqual(
      call.lab.mobile.machine.status().sessions.map(({ access }) => access),
      ['3g'],
    );
    assert.ok(trimEvents(call).includes('handover-failed'));
    call.lab.startTranslator('translator');
    call.run(120_000);
    assertUpOver(call, '3g');
  });

  test(`TRIM: a translator that answers after the node gave the handover up is told the old place again (${formText})`, () => {
    const call = new TrimCall(form);
    call.establish();
    call.run(500);
    call.lab.translationDelayMs = 400;
    call.lab.mobile.setAccess('wlan', true);
    call.run(60);
    call.lab.mobile.setAccess('wlan', false);
    call.run(20_000);
    assertUpOver(call, '3g');
  });

  test(`TRIM: a core without RFC 5626 that ends the old contact's dialogs loses nothing of the call (${formText})`, () => {
    const call = new TrimCall({
      ...form,
      registration: { supportsOutbound: false, contactWithoutRegId: 'replace' },
    });
    call.establish();
    call.run(500);
    const before = call.lab.trace.length;
    for (let count = 0; count < 4; count++) {
      call.handOver(count % 2 === 0 ? 'wlan' : '3g');
      call.run(2000);
    }
    const trace = call.lab.trace.slice(before);
    assert.ok(
      trace.some(({ node, summary }) => node === 's-cscf' && summary.startsWith('BYE')),
      'the core ended dialogs',
    );
    assert.deepEqual(
      trace.filter(({ node }) => node === 'phone' || node === 'cn'),
      [],
    );
    assertUpOver(call, '3g');
    assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    call.hangUp('correspondent');
    call.run(2000);
    call.assertNothingLeft();
  });

  for (const [what, isLost] of Object.entries({
    '200 to INVITE': (text: string) => /^SIP\/2\.0 200 /.test(text) && /\r\nCSeq: \d+ INVITE/.test(text),
    ACK: (text: string) => text.startsWith('ACK '),
    'response to REGISTER': (text: string) => /^SIP\/2\.0 /.test(text) && /\r\nCSeq: \d+ REGISTER/.test(text),
    INVITE: (text: string) => text.startsWith('INVITE '),
    ...(form.withReservation && {
      '183': (text: string) => text.startsWith('SIP/2.0 183'),
      PRACK: (text: string) => text.startsWith('PRACK '),
      '200 to PRACK': (text: string) => /^SIP\/2\.0 200 /.test(text) && /\r\nCSeq: \d+ PRACK/.test(text),
      UPDATE: (text: string) => text.startsWith('UPDATE '),
      '200 to UPDATE': (text: string) => /^SIP\/2\.0 200 /.test(text) && /\r\nCSeq: \d+ UPDATE/.test(text),
    }),
  }))
    test(`TRIM: a handover whose ${what} is lost three times comes to its end without loss (${formText})`, () => {
      let left = 0;
      const applies = (packet: VirtualPacket) => left > 0 && isLost(textOf(packet)) && left-- > 0;
      const call = new TrimCall({ ...form, faults: { loss: 1, applies } });
      call.establish();
      call.run(500);
      left = 3;
      call.handOver('wlan', 40_000);
      call.run(10_000);
      assert.equal(left, 0, 'messages were lost');
      assertUpOver(call, 'wlan');
      assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    });

  test(`TRIM: a call and its handovers go well when every message on the access comes twice (${formText})`, () => {
    const call = new TrimCall({ ...form, faults: { duplication: 1 } });
    call.establish();
    for (const access of ['wlan', '3g', 'wlan'] as const) {
      call.run(500);
      call.handOver(access);
    }
    call.run(1000);
    assertUpOver(call, 'wlan');
    assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    call.hangUp('phone');
    call.run(40_000);
    call.assertNothingLeft();
  });

  test(`TRIM: a node whose registration over the new access fails stays, and goes once it succeeds (${formText})`, () => {
    let isCut = false;
    const applies = (packet: VirtualPacket) => isCut && textOf(packet).startsWith('REGISTER ');
    const call = new TrimCall({ ...form, faults: { loss: 1, applies } });
    call.establish();
    isCut = true;
    call.lab.mobile.setAccess('wlan', true);
    call.run(50_000);
    assertUpOver(call, '3g');
    isCut = false;
    call.run(60_000);
    assertUpOver(call, 'wlan');
  });
}

test('TRIM: while the HSS is down, a handover fails at its registration and the call stays where it is', () => {
  const call = new TrimCall();
  call.establish();
  call.lab.host('hss').kill();
  call.handOver('wlan', 60_000);
  assert.equal(call.mobileNodeEvents.at(-1)?.type, 'handover-failed');
  assertUpOver(call, '3g');
});

test('TRIM: with a wrong password the mobile node is not registered and says why; calls are refused', () => {
  const call = new TrimCall({ mobileNodePassword: 'wrong' });
  assert.deepEqual(
    call.mobileNodeEvents.filter(({ type }) => type === 'registration-failed'),
    [{ type: 'registration-failed', access: '3g', statusCode: 403 }],
  );
  call.dial();
  call.run(1000);
  const end = call.phone.events.at(-1);
  assert.equal(end?.type === 'session-ended' && end.statusCode, 503);
});

test('TRIM: when the AS is down, the call is set up without mobility', () => {
  const call = new TrimCall();
  call.lab.host('trim-as').kill();
  call.establish(60_000);
  assertMedia(call, direct);
});

test('TRIM: an unreadable copy behind every datagram of a call and its handovers changes nothing', () => {
  const call = new TrimCall({ withReservation: true });
  const { network } = call.lab;
  const damages = [
    (octets: Uint8Array) => octets.subarray(0, 20),
    (octets: Uint8Array) => octets.map(() => 0),
    (octets: Uint8Array) => octets.map((octet) => octet ^ 0x80),
  ];
  let count = 0;
  network.onPacket = (packet) => {
    if (packet.content.protocol !== 'udp' || textOf(packet) === damaged) return;
    const payload = damages[count++ % damages.length]!(packet.content.payload);
    const copy = { ...packet, content: { protocol: 'udp', payload } } as const;
    network.simulation.schedule(0.1, () => {
      damaged = textOf(copy);
      network.forward(copy);
    });
  };
  let damaged = '';
  call.establish();
  for (const access of ['wlan', '3g', 'wlan'] as const) {
    call.run(300);
    call.handOver(access);
  }
  network.onPacket = undefined;
  assertUpOver(call, 'wlan');
  assert.ok(count > 200, 'copies were sent');
  call.hangUp('correspondent');
  call.run(2000);
  call.assertNothingLeft();
});

function textOf({ content }: VirtualPacket): string {
  return content.protocol === 'udp' ? String.fromCharCode(...content.payload.subarray(0, 1200)) : '';
}
