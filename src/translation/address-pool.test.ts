import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressPool, type PortRequest } from './address-pool.ts';

const udp: PortRequest = { family: 4, protocol: 'udp', count: 1 };
const pair: PortRequest = { ...udp, count: 2 };

test('AddressPool: a returned port is given again only after all others', () => {
  const pool = new AddressPool({ addresses: ['192.0.2.1'], firstPort: 10, lastPort: 13 });
  const first = pool.allocate(udp) ?? assert.fail();
  pool.release('udp', first, 1);
  const ports = [1, 2, 3, 4].map(() => pool.allocate(udp)?.port);
  assert.deepEqual([first.port, ...ports], [10, 11, 12, 13, 10]);
  assert.equal(pool.allocate(udp), undefined);
});

test('AddressPool: a pair is an even port and the next, and UDP and TCP ports are apart', () => {
  const pool = new AddressPool({ addresses: ['192.0.2.1'], firstPort: 11, lastPort: 16 });
  assert.equal(pool.allocate(pair)?.port, 12);
  assert.equal(pool.allocate(udp)?.port, 14);
  assert.equal(pool.allocate(pair), undefined);
  assert.equal(pool.allocate({ ...pair, protocol: 'tcp' })?.port, 12);
  assert.equal(pool.taken, 5);
});

test('AddressPool: a given port can be claimed once, and only of its own', () => {
  const pool = new AddressPool({ addresses: ['192.0.2.1'], firstPort: 10, lastPort: 11 });
  assert.equal(pool.claim('udp', { address: '192.0.2.1', port: 10 }), true);
  assert.equal(pool.claim('udp', { address: '192.0.2.1', port: 10 }), false);
  assert.equal(pool.claim('udp', { address: '192.0.2.1', port: 12 }), false);
  assert.equal(pool.claim('udp', { address: '192.0.2.9', port: 11 }), false);
  assert.equal(pool.allocate(udp)?.port, 11);
});

test('AddressPool: takes the emptiest address of the family that suits', () => {
  const pool = new AddressPool({
    addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
    firstPort: 10,
    lastPort: 99,
  });
  assert.deepEqual([1, 2].map(() => pool.allocate(udp)?.address).sort(), ['192.0.2.1', '192.0.2.2']);
  assert.equal(pool.allocate({ ...udp, suits: (address) => address === '192.0.2.2' })?.address, '192.0.2.2');
  assert.equal(pool.allocate({ ...udp, family: 6 })?.address, '2001:db8::1');
  assert.equal(pool.allocate({ ...udp, suits: () => false }), undefined);
});

test('AddressPool: never gives a port twice and never loses one', () => {
  const step = fc.record({ count: fc.constantFrom<1 | 2>(1, 2), giveBack: fc.nat({ max: 20 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new AddressPool({ addresses: ['192.0.2.1', '192.0.2.2'], firstPort: 3, lastPort: 12 });
      const held: { address: string; port: number; count: 1 | 2 }[] = [];
      for (const { count, giveBack } of steps) {
        const given = pool.allocate({ ...udp, count });
        if (given) held.push({ ...given, count });
        const names = held.flatMap((h) =>
          Array.from({ length: h.count }, (_, i) => `${h.address}:${h.port + i}`),
        );
        assert.equal(new Set(names).size, names.length);
        assert.equal(pool.taken, names.length);
        const [returned] = held.splice(giveBack, 1);
        if (returned) pool.release('udp', returned, returned.count);
      }
    }),
    { seed: 1 },
  );
});
