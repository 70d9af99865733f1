import assert from 'node:assert/strict';
import { test } from 'node:test';
import { belongsTo, readTcpSegment, segmentHeaderOctets } from './tcp-segment.ts';

const tcpHeader = (flags: string) => `4e20 1389 fffffff0 00000007 80${flags} ffff 0000 0000 0101080a00000001`;
const ipv4 = (totalLength: string, flags = '10') =>
  octets(`4500 ${totalLength} 0001 4000 40 06 0000 c0000201 0a020002 ${tcpHeader(flags)}`);

test('readTcpSegment: addresses, ports and place in the sequence of an IPv4 packet, however much of it is there', () => {
  const segment = readTcpSegment(ipv4('0064'), 4) ?? assert.fail();
  assert.deepEqual(segment, {
    source: '192.0.2.1',
    destination: '10.2.0.2',
    sourcePort: 20000,
    destinationPort: 5001,
    connection: '192.0.2.1 20000 5001',
    sequence: 0xffff_fff0,
    length: 100 - 20 - 32,
  });
  for (const flags of ['02', '11']) assert.equal(readTcpSegment(ipv4('0064', flags), 4)?.length, 49);
  const flow = { family: 4, protocol: 'tcp', source: '192.0.2.1', destination: '10.2.0.2' } as const;
  assert.ok(belongsTo(segment, { ...flow, port: 20000, portOf: 'source' }));
  assert.ok(belongsTo(segment, { ...flow, port: 5001, portOf: 'destination' }));
  assert.ok(!belongsTo(segment, { ...flow, port: 5001, portOf: 'source' }));
  assert.ok(!belongsTo(segment, { ...flow, destination: '10.1.0.2', port: 20000, portOf: 'source' }));
});

test('readTcpSegment: options of IPv4 are no part of the segment', () => {
  const packet = octets(`4600 0064 0001 4000 40 06 0000 c0000201 0a020002 01010101 ${tcpHeader('10')}`);
  assert.equal(readTcpSegment(packet, 4)?.length, 100 - 24 - 32);
});

test('readTcpSegment: an IPv6 packet', () => {
  const addresses = `20010db8000000000000000000000001 20010db8000000000000000000000002`;
  const packet = octets(`60000000 0050 06 40 ${addresses} ${tcpHeader('10')}`);
  const { source, destination, length } = readTcpSegment(packet, 6) ?? assert.fail();
  assert.deepEqual([source, destination, length], ['2001:db8::1', '2001:db8::2', 0x50 - 32]);
});

test('readTcpSegment: what is cut off or no TCP is nothing, and the kernel is asked for enough', () => {
  for (let length = 0; length < 34; length++)
    assert.equal(readTcpSegment(ipv4('0064').subarray(0, length), 4), undefined);
  const datagram = ipv4('0064');
  datagram[9] = 17;
  assert.equal(readTcpSegment(datagram, 4), undefined);
  assert.equal(segmentHeaderOctets, 60 + 14);
});

function octets(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
