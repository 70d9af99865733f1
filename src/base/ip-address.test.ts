import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalIpAddress, formatIpAddress, ipFamilyOf, parseIpAddress } from './ip-address.ts';

test('formatIpAddress: writes IPv6 as RFC 5952 wants it', () => {
  const canonical = (text: string) => formatIpAddress(parseIpAddress(text) ?? assert.fail(text));
  assert.equal(canonical('2001:0DB8:0:0:0:0:0:1'), '2001:db8::1');
  assert.equal(canonical('2001:db8:0:0:1:0:0:1'), '2001:db8::1:0:0:1');
  assert.equal(canonical('2001:db8:0:1:1:1:1:1'), '2001:db8:0:1:1:1:1:1');
  assert.equal(canonical('::ffff:192.0.2.1'), '::ffff:c000:201');
  assert.equal(canonical('::'), '::');
  assert.equal(canonical('fe80::'), 'fe80::');
  assert.equal(canonical('192.0.2.1'), '192.0.2.1');
});

test('parseIpAddress: refuses what is no address', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '::12345',
  ])
    assert.equal(parseIpAddress(text), undefined, text);
  assert.equal(parseIpAddress('1:2:3:4:5:6:7:8::'), undefined);
  assert.equal(ipFamilyOf('host.example'), undefined);
});

test('canonicalIpAddress: equal addresses are equal texts, and what is no address stays as it is', () => {
  assert.equal(canonicalIpAddress('2001:DB8:0:0::1'), '2001:db8::1');
  for (const text of ['192.0.2.1', 'host.example', '01.2.3.4', '2001:db8::1::', ''])
    assert.equal(canonicalIpAddress(text), text);
});

test('parseIpAddress: reads back every address that formatIpAddress writes', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc
      .array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((octets) => Uint8Array.from(octets)),
  );
  fc.assert(
    fc.property(octets, (address) => {
      const text = formatIpAddress(address);
      assert.equal(isIP(text), address.length === 4 ? 4 : 6);
      assert.equal(ipFamilyOf(text), address.length === 4 ? 4 : 6);
      assert.deepEqual(parseIpAddress(text), address);
    }),
    { seed: 1 },
  );
});

test('parseIpAddress: accepts what the operating system accepts, on any text near an address', () => {
  const piece = fc.constantFrom(':', '::', '0', '1', 'ffff', '10000', '.', '1.2.3.4', 'g');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      assert.equal(ipFamilyOf(text) ?? 0, isIP(text), text);
    }),
    { seed: 1, numRuns: 2000 },
  );
});
