import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../base/malformed.ts';
import { decodeRtpPacket, encodeRtpPacket } from './rtp-header.ts';

const header = fc.record(
  {
    payloadType: fc.nat(127),
    marker: fc.boolean(),
    sequenceNumber: fc.nat(0xffff),
    timestamp: fc.nat(0xffffffff),
    ssrc: fc.nat(0xffffffff),
    contributingSources: fc.array(fc.nat(0xffffffff), { maxLength: 15 }),
  },
  { noNullPrototype: true },
);

test('encodeRtpPacket: lays the fields out as in RFC 3550 §5.1', () => {
  const octets = encodeRtpPacket(
    {
      payloadType: 8,
      marker: true,
      sequenceNumber: 0x1234,
      timestamp: 160,
      ssrc: 0xdeadbeef,
      contributingSources: [7],
    },
    Uint8Array.of(0xd5),
  );
  assert.equal(Buffer.from(octets).toString('hex'), '81881234000000a0deadbeef00000007d5');
});

test('decodeRtpPacket: gives back what encodeRtpPacket was given', () => {
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 64 }), (header, payload) => {
      assert.deepEqual(decodeRtpPacket(encodeRtpPacket(header, payload)), { header, payload });
    }),
    { seed: 2 },
  );
});

test('decodeRtpPacket: skips an extension and takes the padding off', () => {
  const octets = Buffer.from('b0000001000000020000000300010001aabbccddee000002', 'hex');
  const packet = decodeRtpPacket(octets);
  assert.ok(!isMalformed(packet));
  assert.equal(Buffer.from(packet.payload).toString('hex'), 'ee00');
});

test('decodeRtpPacket: names the rule that short, old or overrunning packets break', () => {
  const fieldOf = (hex: string): string | undefined => {
    const packet = decodeRtpPacket(Buffer.from(hex, 'hex'));
    return isMalformed(packet) ? packet.field : undefined;
  };
  assert.equal(fieldOf('8000'), 'fixed header');
  assert.equal(fieldOf('40000001000000020000000300'), 'version');
  assert.equal(fieldOf('810000010000000200000003'), 'header');
  assert.equal(fieldOf('90000001000000020000000300000002ffffffff'), 'header');
  assert.equal(fieldOf('a00000010000000200000003ff02'), undefined);
  assert.equal(fieldOf('a00000010000000200000003ff03'), 'padding');
  assert.equal(fieldOf('a00000010000000200000003ff00'), 'padding');
});

test('decodeRtpPacket: never throws, whatever arrives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
      const packet = decodeRtpPacket(octets);
      assert.ok(isMalformed(packet) || packet.payload.length <= octets.length);
    }),
    { seed: 3 },
  );
});
