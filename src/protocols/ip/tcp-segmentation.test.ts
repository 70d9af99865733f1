import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { onesComplementSum } from './internet-checksum.ts';
import {
  clampSegmentSize,
  hasRightTcpChecksum,
  sameSegmentedPacket,
  segmentCount,
  tcpFlag,
  tcpHeadersLength,
  writeMergedHeaders,
  writeSegmentHeaders,
} from './tcp-segmentation.ts';

const stride = 128;
const headersAt = 70_000;

test('writeSegmentHeaders: the segments carry the payload in order, each with right checksums and its flags', () => {
  const arbitrary = fc.record({
    payload: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
    segmentSize: fc.integer({ min: 88, max: 1460 }),
    sequence: fc.nat(0xffff_ffff),
    identification: fc.nat(0xffff),
    options: fc.constantFrom(0, 4, 12, 40),
    flags: fc.constantFrom(0x10, 0x18, 0x19, 0x98),
  });
  fc.assert(
    fc.property(arbitrary, ({ payload, segmentSize, sequence, identification, options, flags }) => {
      const { octets, view } = memoryWith(tcpPacket(payload, { sequence, identification, options, flags }));
      const headersLength = 40 + options;
      const packet = { view, at: 0, length: headersLength + payload.length, headersLength, segmentSize };
      writeSegmentHeaders(packet, headersAt, stride);
      const count = segmentCount(packet);
      const segments = Array.from({ length: count }, (_, index) => {
        const from = headersLength + index * segmentSize;
        const headers = octets.slice(headersAt + index * stride, headersAt + index * stride + headersLength);
        return Uint8Array.of(...headers, ...octets.slice(from, Math.min(from + segmentSize, packet.length)));
      });
      assert.deepEqual(
        Uint8Array.of(...segments.flatMap((segment) => [...segment.subarray(headersLength)])),
        payload,
      );
      for (const [index, segment] of segments.entries()) {
        const fields = viewOf(segment);
        assert.equal(fields.getUint16(2), segment.length);
        assert.equal(fields.getUint16(4), (identification + index) & 0xffff);
        assert.equal(onesComplementSum(segment.subarray(0, 20)), 0xffff);
        assert.ok(hasRightTcpChecksum(fields, 0, segment.length));
        assert.equal(fields.getUint32(24), (sequence + index * segmentSize) >>> 0);
        const isLast = index === count - 1;
        let expected = flags;
        if (!isLast) expected &= ~(tcpFlag.fin | tcpFlag.psh);
        if (index > 0) expected &= ~tcpFlag.cwr;
        assert.equal(fields.getUint8(33), expected);
      }
    }),
    { seed: 9293, numRuns: 200 },
  );
});

test('sameSegmentedPacket: whatever differs besides length, identification, sequence number, checksums, FIN, PSH and CWR parts them', () => {
  const one = tcpPacket(new Uint8Array(10), { options: 12 });
  const free = new Set([2, 3, 4, 5, 10, 11, 24, 25, 26, 27, 36, 37, 38, 39]);
  for (let at = 1; at < 52; at++) {
    const other = one.slice();
    other[at] = (other[at] ?? 0) ^ 0x40;
    const { view } = memoryWith(Uint8Array.of(...one, ...other));
    // Urgent pointers (38, 39) count only with URG, which no segment that is joined has.
    assert.equal(sameSegmentedPacket(view, 0, one.length, 52), free.has(at), `octet ${at}`);
  }
  const pushed = one.slice();
  pushed[33] = 0x99;
  assert.ok(sameSegmentedPacket(memoryWith(Uint8Array.of(...one, ...pushed)).view, 0, one.length, 52));
});

test('writeMergedHeaders: length, IP checksum, last flags, and the pseudo-header’s sum for the kernel to complete', () => {
  const { octets, view } = memoryWith(tcpPacket(new Uint8Array(3000).fill(3), {}));
  writeMergedHeaders(view, 0, 3040, tcpFlag.psh);
  assert.equal(view.getUint16(2), 3040);
  assert.equal(onesComplementSum(octets.subarray(0, 20)), 0xffff);
  assert.equal(view.getUint8(33), tcpFlag.ack | tcpFlag.psh);
  const checksum = ~onesComplementSum(octets.subarray(20, 3040)) & 0xffff;
  view.setUint16(36, checksum);
  assert.ok(hasRightTcpChecksum(view, 0, 3040));
});

