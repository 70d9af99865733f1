import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpAddress } from '../base/ip-address.ts';
import { checksumOf, onesComplementSum } from '../protocols/ip/internet-checksum.ts';
import { type Binding, BindingTable } from './binding-table.ts';
import { PacketTranslator } from './packet-translator.ts';

const UDP = 17;
const routers = { 4: '192.0.2.9', 6: '2001:db8:9::9' } as const;
const bindings: Record<4 | 6, Binding> = {
  4: {
    id: 'v4',
    protocol: 'udp',
    correspondent: { address: '203.0.113.7', port: 7000 },
    towardsCorrespondent: { address: '198.51.100.1', port: 20000 },
    towardsMobileNode: { address: '198.51.100.2', port: 30000 },
    mobileNode: { address: '10.1.0.2', port: 6000 },
  },
  6: {
    id: 'v6',
    protocol: 'udp',
    correspondent: { address: '2001:db8:c::7', port: 7000 },
    towardsCorrespondent: { address: '2001:db8:f::1', port: 20000 },
    towardsMobileNode: { address: '2001:db8:f::2', port: 30000 },
    mobileNode: { address: '2001:db8:1::2', port: 6000 },
  },
};
/** Type, code and the four octets whose meaning depends on them. */
const errors = {
  4: [
    ['port unreachable', 3, 3, 0],
    ['fragmentation needed, MTU 1280', 3, 4, 1280],
    ['time exceeded', 11, 0, 0],
    ['parameter problem at octet 20', 12, 0, 20 << 24],
  ],
  6: [
    ['port unreachable', 1, 4, 0],
    ['packet too big, MTU 1280', 2, 0, 1280],
    ['time exceeded', 3, 0, 0],
    ['parameter problem at octet 6', 4, 1, 6],
  ],
} as const;

for (const family of [4, 6] as const) {
  const binding = bindings[family];
  const { correspondent: c, towardsCorrespondent: x, towardsMobileNode: y, mobileNode: m } = binding;

  test(`PacketTranslator: an IPv${family} datagram leaves as the other end must see it, to the octet`, () => {
    const { translator } = open(binding);
    assert.deepEqual(translator.translate(datagram(c, x))?.octets, datagram(y, m));
    assert.deepEqual(translator.translate(datagram(m, y))?.octets, datagram(x, c));
    assert.equal(translator.translate(datagram({ ...c, address: m.address }, x)), undefined);
  });

  for (const [name, type, code, rest] of errors[family]) {
    test(`PacketTranslator: the IPv${family} error "${name}" quotes what its receiver has sent, to the octet`, () => {
      const { translator } = open(binding);
      const about = (from: string, to: string, quoted: Uint8Array) =>
        error(from, to, [type, code, rest], quoted);
      // Found behind the translator, on the way to the mobile node, and the other way round.
      const down = about(routers[family], y.address, datagram(y, m));
      assert.deepEqual(
        translator.translateIcmpError(down)?.octets,
        about(x.address, c.address, datagram(c, x)),
      );
      const up = about(routers[family], x.address, datagram(x, c));
      assert.deepEqual(
        translator.translateIcmpError(up)?.octets,
        about(y.address, m.address, datagram(m, y)),
      );
    });
  }

  test(`PacketTranslator: an IPv${family} error quotes the beginning only, and that is enough`, () => {
    const { translator } = open(binding);
    const [name, type, code, rest] = errors[family][2];
    const shortened = (octets: Uint8Array) => octets.subarray(0, (family === 4 ? 20 : 40) + 8);
    const down = error(routers[family], y.address, [type, code, rest], shortened(datagram(y, m)));
    const expected = error(x.address, c.address, [type, code, rest], shortened(datagram(c, x)));
    assert.deepEqual(translator.translateIcmpError(down)?.octets, expected, name);
  });

  test(`PacketTranslator: what is no news to anybody in IPv${family} is not translated`, () => {
    const { translator, table } = open(binding);
    const [, type, code, rest] = errors[family][0];
    const strange = datagram(y, { ...m, port: 6001 });
    assert.equal(
      translator.translateIcmpError(error(routers[family], y.address, [type, code, rest], strange)),
      undefined,
    );
    const echo = family === 4 ? 8 : 128;
    assert.equal(
      translator.translateIcmpError(error(routers[family], y.address, [echo, 0, 0], datagram(y, m))),
      undefined,
    );
    // The path before a handover is of no interest any more.
    const elsewhere = { ...m, address: family === 4 ? '10.2.0.2' : '2001:db8:2::2' };
    translator.apply(table.move(binding.id, elsewhere, 0)?.operations ?? assert.fail());
    assert.equal(
      translator.translateIcmpError(error(routers[family], y.address, [type, code, rest], datagram(y, m))),
      undefined,
    );
  });
}

