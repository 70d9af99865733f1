import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIpAddress } from '../../base/ip-address.ts';
import { isMalformed } from '../../base/malformed.ts';
import { checksumOf, onesComplementSum } from './internet-checksum.ts';
import { IpPacket } from './ip-packet.ts';

// 10.1.0.2:6000 > 198.51.100.2:30000, UDP, "hi", with its checksums.
const udp4 = octets('4500001e 00014000 40110696 0a010002 c6336402', '17707530 000ad697 6869');

test('IpPacket: reads addresses, ports and protocol of both families', () => {
  const packet = read(udp4);
  assert.deepEqual(
    [packet.family, packet.protocol, packet.source, packet.destination],
    [4, 17, '10.1.0.2', '198.51.100.2'],
  );
  assert.deepEqual([packet.port('source'), packet.port('destination')], [6000, 30000]);
  const six = read(octets(header6(17, 8), '17707530 00080000'));
  assert.deepEqual([six.family, six.source, six.destination], [6, '2001:db8::1', '2001:db8::2']);
  assert.equal(six.port('destination'), 30000);
});

test('IpPacket: passes over IPv6 extension headers, and knows that a later fragment has no ports', () => {
  const destinationOptions = '11000104 00000000';
  const behind = read(octets(header6(60, 16), destinationOptions, '17707530 00080000'));
  assert.deepEqual([behind.protocol, behind.transportOffset, behind.port('source')], [17, 48, 6000]);
  const first = read(octets(header6(44, 16), '11000001 00000007', '17707530 00080000'));
  assert.equal(first.hasPorts, true);
  const later = read(octets(header6(44, 16), '11000009 00000007', '17707530 00080000'));
  assert.deepEqual([later.protocol, later.hasPorts], [undefined, false]);
  const later4 = udp4.slice();
  later4[7] = 1;
  assert.deepEqual([read(later4).protocol, read(later4).hasPorts], [undefined, false]);
});

test('IpPacket: a UDP checksum of zero stays zero, and one that becomes zero is sent as 0xffff (RFC 768)', () => {
  const unsummed = udp4.slice();
  unsummed.fill(0, 26, 28);
  const packet = read(unsummed);
  packet.setPort('source', 1);
  assert.deepEqual([...packet.transport.subarray(6, 8)], [0, 0]);
  for (let port = 1; port < 65536; port++) {
    const copy = read(udp4.slice());
    copy.setPort('source', port);
    const sum = (copy.transport[6] ?? 0) * 256 + (copy.transport[7] ?? 0);
    assert.notEqual(sum, 0, `port ${port}`);
  }
});

test('IpPacket: changing what it was and back gives the same octets', () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(address, fc.nat(65535), fc.constantFrom('source', 'destination'), (other, port, side) => {
      const packet = read(udp4.slice());
      const [before, beforePort] = [
        parseIpAddress(side === 'source' ? packet.source : packet.destination),
        packet.port(side),
      ];
      packet.setAddress(side, other);
      packet.setPort(side, port);
      assert.equal(checksumOf(onesComplementSum(packet.octets.subarray(0, 20))), 0);
      packet.setAddress(side, before ?? assert.fail());
      packet.setPort(side, beforePort);
      assert.deepEqual(packet.octets, udp4);
    }),
    { seed: 1 },
  );
});

test('IpPacket: whatever octets it is given, it reads them or says what is wrong', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0x45, 0x4f, 0x60, 0), (bytes, first) => {
      if (bytes.length > 0) bytes[0] = first;
      const packet = IpPacket.read(bytes);
      if (!isMalformed(packet) && packet.hasPorts) packet.setPort('source', 7);
      if (!isMalformed(packet)) packet.setAddress('source', new Uint8Array(packet.family === 4 ? 4 : 16));
    }),
    { seed: 1, numRuns: 500 },
  );
});

function read(packet: Uint8Array): IpPacket {
  const read = IpPacket.read(packet);
  return isMalformed(read) ? assert.fail(read.toString()) : read;
}

function header6(next: number, payloadLength: number): string {
  const fields = payloadLength.toString(16).padStart(4, '0') + next.toString(16).padStart(2, '0');
  return `60000000${fields}40 20010db8000000000000000000000001 20010db8000000000000000000000002`;
}

function octets(...hex: string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.join('').replaceAll(' ', ''), 'hex'));
}
