/**
 * An access that has IPv6 alone, in a call over IPv4. The node registers there and offers its media there; the application server asks its
 * translator for an IPv6 address that stands for the correspondent, tells the node of it ahead of the 200 (as in TRIM fig. 6 with
 * preconditions), and packets change from one version of IP to the other at the home network's translator and at the node's own. Phone and
 * correspondent notice nothing. Where the translator has no IPv6 address the application server says so (488 with warning 301, RFC 3261 §20.43).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { perfectLink } from '../../src/access-network/link-characteristics.ts';
import { mobileIdentity } from '../../src/testbed/lab-users.ts';
import { audio as audioLines, ChangeableCall, description, video } from './changeable-call.ts';
import { RtpParty } from './rtp-party.ts';
import { audio, ipv6WlanAccesses, TrimCall, type TrimCallOptions } from './trim-call.ts';

const common = { proxyCscfs: 'per-access', accesses: ipv6WlanAccesses } as const;

for (const withReservation of [false, true])
  for (const originator of ['mobile node', 'correspondent'] as const) {
    const form = `${originator} calls, ${withReservation ? 'preconditions' : 'no preconditions'}`;
    test(`TRIM: a call goes from IPv4 to IPv6 and back, ten times, and nothing is lost (${form})`, () => {
      const call = establishedCall({ withReservation, originator });
      const before = call.lab.trace.length;
      const packets = call.captureMedia();
      for (let count = 0; count < 10; count++) {
        const access = count % 2 === 0 ? 'wlan' : '3g';
        const from = packets.length;
        call.handOver(access);
        call.run(1000);
        assert.equal(carrierOf(call), access);
        assert.ok(
          packets.slice(from).some(({ path }) => path === (access === 'wlan' ? 'm6 > y6' : 'm1 > y:b')),
          'the uplink is there',
        );
      }
      assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
      assert.deepEqual([call.phoneAudio.remotes.length, call.correspondentAudio.remotes.length], [1, 1]);
      assert.deepEqual(heardByBoth(call, before), []);
      call.hangUp('correspondent');
      call.run(5000);
      call.assertNothingLeft();
    });
  }

for (const withReservation of [false, true])
  test(`TRIM: a move to an access with IPv6, message for message (${withReservation ? 'preconditions' : 'no preconditions'})`, () => {
    const call = establishedCall({ withReservation });
    const before = call.lab.trace.length;
    call.handOver('wlan');
    call.run(1000);
    const state = (local: string, remote: string) =>
      withReservation ? ` local ${local}, remote ${remote}` : '';
    assert.deepEqual(
      call.journeys(before, (summary) => !/^100 |\b(?:REGISTER|SUBSCRIBE|NOTIFY)\b/.test(summary)),
      [
        `INVITE: mn (m6${state('none', 'none')}) > p-cscf-2 > s-cscf > trim-as`,
        'NCR: trim-as > translator',
        'NCA 2001: translator > trim-as',
        `183 Session Progress: trim-as (y6${state('sendrecv', 'none')}) > s-cscf > p-cscf-2 > mn`,
        'PRACK: mn > p-cscf-2 > s-cscf > trim-as',
        '200 OK (PRACK): trim-as > s-cscf > p-cscf-2 > mn',
        `UPDATE: mn (m6${state('sendrecv', 'sendrecv')}) > p-cscf-2 > s-cscf > trim-as`,
        'NCR: trim-as > translator',
        'NCA 2001: translator > trim-as',
        `200 OK (UPDATE): trim-as (y6${state('sendrecv', 'sendrecv')}) > s-cscf > p-cscf-2 > mn`,
        '200 OK: trim-as > s-cscf > p-cscf-2 > mn',
        'BYE: trim-as > s-cscf > p-cscf > mn',
        'ACK: mn > p-cscf-2 > s-cscf > trim-as',
        '200 OK (BYE): mn > p-cscf > s-cscf > trim-as',
      ],
    );
    call.hangUp('phone');
    call.run(5000);
    call.assertNothingLeft();
  });

for (const withReservation of [false, true])
  for (const originator of ['mobile node', 'correspondent'] as const) {
    const form = `${originator} calls, ${withReservation ? 'preconditions' : 'no preconditions'}`;
    test(`TRIM: a call is set up from an access with IPv6, goes to IPv4 and back, and nothing is lost (${form})`, () => {
      const call = establishedCall({ withReservation, originator, startsOver: 'wlan' });
      call.lab.mobile.setAccess('3g', true);
      call.run(500);
      const before = call.lab.trace.length;
      const packets = call.captureMedia();
      for (const access of ['3g', 'wlan', '3g', 'wlan']) {
        const from = packets.length;
        call.handOver(access);
        call.run(1000);
        assert.equal(carrierOf(call), access);
        assert.ok(
          packets.slice(from).some(({ path }) => path.startsWith(access === 'wlan' ? 'm6 > ' : 'm1 > ')),
        );
      }
      assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
      assert.deepEqual([call.phoneAudio.remotes.length, call.correspondentAudio.remotes.length], [1, 1]);
      assert.deepEqual(heardByBoth(call, before), []);
      assert.ok(
        call.lab.trace.every(
          ({ node, details }) => node !== 'phone' || !/IP6|2001:/.test(String(details['media'])),
        ),
      );
      call.hangUp('correspondent');
      call.run(5000);
      call.assertNothingLeft();
    });
  }

/** Who is offered the version of IP that he has not says so, and is offered the other one; his caller hears nothing of it. */
const setUps = {
  'mobile node': [
    'INVITE: phone (i) > mn (m6) > p-cscf-2 > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as ([2001:db8:f::1]:20000) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    '488 Not Acceptable Here: cn > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    ...['ACK: p-cscf > cn', 'ACK: s-cscf > p-cscf', 'ACK: i-cscf > s-cscf > i-cscf', 'ACK: trim-as > s-cscf'],
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as (x:a) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '180 Ringing: cn > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    '180 Ringing: trim-as > s-cscf > p-cscf-2 > mn > phone',
    '200 OK: cn (c) > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '200 OK: trim-as ([2001:db8:f::1]:20004) > s-cscf > p-cscf-2 > mn (10.64.0.2:20004) > phone',
    'ACK: phone > mn > p-cscf-2 > s-cscf > trim-as',
    'ACK: trim-as > s-cscf > p-cscf > cn',
  ],
  correspondent: [
    'INVITE: cn (c) > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as (y:b) > s-cscf > p-cscf-2 > mn',
    '488 Not Acceptable Here: mn > p-cscf-2 > s-cscf > trim-as',
    ...['ACK: p-cscf-2 > mn', 'ACK: s-cscf > p-cscf-2', 'ACK: trim-as > s-cscf'],
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as ([2001:db8:f::1]:20000) > s-cscf > p-cscf-2 > mn (10.64.0.2:20000) > phone',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '180 Ringing: phone > mn > p-cscf-2 > s-cscf > trim-as',
    '180 Ringing: trim-as > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    '200 OK: phone (i) > mn (m6) > p-cscf-2 > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '200 OK: trim-as (198.51.100.1:20002) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    'ACK: cn > p-cscf > s-cscf > trim-as',
    'ACK: trim-as > s-cscf > p-cscf-2 > mn > phone',
  ],
} as const;
for (const originator of ['mobile node', 'correspondent'] as const)
  test(`TRIM: a call between IPv6 and IPv4 is set up, message for message (${originator} calls)`, () => {
    const call = new TrimCall({ ...common, originator, startsOver: 'wlan' });
    const before = call.lab.trace.length;
    call.establish();
    call.run(500);
    const journeys = call.journeys(before).map((text) => text.replace('(y6)', '([2001:db8:f::1]:20000)'));
    assert.deepEqual(journeys, setUps[originator]);
    assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    call.hangUp('phone');
    call.run(5000);
    call.assertNothingLeft();
  });

