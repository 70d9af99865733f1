/** IP packets as address translators and tunnels see them: read, translated, also to the other version, quoted in ICMP errors, cut into segments. */
import assert from 'node:assert/strict';
import { isMalformed } from '../../../src/base/malformed.ts';
import { type RandomSource, randomBelow } from '../../../src/base/random-source.ts';
import { onesComplementSum } from '../../../src/protocols/ip/internet-checksum.ts';
import { IpPacket } from '../../../src/protocols/ip/ip-packet.ts';
import {
  clampSegmentSize,
  hasRightTcpChecksum,
  segmentCount,
  tcpHeadersLength,
  writeMergedHeaders,
  writeSegmentHeaders,
} from '../../../src/protocols/ip/tcp-segmentation.ts';
import {
  fragmentsOf,
  type PacketSpan,
  toIpv4,
  toIpv6,
  versionHeadroom,
} from '../../../src/protocols/ip/version-change.ts';
import { PacketTranslator } from '../../../src/translation/packet-translator.ts';
import type { FuzzTarget } from '../fuzz-target.ts';

const udp4 = '4500 0020 0001 0000 4011 0000 0a010002 c0000201 0fa0 7530 000c 0000 01020304';
const tcp4 =
  '4500 0038 0001 4000 4006 0000 0a010002 c0000201 0fa0 7530 00000001 00000002 7012 ffff 0000 0000 0204 05b4 0303 0700 68656c6c 6f212121';
const udp6 =
  '6000 0000 000c 1140 20010db8000000000000000000000002 20010db8000000000000000000000001 0fa0 7530 000c 1234 01020304';
const fragment6 =
  '6000 0000 0014 2c40 20010db8000000000000000000000002 20010db8000000000000000000000001 1100 0001 00000007 0fa0 7530 000c 1234 01020304';
/** Of the flow between versions, as it leaves in the other one, and what comes back there. */
const [changing4, changed6] = [
  udp4.replace('c0000201', 'c0000209'),
  udp6.replace('0002 2001', '0009 2001').replace('0001 0fa0', '0077 0fa0'),
];
const answer6 = changed6.replace('0009 2001', '0077 2001').replace('0077 0fa0 7530', '0009 7530 0fa0');
const packets = [
  ...[udp4, tcp4, udp6, fragment6],
  ...[changing4, tcp4.replace('c0000201', 'c0000209'), answer6],
  `4500 003c 0001 0000 4001 0000 c6336401 c0000201 0304 0000 0000 05dc ${reversed(udp4)}`,
  `6000 0000 003c 3a40 20010db80000000000000000000000ff 20010db8000000000000000000000001 0200 0000 00000500 ${udp6}`,
  `6000 0000 003c 3a40 20010db80000000000000000000000ff 20010db8000000000000000000000009 0200 0000 00000500 ${changed6}`,
].map((text) => withChecksums(Buffer.from(text.replaceAll(' ', ''), 'hex')));

/** Two flows, of which the corpus has packets, in both directions. */
const translator = new PacketTranslator();
for (const [mark, family, protocol, source, destination, moved] of [
  [1, 4, 'udp', '10.1.0.2', '192.0.2.1', '198.51.100.7'],
  [2, 4, 'tcp', '10.1.0.2', '192.0.2.1', '198.51.100.7'],
  [3, 6, 'udp', '2001:db8::2', '2001:db8::1', '2001:db8::77'],
] as const) {
  const flow = { family, protocol, port: 30_000 } as const;
  translator.apply([
    { kind: 'define-version', mark, family, protocol, rewrite: { source: moved, sourcePort: 30_002 } },
    { kind: 'select-version', mark, key: { ...flow, source, destination, portOf: 'destination' } },
    {
      kind: 'define-version',
      mark: mark + 10,
      family,
      protocol,
      rewrite: { destination: source, destinationPort: 4000 },
    },
    {
      kind: 'select-version',
      mark: mark + 10,
      key: { ...flow, port: 30_002, source: destination, destination: moved, portOf: 'destination' },
    },
  ]);
}

