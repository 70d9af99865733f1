/**
 * An access that has IPv6 alone, in a call over IPv4. The node registers there and offers its media there; the application server, whose
 * translators work within one version of IP, says so (488 with warning 301, RFC 3261 §20.43). The call stays where it is, without loss, and
 * the node does not ask again; the correspondent, who may ask for the same, hears the same.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audio, ChangeableCall, description } from './changeable-call.ts';
import { TrimCall } from './trim-call.ts';

for (const withReservation of [false, true])
  test(`TRIM: a call over IPv4 stays when the node comes to an access with IPv6 alone (${withReservation ? 'preconditions' : 'no preconditions'})`, () => {
    const call = new TrimCall({ withReservation, proxyCscfs: 'per-access', isWlanIpv6: true });
    call.establish();
    call.run(500);
    const before = call.lab.trace.length;
    call.handOver('wlan');
    call.run(20_000);
    const failures = call.mobileNodeEvents.filter(({ type }) => type === 'session-move-failed');
    assert.deepEqual(
      failures.map((event) => event.type === 'session-move-failed' && [event.access, event.statusCode]),
      [['wlan', 488]],
    );
    const trace = call.lab.trace.slice(before);
    const offer = trace.find(({ node, summary }) => node === 'p-cscf-2' && summary.startsWith('INVITE'));
    assert.deepEqual(
      [offer?.from, offer?.to, offer?.details['media']?.split(' ')[0]],
      ['[2001:db8:2::2]:5060', '[2001:db8:a::14]:5060', '[2001:db8:2::2]:40000'],
      'signalling and media over IPv6',
    );
    assert.deepEqual(
      trace.filter(({ node }) => node === 'phone' || node === 'cn'),
      [],
    );
    assert.deepEqual(
      call.lab.mobile.machine.status().sessions.map(({ access }) => access),
      ['3g'],
    );
    assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
    call.hangUp('correspondent');
    call.run(5000);
    call.assertNothingLeft();
  });

test('TRIM: a correspondent who goes from IPv4 to IPv6 in a call is refused with 488 and warning 301, and the call stays', () => {
  const call = new ChangeableCall({ withReservation: false, proxyCscfs: 'shared' });
  const elsewhere = description('correspondent', audio()).replace(/c=.*/, 'c=IN IP6 2001:db8::9');
  const before = call.phone.heard.length;
  call.perform('correspondent', (now) => call.correspondent.change(elsewhere, now));
  call.run(1000);
  assert.equal(call.correspondent.statusCodes.at(-1), 488);
  assert.equal(call.phone.heard.length, before);
  call.change('correspondent', [audio(8, 'sendonly')], [audio(8, 'recvonly')]);
  call.run(1000);
  assert.equal(call.correspondent.statusCodes.at(-1), 200);
});