for (const originator of ['mobile node', 'correspondent'] as const)
  test(`TRIM: a call between IPv6 and IPv4 is refused where the translator has no IPv6 address (${originator} calls)`, () => {
    const call = new TrimCall({ ...common, originator, startsOver: 'wlan', isTranslatorIpv4Only: true });
    call.dial();
    call.run(5000);
    const caller = originator === 'mobile node' ? call.phone : call.correspondent;
    const ended = caller.events.find(({ type }) => type === 'session-ended');
    // From the mobile node: the S-CSCF goes on without an application server that has no translator.
    assert.equal(ended?.type === 'session-ended' && ended.statusCode, 488);
    call.assertNothingLeft();
  });

test('TRIM: a caller who gives up while the other version of IP is being asked for hears of the end, and nothing is left', () => {
  for (let afterMs = 0; afterMs <= 120; afterMs += 3) {
    const call = new TrimCall({ ...common, originator: 'correspondent', startsOver: 'wlan', ringMs: 3000 });
    call.lab.translationDelayMs = 20;
    let dialled = 0;
    const { perform, terminal } = call.correspondent;
    perform((now) => {
      dialled = terminal.placeCall(mobileIdentity, now);
    });
    call.run(afterMs);
    perform((now) => terminal.hangUp(dialled, now));
    call.run(40_000);
    assert.equal(call.whatIsLeft(), undefined, `after ${afterMs} ms`);
  }
});

test('TRIM: the access with IPv4 dies in a call: the call goes on over IPv6, and back when that dies too', () => {
  const call = establishedCall({});
  for (const [dead, living] of [
    ['3g', 'wlan'],
    ['wlan', '3g'],
  ] as const) {
    call.lab.mobile.setAccess(dead, false);
    call.lab.mobile.setAccess(living, true);
    assert.ok(
      call.runUntil(() => carrierOf(call) === living, 5000),
      living,
    );
    const heard = [call.phoneAudio.received, call.correspondentAudio.received];
    call.run(1000);
    const more = [call.phoneAudio.received - heard[0]!, call.correspondentAudio.received - heard[1]!];
    assert.ok(
      more.every((packets) => packets >= 48),
      `RTP over ${living}: ${more}`,
    );
  }
  assert.deepEqual([call.phoneAudio.remotes.length, call.correspondentAudio.remotes.length], [1, 1]);
  call.hangUp('correspondent');
  call.run(5000);
  call.assertNothingLeft();
});

