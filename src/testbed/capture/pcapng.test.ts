import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pcapngHeader, pcapngPacket } from './pcapng.ts';

test('pcapngHeader: section of unknown length and an Ethernet interface with name and nanoseconds', () => {
  assert.equal(
    hex(pcapngHeader(['eth0'])),
    [
      '0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000',
      '01000000280000000100000000000000020004006574683009000100090000000000000028000000',
    ].join(''),
  );
});

test('pcapngPacket: time in two halves, both lengths, data padded to four octets', () => {
  // 4,295 ms are 2^32 + 32,704 nanoseconds.
  assert.equal(
    hex(pcapngPacket(1, 4295, Uint8Array.of(1, 2, 3), 60)),
    '06000000240000000100000001000000c07f0000030000003c0000000102030024000000',
  );
});

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