/** And one of each protocol that goes from IPv4 to IPv6, with what comes back. */
for (const [mark, protocol] of [
  [21, 'udp'],
  [22, 'tcp'],
] as const) {
  const [inner, outer] = [
    { source: '10.1.0.2', destination: '192.0.2.9' },
    { source: '2001:db8::9', destination: '2001:db8::77' },
  ];
  const back = ({ source, destination }: typeof inner) => ({ source: destination, destination: source });
  const port = 30_000;
  translator.apply([
    { kind: 'define-version', mark, family: 6, protocol, rewrite: outer },
    { kind: 'select-version', mark, key: { family: 4, protocol, ...inner, port, portOf: 'destination' } },
    { kind: 'define-version', mark: mark + 10, family: 4, protocol, rewrite: back(inner) },
    {
      kind: 'select-version',
      mark: mark + 10,
      key: { family: 6, protocol, ...back(outer), port, portOf: 'source' },
    },
  ]);
}
const pairs = { 4: Buffer.from('0a010002c0000209', 'hex'), 6: Buffer.alloc(32, 0x21) };

export const ipPacket: FuzzTarget = {
  name: 'ip-packet',
  maximumOctets: 65_535,
  corpus: packets,
  tokens: [
    '2c',
    '3c',
    '00',
    '2b',
    '45',
    '46',
    '60',
    '11',
    '06',
    '01',
    '3a',
    '2000',
    '00000000',
    '0204 05b4',
    '0101',
  ].map((text) => Buffer.from(text.replaceAll(' ', ''), 'hex')),
  cut: (input) => [0, 20, 28, 40, 48].filter((cut) => cut < input.length).concat(input.length),
  repair: (input) => withChecksums(new Uint8Array(input)),
  check: (input, random) => {
    const packet = IpPacket.read(new Uint8Array(input));
    const isAccepted = !isMalformed(packet);
    if (isAccepted) {
      translator.translate(input);
      translator.translateIcmpError(input);
      rewriteTwice(packet, input);
      changeVersionTwice(packet, input, random);
    }
    segment(input, random);
    return isAccepted;
  },
  families: {
    'extension headers': (size) => {
      const whole = new Uint8Array(size);
      whole.set([0x60, 0, 0, 0, 0, 0, 60, 64]);
      for (let at = 40; at < size; at += 8) whole[at] = 60;
      return whole;
    },
    'TCP options': (size) =>
      withChecksums(Buffer.concat([packets[1]!.subarray(0, 40), Buffer.alloc(Math.max(0, size - 40), 1)])),
  },
};

/** There and back again: every octet as before, checksums of zero in UDP apart. */
function rewriteTwice(packet: IpPacket, input: Uint8Array): void {
  if (!packet.hasPorts) return;
  const { source } = packet;
  const port = packet.port('source');
  const other = packet.family === 4 ? Buffer.from([203, 0, 113, 9]) : Buffer.alloc(16, 0x20);
  const original = packet.octets.slice(packet.family === 4 ? 12 : 8, packet.family === 4 ? 16 : 24);
  packet.setAddress('source', other);
  packet.setPort('source', 12_345);
  packet.setAddress('source', original);
  packet.setPort('source', port);
  assert.equal(packet.source, source);
  assert.equal(packet.port('source'), port);
  const differs = packet.octets.findIndex((octet, index) => octet !== input[index]);
  // In one's complement 0000 and ffff are one number (RFC 1624 §3), and which of both comes out depends on the way.
  if (differs >= 0)
    assert.ok([0, 255].includes(packet.octets[differs]!) || (differs & 1) === 1, `octet ${differs} differs`);
}

