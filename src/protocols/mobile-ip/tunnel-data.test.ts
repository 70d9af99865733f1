import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { Malformed } from '../../base/malformed.ts';
import {
  decodeTunnelData,
  decodeTunnelledEcho,
  encodeTunnelledEcho,
  isTunnelData,
  type TunnelledEcho,
} from './tunnel-data.ts';

const vectorFile = JSON.parse(readFileSync('test/data/mobile-ip-vectors.json', 'utf8')) as {
  readonly vectors: readonly { readonly name: string; readonly hex: string }[];
};
const keepalive = Buffer.from(
  vectorFile.vectors.find(({ name }) => name === 'tunnel-data-keepalive')!.hex,
  'hex',
);
const echo: TunnelledEcho = {
  isReply: false,
  source: '10.0.0.50',
  destination: '10.0.0.1',
  identifier: 0x4d49,
  sequenceNumber: 1,
};

test('encodeTunnelledEcho, decodeTunnelledEcho: the vector tunnel-data-keepalive byte for byte', () => {
  assert.deepEqual(Buffer.from(encodeTunnelledEcho(echo, 'rfc3519')), keepalive);
  const packet = decodeTunnelData(keepalive, 'rfc3519');
  assert.ok(!(packet instanceof Malformed));
  assert.deepEqual(decodeTunnelledEcho(packet), echo);
});

test('encodeTunnelledEcho: without the four octets of RFC 3519 in the plain encapsulation', () => {
  const payload = encodeTunnelledEcho({ ...echo, isReply: true }, 'plain');
  assert.equal(payload.length, keepalive.length - 4);
  const packet = decodeTunnelData(payload, 'plain');
  assert.ok(!(packet instanceof Malformed));
  assert.equal(decodeTunnelledEcho(packet)?.isReply, true);
});

test('isTunnelData: tells packets from control messages in both encapsulations', () => {
  assert.equal(isTunnelData(keepalive), true);
  assert.equal(isTunnelData(keepalive.subarray(4)), true);
  for (const type of [0, 1, 3, 7, 15, 16, 255]) assert.equal(isTunnelData(Uint8Array.of(type, 4)), false);
  assert.equal(isTunnelData(new Uint8Array()), false);
});

test('decodeTunnelData: a Next Header that is not that of the tunnel is refused, and what is no IPv4 packet', () => {
  const minimal = Uint8Array.from(keepalive);
  minimal[1] = 55;
  assert.ok(decodeTunnelData(minimal, 'rfc3519') instanceof Malformed);
  assert.ok(decodeTunnelData(keepalive.subarray(4), 'rfc3519') instanceof Malformed);
  assert.ok(decodeTunnelData(keepalive, 'plain') instanceof Malformed);
  assert.ok(decodeTunnelData(Uint8Array.of(4, 4, 0, 0, 0x60), 'rfc3519') instanceof Malformed);
});

test('decodeTunnelledEcho: any damaged octet, other packets and any octets at all are no echo', () => {
  const packet = keepalive.subarray(4);
  for (let at = 0; at < packet.length; at++) {
    const damaged = Uint8Array.from(packet);
    damaged[at] = damaged[at]! ^ 0x10;
    assert.equal(decodeTunnelledEcho(damaged), undefined, `octet ${at}`);
  }
  assert.equal(decodeTunnelledEcho(packet.subarray(0, 27)), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      decodeTunnelledEcho(octets);
      decodeTunnelData(octets, 'rfc3519');
    }),
    { seed: 3 },
  );
});
