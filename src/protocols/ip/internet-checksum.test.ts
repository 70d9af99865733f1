import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checksumOf, onesComplementSum, onesComplementSumAt, updatedChecksum } from './internet-checksum.ts';

test('onesComplementSum: gives the sum of the example in RFC 1071 §3', () => {
  const octets = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(onesComplementSum(octets), 0xddf2);
  assert.equal(onesComplementSum(Uint8Array.of(0x12)), 0x1200);
});

test('updatedChecksum: gives the value of the example in RFC 1624 §4', () => {
  assert.equal(updatedChecksum(0xdd2f, Uint8Array.of(0x55, 0x55), Uint8Array.of(0x32, 0x85)), 0x0000);
});

test('updatedChecksum: agrees with summing everything anew', () => {
  const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(octets(20), octets(8), fc.nat({ max: 6 }), (packet, after, word) => {
      const at = 2 * word;
      const checksum = checksumOf(onesComplementSum(packet));
      const changed = packet.slice();
      changed.set(after, at);
      const updated = updatedChecksum(checksum, packet.subarray(at, at + 8), after);
      // 0 and 0xffff are the same number in ones' complement.
      assert.equal(updated % 0xffff, checksumOf(onesComplementSum(changed)) % 0xffff);
    }),
    { seed: 1, numRuns: 1000 },
  );
});

test('onesComplementSumAt: gives the same sum from any offset and of any length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(199), (octets, offset) => {
      const at = Math.min(offset, octets.length);
      const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
      const sum = onesComplementSumAt(view, at, octets.length - at);
      assert.equal(sum % 0xffff, onesComplementSum(octets.subarray(at)) % 0xffff);
    }),
    { seed: 1071 },
  );
});