/** Whatever has a way to the other version can be read there, in pieces too, and comes back with the same content. */
function changeVersionTwice({ family }: IpPacket, input: Uint8Array, random: RandomSource): void {
  const memory = new Uint8Array(versionHeadroom + input.length);
  memory.set(input, versionHeadroom);
  const view = viewOf(memory);
  const change = (to: 4 | 6, span: PacketSpan): PacketSpan | undefined =>
    to === 6
      ? toIpv6(view, span, pairs[6], 'complete')
      : toIpv4(view, span, pairs[4], 'complete', randomBelow(random, 0x1_0000));
  const contentOf = ({ at, length }: PacketSpan): Uint8Array => {
    const packet = IpPacket.read(memory.slice(at, at + length));
    assert.ok(!isMalformed(packet), 'cannot be read in the other version');
    return packet.transport;
  };
  const other = change(family === 4 ? 6 : 4, { at: versionHeadroom, length: input.length });
  if (other === undefined) return;
  const content = contentOf(other);
  if (family === 4) {
    const pieces = fragmentsOf(memory.slice(other.at, other.at + other.length), 7);
    assert.ok(pieces.every(({ length }) => length <= 1280 && length >= 40));
  }
  const same = change(family, other);
  if (same === undefined) return;
  const after = contentOf(same);
  assert.equal(after.length, content.length);
  const differs = after.findIndex((octet, index) => octet !== content[index] && !inChecksum(index));
  assert.equal(differs, -1, `octet ${differs} differs`);
}

/** Of UDP or TCP. */
function inChecksum(index: number): boolean {
  return [6, 7, 16, 17].includes(index);
}

/** A packet with a right checksum gives segments with right ones, and together they hold its payload. */
function segment(input: Uint8Array, random: RandomSource): void {
  const headersLength = tcpHeadersLength(viewOf(input), 0, input.length);
  if (headersLength === undefined) return;
  const segmentSize = 1 + randomBelow(random, 1460);
  const length = Math.min(input.length, headersLength + 64 * segmentSize);
  const memory = new Uint8Array(length + 64 * 128);
  memory.set(input.subarray(0, length));
  const view = viewOf(memory);
  clampSegmentSize(view, 0, headersLength, 1000);
  const packet = { view, at: 0, length, headersLength, segmentSize };
  writeSegmentHeaders(packet, length, 128);
  for (let index = 0; index < segmentCount(packet) && length > headersLength; index++) {
    const payload = memory.subarray(
      headersLength + index * segmentSize,
      Math.min(length, headersLength + (index + 1) * segmentSize),
    );
    const whole = Buffer.concat([
      memory.subarray(length + index * 128, length + index * 128 + headersLength),
      payload,
    ]);
    assert.ok(hasRightTcpChecksum(viewOf(whole), 0, whole.length), `segment ${index} has a wrong checksum`);
    assert.equal(
      onesComplementSum(whole.subarray(0, 20)),
      0xffff,
      `segment ${index} has a wrong IP checksum`,
    );
  }
  writeMergedHeaders(view, 0, length, 0x09);
}

/** IPv4 total length and header checksum, and the TCP checksum. */
function withChecksums(packet: Uint8Array): Uint8Array {
  if (packet.length < 20 || packet[0]! >> 4 !== 4) return packet;
  const view = viewOf(packet);
  view.setUint16(2, packet.length & 0xffff);
  view.setUint16(10, 0);
  const headerLength = Math.min(packet.length, 4 * (packet[0]! & 15));
  view.setUint16(10, ~onesComplementSum(packet.subarray(0, headerLength)) & 0xffff);
  if (packet[9] !== 6 || packet.length < headerLength + 20) return packet;
  view.setUint16(headerLength + 16, 0);
  const pseudo = onesComplementSum(packet.subarray(12, 20), 6 + packet.length - headerLength);
  view.setUint16(headerLength + 16, ~onesComplementSum(packet.subarray(headerLength), pseudo) & 0xffff);
  return packet;
}

/** The packet as the next hop saw it: from the translated source. */
function reversed(text: string): string {
  return text.replace('0a010002', 'c6336407').replace('0fa0', '7532');
}

function viewOf(input: Uint8Array): DataView {
  return new DataView(input.buffer, input.byteOffset, input.length);
}