test('TRIM: nobody else gets into a stream that changes to IPv6, on either side', () => {
  const call = establishedCall({});
  call.handOver('wlan');
  call.run(1000);
  const stranger = call.lab.network.addHost('stranger');
  const link = stranger.attach('eth0', { uplink: perfectLink, downlink: perfectLink });
  const own = { address: '2001:db8:bad::1', port: 20_000 };
  stranger.addAddress(own.address, link);
  const sender = new RtpParty(own);
  const process = stranger.run<never, never, never>({ machine: sender, name: 'stranger' });
  process.perform(() => sender.listen());
  for (const [address, port] of [
    ['2001:db8:2::2', audio.port],
    ['2001:db8:f::1', 20_000],
  ] as const) {
    process.perform((now) => sender.sendTo({ address, port }, now));
    call.run(500);
  }
  process.perform(() => sender.stop());
  assert.ok(sender.sent >= 50);
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  assert.deepEqual([call.phoneAudio.remotes.length, call.correspondentAudio.remotes.length], [1, 1]);
});

test('TRIM: a stream that is added over IPv6 is told to the phone at an address of its own version', () => {
  for (const side of ['phone', 'correspondent'] as const) {
    const call = new ChangeableCall({ withReservation: false, ...common });
    call.lab.mobile.setAccess('wlan', true);
    call.run(2000);
    assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, 'wlan');
    call.change(side, [audioLines(), video()], [audioLines(), video(40_020)]);
    call.run(1000);
    const [phone, correspondent] = [call.phone.heard.at(-1) ?? '', call.correspondent.heard.at(-1) ?? ''];
    assert.match(
      phone,
      /c=IN IP4 198\.51\.100\.2\r\n[\s\S]*m=audio 20000 [\s\S]*m=video 2\d+ [\s\S]*c=IN IP4 10\.64\.0\.2\r\n/,
    );
    assert.match(correspondent, /c=IN IP4 198\.51\.100\.1\r\n[\s\S]*m=video 2\d+ /);
    assert.doesNotMatch(phone + correspondent, /IP6/);
    call.lab.mobile.requestHandover('3g');
    call.run(2000);
    assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, '3g');
  }
});

for (const [reason, options] of [
  ['the translator has no IPv6 address', { isTranslatorIpv4Only: true }],
  [
    'the translator has no IPv6 address, with preconditions',
    { isTranslatorIpv4Only: true, withReservation: true },
  ],
  ['the node cannot translate', { joinsVersions: false }],
] as const)
  test(`TRIM: a call over IPv4 stays where it is when ${reason}`, () => {
    const call = establishedCall(options);
    const before = call.lab.trace.length;
    call.handOver('wlan');
    call.run(20_000);
    const failures = call.mobileNodeEvents.filter(({ type }) => type === 'session-move-failed');
    assert.deepEqual(
      failures.map((event) => event.type === 'session-move-failed' && [event.access, event.statusCode]),
      [['wlan', 488]],
      'once, and never again',
    );
    assert.deepEqual(heardByBoth(call, before), []);
    assert.equal(carrierOf(call), '3g');
    assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    call.hangUp('correspondent');
    call.run(5000);
    call.assertNothingLeft();
  });

test('TRIM: a correspondent who goes from IPv4 to IPv6 in a call is refused with 488 and warning 301, and the call stays', () => {
  const call = new ChangeableCall({ withReservation: false, proxyCscfs: 'shared' });
  const elsewhere = description('correspondent', audioLines()).replace(/c=.*/, 'c=IN IP6 2001:db8::9');
  const before = call.phone.heard.length;
  call.perform('correspondent', (now) => call.correspondent.change(elsewhere, now));
  call.run(1000);
  assert.equal(call.correspondent.statusCodes.at(-1), 488);
  assert.equal(call.phone.heard.length, before);
  call.change('correspondent', [audioLines(8, 'sendonly')], [audioLines(8, 'recvonly')]);
  call.run(1000);
  assert.equal(call.correspondent.statusCodes.at(-1), 200);
});

function heardByBoth(call: TrimCall, from: number): string[] {
  return call.lab.trace
    .slice(from)
    .filter(({ node }) => node === 'phone' || node === 'cn')
    .map(({ summary }) => summary);
}

function establishedCall(options: TrimCallOptions): TrimCall {
  const call = new TrimCall({ ...common, ...options });
  call.establish();
  call.run(500);
  return call;
}

function carrierOf(call: TrimCall): string | undefined {
  return call.lab.mobile.machine.status().sessions[0]?.access;
}
