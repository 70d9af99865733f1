import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { flowOfFrame } from './flow-of-frame.ts';

const ethernet = '0200000000010200000000020800';
const udp4 = '4500001d00004000401100000a010002cb0071029c4013c40009000078';

test('flowOfFrame: reads both ends of UDP and TCP over IPv4', () => {
  const flow = { source: '10.1.0.2:40000', destination: '203.0.113.2:5060' };
  assert.deepEqual(flowOfFrame(octets(ethernet + udp4)), { protocol: 'udp', ...flow });
  assert.deepEqual(flowOfFrame(octets(ethernet + udp4.replace('4011', '4006'))), {
    protocol: 'tcp',
    ...flow,
  });
});

test('flowOfFrame: reads IPv6', () => {
  const addresses = '20010db8000000000000000000000001fd000000000000000000000000000002';
  const frame = `02000000000102000000000286dd6000000000081140${addresses}9c4013c400080000`;
  assert.deepEqual(flowOfFrame(octets(frame)), {
    protocol: 'udp',
    source: '[2001:db8::1]:40000',
    destination: '[fd00::2]:5060',
  });
});

test('flowOfFrame: later fragments, ICMP, ARP and cut frames are no flow', () => {
  assert.equal(flowOfFrame(octets(ethernet + udp4.replace('00004000', '00002010'))), undefined);
  assert.equal(flowOfFrame(octets(ethernet + udp4.replace('4011', '4001'))), undefined);
  assert.equal(flowOfFrame(octets(`${ethernet.slice(0, -4)}0806${udp4}`)), undefined);
  assert.equal(flowOfFrame(octets(ethernet + udp4.slice(0, 44))), undefined);
});

test('flowOfFrame: never throws, whatever the frame', () => {
  fc.assert(
    fc.property(fc.constantFrom('0800', '86dd'), fc.uint8Array({ maxLength: 80 }), (etherType, rest) => {
      flowOfFrame(Buffer.concat([octets(ethernet.slice(0, -4) + etherType), rest]));
    }),
    { seed: 6 },
  );
});

function octets(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}