test('clampSegmentSize: lowers what a SYN offers to the limit, wherever the option stands, and keeps the checksum right', () => {
  const syn = (...options: number[]): Uint8Array => {
    const packet = tcpPacket(new Uint8Array(), { flags: tcpFlag.syn, options: 12 });
    packet.set(options, 40);
    const view = viewOf(packet);
    view.setUint16(36, 0);
    const pseudo = onesComplementSum(packet.subarray(12, 20)) + 6 + packet.length - 20;
    view.setUint16(36, ~onesComplementSum(packet.subarray(20), pseudo) & 0xffff);
    return packet;
  };
  const offers = (packet: Uint8Array, at: number): number => {
    const view = viewOf(packet);
    clampSegmentSize(view, 0, 52, 1428);
    assert.ok(hasRightTcpChecksum(view, 0, packet.length));
    return view.getUint16(at);
  };
  assert.equal(offers(syn(2, 4, 0x05, 0xb4), 42), 1428);
  assert.equal(offers(syn(1, 2, 4, 0x05, 0xb4), 43), 1428);
  assert.equal(offers(syn(4, 2, 1, 2, 4, 0x23, 0x28), 45), 1428);
  assert.equal(offers(syn(2, 4, 0x02, 0x18), 42), 0x218);
  assert.equal(offers(syn(0, 2, 4, 0x05, 0xb4), 43), 0x5b4);
  assert.equal(offers(syn(8, 0, 8, 0, 8, 0), 42), 0x800);
  const data = tcpPacket(new Uint8Array(), { options: 12 });
  data.set([2, 4, 0x05, 0xb4], 40);
  clampSegmentSize(viewOf(data), 0, 52, 1428);
  assert.equal(viewOf(data).getUint16(42), 0x5b4);
});

test('tcpHeadersLength: only whole TCP headers without IP options, and no fragments', () => {
  const packet = tcpPacket(new Uint8Array(4), { options: 8 });
  const lengthOf = (change: (octets: Uint8Array) => void, length = packet.length): number | undefined => {
    const octets = packet.slice();
    change(octets);
    return tcpHeadersLength(viewOf(octets), 0, length);
  };
  assert.equal(
    lengthOf(() => {}),
    48,
  );
  assert.equal(
    lengthOf((octets) => octets.fill(0x46, 0, 1)),
    undefined,
  );
  assert.equal(
    lengthOf((octets) => octets.fill(0x20, 6, 7)),
    undefined,
  );
  assert.equal(
    lengthOf((octets) => octets.fill(1, 7, 8)),
    undefined,
  );
  assert.equal(
    lengthOf((octets) => octets.fill(17, 9, 10)),
    undefined,
  );
  assert.equal(
    lengthOf((octets) => octets.fill(0x40, 32, 33)),
    undefined,
  );
  assert.equal(
    lengthOf((octets) => octets.fill(0xf0, 32, 33)),
    undefined,
  );
  assert.equal(
    lengthOf(() => {}, 39),
    undefined,
  );
});

interface TcpFields {
  readonly sequence?: number;
  readonly identification?: number;
  readonly options?: number;
  readonly flags?: number;
}

/** Without checksums. */
function tcpPacket(
  payload: Uint8Array,
  { sequence = 1, identification = 1, options = 0, flags = 0x10 }: TcpFields,
): Uint8Array {
  const octets = new Uint8Array(40 + options + payload.length);
  const view = viewOf(octets);
  octets.set([0x45, 0], 0);
  view.setUint16(2, octets.length);
  view.setUint16(4, identification);
  octets.set([0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 9, 0x13, 0x88, 0x9c, 0x40], 6);
  view.setUint32(24, sequence);
  view.setUint32(28, 77);
  octets.set([(5 + options / 4) << 4, flags, 0x10, 0], 32);
  octets.fill(1, 40, 40 + options);
  octets.set(payload, 40 + options);
  return octets;
}

function memoryWith(packet: Uint8Array): { readonly octets: Uint8Array; readonly view: DataView } {
  const octets = new Uint8Array(headersAt + 64 * stride);
  octets.set(packet);
  return { octets, view: viewOf(octets) };
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}
