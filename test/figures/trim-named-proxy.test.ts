/** A mobile node that knows the P-CSCFs of its accesses by name (RFC 3263): it asks the DNS at each attachment, and again until that knows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsRecord } from '../../src/base/network.ts';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { TrimCall } from './trim-call.ts';

const server = (target: string): DnsRecord => ({ type: 'srv', target, port: 5060, priority: 1, weight: 1 });

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