/** The correspondent of one version of IP, the mobile node of the other. */
for (const family of [4, 6] as const) {
  const other = family === 4 ? 6 : 4;
  const { correspondent, towardsCorrespondent } = bindings[family];
  const { towardsMobileNode, mobileNode } = bindings[other];
  const binding = { ...bindings[family], towardsMobileNode, mobileNode };
  const [c, x, y, m] = [correspondent, towardsCorrespondent, towardsMobileNode, mobileNode];

  test(`PacketTranslator: a datagram of an IPv${family} correspondent leaves as IPv${other}, and the answer as IPv${family}, to the octet`, () => {
    const { translator } = open(binding);
    assert.deepEqual(translator.translate(datagram(c, x))?.octets, mayBeFragmented(datagram(y, m)));
    assert.deepEqual(translator.translate(datagram(m, y))?.octets, mayBeFragmented(datagram(x, c)));
    assert.equal(translator.translate(datagram({ ...m, port: 1 }, { ...y, port: 1 })), undefined);
  });

  for (const [index, [name, type, code, rest]] of errors[other].entries())
    test(`PacketTranslator: the IPv${other} error "${name}" reaches the IPv${family} correspondent as one of its own`, () => {
      const { translator } = open(binding);
      const found = error(routers[other], y.address, [type, code, rest], datagram(y, m));
      const [, ownType, ownCode, ownRest] = errors[family][index] ?? assert.fail();
      const changedRest = { 1: family === 4 ? 1260 : 1300, 3: family === 4 ? 9 << 24 : 0 }[index] ?? ownRest;
      const translated = translator.translateIcmpError(found)?.octets;
      if (index === 3 && family === 6) {
        // The IPv4 pointer is to the options, which IPv6 has not.
        assert.equal(translated, undefined);
        return;
      }
      if (index === 3) {
        assert.deepEqual(translated?.subarray(20, 22), Uint8Array.of(3, 2), 'an unknown protocol');
        return;
      }
      const quotation = mayBeFragmented(datagram(c, x));
      const expected = error(x.address, c.address, [ownType, ownCode, changedRest], quotation);
      assert.deepEqual(withoutIdentification(translated), withoutIdentification(expected));
    });
}

/** As IPv4 packets come out that were IPv6 packets that any link carries (RFC 7915 §5.1). */
function mayBeFragmented(packet: Uint8Array): Uint8Array {
  return withoutIdentification(packet) ?? packet;
}

/** Without identification and flags, with the checksum for that. */
function withoutIdentification(packet: Uint8Array | undefined): Uint8Array | undefined {
  if (packet === undefined || (packet[0] ?? 0) >> 4 === 6) return packet;
  const copy = packet.slice();
  copy.fill(0, 4, 8);
  copy.fill(0, 10, 12);
  new DataView(copy.buffer).setUint16(10, checksumOf(onesComplementSum(copy.subarray(0, 20))));
  return copy;
}

function open(binding: Binding): { translator: PacketTranslator; table: BindingTable } {
  const table = new BindingTable({ graceTimeMs: 1000 });
  const translator = new PacketTranslator();
  translator.apply(table.install(binding)?.operations ?? assert.fail());
  return { translator, table };
}

interface End {
  readonly address: string;
  readonly port: number;
}

/** UDP with twenty octets in it. */
function datagram(from: End, to: End): Uint8Array {
  const [header, payload] = [new Uint8Array(8), Uint8Array.from({ length: 20 }, (_, index) => 7 * index)];
  const view = new DataView(header.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint16(4, 28);
  const segment = Uint8Array.of(...header, ...payload);
  writeChecksum(segment, 6, pseudoHeader(from.address, to.address, UDP, segment.length));
  return ipPacket(from.address, to.address, UDP, segment);
}

function error(
  from: string,
  to: string,
  [type, code, rest]: readonly [number, number, number],
  quoted: Uint8Array,
): Uint8Array {
  const message = new Uint8Array(8 + quoted.length);
  message.set([type, code]);
  new DataView(message.buffer).setUint32(4, rest);
  message.set(quoted, 8);
  const isIpv4 = !from.includes(':');
  writeChecksum(message, 2, isIpv4 ? 0 : pseudoHeader(from, to, 58, message.length));
  return ipPacket(from, to, isIpv4 ? 1 : 58, message);
}

function ipPacket(from: string, to: string, protocol: number, content: Uint8Array): Uint8Array {
  const [source, destination] = [octetsOf(from), octetsOf(to)];
  if (source.length === 16) {
    const header = Uint8Array.of(0x60, 0, 0, 0, content.length >> 8, content.length & 255, protocol, 64);
    return Uint8Array.of(...header, ...source, ...destination, ...content);
  }
  const length = 20 + content.length;
  const start = [0x45, 0, length >> 8, length & 255, 0, 1, 0x40, 0, 64, protocol, 0, 0];
  const header = Uint8Array.of(...start, ...source, ...destination);
  writeChecksum(header, 10, 0);
  return Uint8Array.of(...header, ...content);
}

function pseudoHeader(from: string, to: string, protocol: number, length: number): number {
  return onesComplementSum(octetsOf(to), onesComplementSum(octetsOf(from))) + protocol + length;
}

function writeChecksum(octets: Uint8Array, at: number, begin: number): void {
  new DataView(octets.buffer).setUint16(at, checksumOf(onesComplementSum(octets, begin)));
}

function octetsOf(address: string): Uint8Array {
  return parseIpAddress(address) ?? assert.fail(address);
}
