import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIpAddress } from '../../base/ip-address.ts';
import { checksumOf, onesComplementSum } from './internet-checksum.ts';
import { fragmentsOf, toIpv4, toIpv6, versionHeadroom } from './version-change.ts';

const [v4, v6] = [
  ['203.0.113.7', '198.51.100.1'],
  ['2001:db8:f::1', '2001:db8:2::2'],
].map((pair) => Uint8Array.from(pair.flatMap((text) => [...(parseIpAddress(text) ?? assert.fail())]))) as [
  Uint8Array,
  Uint8Array,
];
const room = (packet: Uint8Array): DataView => {
  const octets = new Uint8Array(versionHeadroom + packet.length);
  octets.set(packet, versionHeadroom);
  return new DataView(octets.buffer);
};
const spanOf = (packet: Uint8Array) => ({ at: versionHeadroom, length: packet.length });
const taken = (view: DataView, span: { at: number; length: number } | undefined) =>
  span && new Uint8Array(view.buffer, span.at, span.length).slice();
const toSix = (packet: Uint8Array, checksum: 'complete' | 'partial' | 'quoted' = 'complete') => {
  const view = room(packet);
  return taken(view, toIpv6(view, spanOf(packet), v6, checksum));
};
const toFour = (packet: Uint8Array) => {
  const view = room(packet);
  return taken(view, toIpv4(view, spanOf(packet), v4, 'complete', 7));
};

test('toIpv6, toIpv4: what goes to the other version and back is the same, with checksums that hold on both sides', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(6, 17),
      fc.nat(255),
      (payload, protocol, service) => {
        const packet = ipv4Packet(protocol, payload, { service });
        const six = toSix(packet) ?? assert.fail();
        assert.equal(transportSum(six, 40, v6, protocol), 0xffff);
        assert.deepEqual([six[6], six[7], ((six[0] ?? 0) << 4) & 0xf0], [protocol, 64, service & 0xf0]);
        assert.deepEqual(toFour(six), packet);
      },
    ),
    { seed: 46, numRuns: 300 },
  );
});

test('toIpv6: a datagram without checksum gets one; a fragment of such a datagram has no way', () => {
  const packet = ipv4Packet(17, Uint8Array.of(1, 2, 3), {});
  packet.fill(0, 26, 28);
  const six = toSix(packet) ?? assert.fail();
  assert.equal(transportSum(six, 40, v6, 17), 0xffff);
  new DataView(packet.buffer).setUint16(6, 0x2000);
  assert.equal(toSix(packet), undefined);
  assert.ok(toSix(packet, 'quoted'), 'what an ICMP error quotes stays as it is');
});

test('toIpv6: a fragment stays one, with its identification, and comes back', () => {
  const packet = ipv4Packet(17, new Uint8Array(64), { identification: 0x1234, fragment: 0x2000 | 9 });
  const six = toSix(packet) ?? assert.fail();
  assert.deepEqual([...six.subarray(40, 48)], [17, 0, 0, 9 * 8 + 1, 0, 0, 0x12, 0x34]);
  assert.deepEqual(toFour(six), packet);
});

test('fragmentsOf: pieces that every IPv6 link carries hold the whole, in order', () => {
  for (const fragment of [0, 0x2000 | 185]) {
    const packet = ipv4Packet(
      17,
      Uint8Array.from({ length: 3000 }, (_, index) => index),
      { fragment },
    );
    const six = toSix(packet) ?? assert.fail();
    const pieces = fragmentsOf(six, 0x4321);
    assert.deepEqual(
      pieces.map(({ length }) => length <= 1280),
      [true, true, true],
    );
    const offsets = pieces.map((piece) => new DataView(piece.buffer).getUint16(42));
    const first = 8 * (fragment & 0x1fff);
    assert.deepEqual(
      offsets.map((field) => field & 0xfff8),
      [first, first + 1232, first + 2464],
    );
    assert.deepEqual(
      offsets.map((field) => field & 1),
      [1, 1, fragment === 0 ? 0 : 1],
    );
    const content = pieces.flatMap((piece) => [...piece.subarray(48)]);
    assert.deepEqual(content, [...six.subarray(fragment === 0 ? 40 : 48)]);
  }
});

test('toIpv4: only what fits any IPv6 link may be fragmented on; a source route that is not at its end has no way', () => {
  const flagsOf = (payload: number) =>
    (toFour(toSix(ipv4Packet(6, new Uint8Array(payload), {})) ?? assert.fail())?.[6] ?? 0) & 0x40;
  assert.deepEqual([flagsOf(1220), flagsOf(1221)], [0, 0x40]);
  const six = toSix(ipv4Packet(17, new Uint8Array(8), {})) ?? assert.fail();
  const routed = (segmentsLeft: number) => {
    const packet = Uint8Array.of(
      ...six.subarray(0, 40),
      17,
      0,
      0,
      segmentsLeft,
      0,
      0,
      0,
      0,
      ...six.subarray(40),
    );
    packet[6] = 43;
    packet[5] = (packet[5] ?? 0) + 8;
    return packet;
  };
  assert.deepEqual(toFour(routed(0)), toFour(six));
  assert.equal(toFour(routed(1)), undefined);
});

test('toIpv6, toIpv4: what is neither UDP nor TCP has no way', () => {
  for (const protocol of [0, 1, 43, 50, 58]) {
    const packet = ipv4Packet(17, new Uint8Array(24), {});
    packet[9] = protocol;
    assert.equal(toSix(packet), undefined);
    const six = toSix(ipv4Packet(17, new Uint8Array(24), {})) ?? assert.fail();
    six[6] = protocol;
    assert.equal(toFour(six), undefined);
  }
});

test('toIpv6, toIpv4: no octets make them throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 120 }), (octets) => {
      const six = octets.slice();
      six[0] = 0x60;
      toSix(octets);
      toSix(octets, 'partial');
      toFour(six);
    }),
    { seed: 64, numRuns: 2000 },
  );
});

interface Header {
  readonly service?: number;
  readonly identification?: number;
  readonly fragment?: number;
}

/** With a checksum that holds, unless it is a later fragment. Flags as they come back from IPv6. */
function ipv4Packet(
  protocol: number,
  payload: Uint8Array,
  { service = 0, identification = 7, fragment = 0 }: Header,
): Uint8Array {
  const isLater = (fragment & 0x1fff) > 0;
  const header = protocol === 17 ? 8 : 20;
  const packet = new Uint8Array(20 + (isLater ? 0 : header) + payload.length);
  const view = new DataView(packet.buffer);
  packet.set([0x45, service, packet.length >> 8, packet.length & 255]);
  view.setUint16(4, identification);
  view.setUint16(6, fragment);
  packet.set([64, protocol], 8);
  packet.set(v4, 12);
  packet.set(payload, packet.length - payload.length);
  if (!isLater) {
    view.setUint16(20, 7000);
    if (protocol === 17) view.setUint16(24, packet.length - 20);
    else view.setUint8(32, 0x50);
    const sum = checksumOf(transportSum(packet, 20, v4, protocol));
    view.setUint16(protocol === 17 ? 26 : 36, protocol === 17 ? sum || 0xffff : sum);
  }
  view.setUint16(10, checksumOf(onesComplementSum(packet.subarray(0, 20))));
  return packet;
}

function transportSum(
  packet: Uint8Array,
  headerLength: number,
  addresses: Uint8Array,
  protocol: number,
): number {
  const transport = packet.subarray(headerLength);
  return onesComplementSum(transport, onesComplementSum(addresses) + transport.length + protocol);
}
