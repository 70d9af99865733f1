/** A mobile node that knows the P-CSCFs of its accesses by name (RFC 3263): it asks the DNS at each attachment, and again until that knows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsRecord } from '../../src/base/network.ts';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { TrimCall } from './trim-call.ts';

const server = (target: string, priority = 1): DnsRecord => ({
  type: 'srv',
  target,
  port: 5060,
  priority,
  weight: 1,
});

/** One name for two P-CSCFs. */
function zoneOf(first: string, second: string): ReadonlyMap<string, readonly DnsRecord[]> {
  return new Map<string, readonly DnsRecord[]>([
    ['srv _sip._udp.pcscf-1.ims.test', [server('two.ims.test', 2), server('one.ims.test', 1)]],
    ['a one.ims.test', [{ type: 'a', address: first }]],
    ['a two.ims.test', [{ type: 'a', address: second }]],
  ]);
}

test('TRIM: P-CSCFs by name: registered, called, handed over from one to the other', () => {
  const zone = new Map<string, readonly DnsRecord[]>([
    ['srv _sip._udp.pcscf-1.ims.test', [server('one.ims.test')]],
    ['a one.ims.test', [{ type: 'a', address: labAddresses.proxyCscf }]],
    ['a pcscf-2.ims.test', [{ type: 'a', address: labAddresses.secondProxyCscf }]],
  ]);
  const call = new TrimCall({ proxyCscfs: 'per-access', zone });
  call.establish();
  call.handOver('wlan');
  const moved = call.mobileNodeEvents.find(({ type }) => type === 'session-moved');
  assert.ok(moved?.type === 'session-moved' && moved.method === 'INVITE with Replaces');
  call.run(1000);
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  call.hangUp('correspondent');
  call.run(5000);
  call.assertNothingLeft();
});

test('TRIM: a P-CSCF that the DNS does not know yet: the access waits for it; one that was known stays where it was', () => {
  const zone = new Map<string, readonly DnsRecord[]>();
  const call = new TrimCall({ proxyCscfs: 'shared', zone });
  const failed = call.mobileNodeEvents.filter(({ type }) => type === 'access-failed');
  assert.deepEqual(failed, [
    { type: 'access-failed', access: '3g', reason: 'the DNS does not know its P-CSCF' },
  ]);
  assert.equal(
    call.lab.mobile.machine.status().accesses.some(({ isReady }) => isReady),
    false,
  );
  zone.set('a pcscf-1.ims.test', [{ type: 'a', address: labAddresses.proxyCscf }]);
  call.run(11_000);
  call.establish();
  zone.clear();
  call.lab.mobile.setAccess('3g', false);
  call.run(300);
  call.lab.mobile.setAccess('3g', true);
  call.run(2000);
  assert.deepEqual(
    call.lab.mobile.machine.status().sessions.map(({ access }) => access),
    ['3g'],
  );
  call.hangUp('phone');
  call.run(5000);
  call.assertNothingLeft();
});

test('TRIM: the first P-CSCF of a name is silent: the node registers with the next, and calls', () => {
  const nobody = '10.10.0.99';
  const call = new TrimCall({ proxyCscfs: 'shared', zone: zoneOf(nobody, labAddresses.proxyCscf) });
  // Timer F.
  call.run(32_000);
  assert.deepEqual(
    call.mobileNodeEvents.flatMap((event) => (event.type === 'registration-failed' ? event.statusCode : [])),
    [408],
  );
  call.establish();
  assert.ok(call.isRegistered);
  call.hangUp('phone');
  call.run(5000);
  call.assertNothingLeft();
});

test('TRIM: all P-CSCFs of a name are silent: the handover fails, and is tried again from the first on', () => {
  const call = new TrimCall({ proxyCscfs: 'shared', zone: zoneOf('10.10.0.98', '10.10.0.99') });
  const before = call.lab.trace.length;
  call.run(200_000);
  const asked = call.lab.trace
    .slice(before)
    .flatMap(({ node, summary, to }) => (node === 'mn' && summary.startsWith('REGISTER') ? [to] : []));
  assert.deepEqual(new Set(asked), new Set(['10.10.0.98:5060', '10.10.0.99:5060']));
  const failed = call.mobileNodeEvents.filter(({ type }) => type === 'handover-failed');
  assert.ok(failed.length >= 1);
});

test('TRIM: the P-CSCF of a name dies in mid-call: the node registers with the next, and takes the session there', () => {
  const { proxyCscf, secondProxyCscf } = labAddresses;
  const zone = new Map([
    ...zoneOf(secondProxyCscf, proxyCscf),
    ['a pcscf-2.ims.test', [{ type: 'a', address: secondProxyCscf } as const]] as const,
  ]);
  const call = new TrimCall({ proxyCscfs: 'per-access', zone });
  call.establish();
  call.run(1000);
  call.lab.host('p-cscf-2').kill();
  // The next keep-alive of the flow is not answered, and then neither is the REGISTER (RFC 5626 §4.4, Timer F).
  call.run(180_000);
  const moved = call.mobileNodeEvents.filter(({ type }) => type === 'session-moved');
  assert.deepEqual(
    moved.map((event) => event.type === 'session-moved' && [event.access, event.method]),
    [['3g', 'INVITE with Replaces']],
  );
  assert.deepEqual(call.drainMedia(), { toPhone: 0, toCorrespondent: 0 });
  call.hangUp('correspondent');
  call.run(5000);
  call.assertNothingLeft();
});
