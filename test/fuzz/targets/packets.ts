/** What comes in datagrams other than SIP: Mobile IP and its tunnel, STUN, RTP, IP packets with TCP, UDP and ICMP in them, netlink. */
import assert from 'node:assert/strict';
import { isMalformed } from '../../../src/base/malformed.ts';
import {
  listAttributes,
  NetlinkWriter,
  readAttributes,
  readNetlinkMessages,
} from '../../../src/drivers/linux/netlink-message.ts';
import { summarizeMobileIp } from '../../../src/observation/mobile-ip-summary.ts';
import { isAuthentic } from '../../../src/protocols/mobile-ip/authentication.ts';
import { decodeMessage, encodeMessage } from '../../../src/protocols/mobile-ip/message.ts';
import { toTunnelSelector } from '../../../src/protocols/mobile-ip/traffic-selector.ts';
import {
  decodeTunnelData,
  decodeTunnelledEcho,
  encodeTunnelledEcho,
  isTunnelData,
} from '../../../src/protocols/mobile-ip/tunnel-data.ts';
import { decodeRtpPacket, encodeRtpPacket } from '../../../src/protocols/rtp/rtp-header.ts';
import { answerBinding, decodeBinding, isStun } from '../../../src/protocols/sip/transport/stun-binding.ts';
import { mobileIpMessages } from '../corpus.ts';
import { type FuzzTarget, roundTrips } from '../fuzz-target.ts';

function hex(...texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function grown(head: string, piece: string): (size: number) => Uint8Array {
  const [first, repeatedPiece] = hex(head, piece) as [Uint8Array, Uint8Array];
  return (size) =>
    Buffer.concat([
      first,
      ...Array(Math.max(0, Math.floor((size - first.length) / repeatedPiece.length))).fill(repeatedPiece),
    ]);
}

const association = { spi: 256, algorithm: 'hmac-md5', key: Buffer.alloc(16) } as const;

export const mobileIp: FuzzTarget = {
  name: 'mobile-ip',
  maximumOctets: 1500,
  corpus: mobileIpMessages,
  tokens: hex(
    '8300',
    '9006 0000 0000 0000',
    '2c06 0000 0000 0000',
    '9a01 0004 0401 0100',
    '2014 0000 0100',
    '8906 0000 0000 0001',
    '9a02 000a 0101 0101 0000 0000 00',
    '01',
    '7f00',
    '9101 78',
  ),
  // Type and length are all that is needed to find the next one.
  cut: (input) => {
    const cuts = [0, 24];
    for (let at = 24; at + 1 < input.length; cuts.push(at)) at += 2 + input[at + 1]!;
    return [...cuts.filter((cut) => cut < input.length), input.length];
  },
  check: (input) => {
    summarizeMobileIp(input);
    const received = decodeMessage(input);
    if (isMalformed(received)) return false;
    const { message, authentication } = received;
    if (authentication !== undefined) isAuthentic(input, authentication, association);
    for (const extension of message.extensions)
      if (extension.kind === 'flow-binding') toTunnelSelector(extension.selector, message.homeAddress);
    return roundTrips(message, encodeMessage, (again: Uint8Array) => {
      const decoded = decodeMessage(again);
      return isMalformed(decoded) ? decoded : decoded.message;
    });
  },
  families: {
    padding: grown('0102012c0a0000320a000001c000020ae9e3908012345678', '00'),
    'empty extensions': grown('0102012c0a0000320a000001c000020ae9e3908012345678', '8000'),
    authentications: grown('0102012c0a0000320a000001c000020ae9e3908012345678', '2005 00000100 00'),
  },
};

export const tunnelData: FuzzTarget = {
  name: 'tunnel-data',
  maximumOctets: 1500,
  corpus: [
    ...(['rfc3519', 'plain'] as const).map((encapsulation) =>
      encodeTunnelledEcho(
        { isReply: false, source: '10.0.0.50', destination: '10.0.0.1', identifier: 7, sequenceNumber: 8 },
        encapsulation,
      ),
    ),
  ],
  tokens: hex('04040000', '4500001c', '08', '00'),
  cut: (input) => [0, Math.min(4, input.length), Math.min(24, input.length), input.length],
  check: (input) => {
    isTunnelData(input);
    const isAccepted = (['rfc3519', 'plain'] as const).map((encapsulation) => {
      const packet = decodeTunnelData(input, encapsulation);
      if (isMalformed(packet)) return false;
      return roundTrips(
        decodeTunnelledEcho(packet),
        (echo) => encodeTunnelledEcho(echo, 'plain'),
        decodeTunnelledEcho,
      );
    });
    return isAccepted.includes(true);
  },
  families: { 'an echo': grown('4500001c', '00') },
};

export const stun: FuzzTarget = {
  name: 'stun',
  maximumOctets: 65_535,
  corpus: hex(
    '0001 0000 2112a442 000102030405060708090a0b',
    '0101 000c 2112a442 000102030405060708090a0b 0020 0008 0001 a147 e112a643',
    '0101 0018 2112a442 000102030405060708090a0b 0020 0014 0002 a147 0113a9fa a4a5a6a7 acadaeaf b0b1b2b3',
    '0111 0010 2112a442 000102030405060708090a0b 0009 0004 00000414 000a 0002 00030000',
    '0001 0008 2112a442 000102030405060708090a0b 0003 0004 00000006',
  ),
  tokens: hex('0020', '0008', '8022 0004 74657374', '0006 0001 61000000', '8028 0004 00000000', '2112a442'),
  cut: (input) => [0, Math.min(20, input.length), input.length],
  repair: (input) => {
    if (input.length < 20) return input;
    const whole = input.slice(0, input.length & ~3);
    new DataView(whole.buffer).setUint16(2, whole.length - 20);
    return whole;
  },
  check: (input) => {
    isStun(input);
    const message = decodeBinding(input);
    if (message === undefined) return false;
    for (const address of ['192.0.2.1', '2001:db8::1']) {
      const answer = decodeBinding(answerBinding(input, message, { address, port: 65_535 }));
      assert.ok(answer?.transactionId === message.transactionId, 'the answer is another one');
      if (message.unknown.length === 0) assert.deepEqual(answer.mapped, { address, port: 65_535 });
    }
    return true;
  },
  families: {
    attributes: (size) =>
      stun.repair!(grown('0001 0000 2112a442 000102030405060708090a0b', '00030000')(size)),
  },
};

export const rtp: FuzzTarget = {
  name: 'rtp',
  maximumOctets: 65_507,
  corpus: hex(
    `80000001 00000002 00000003 ${'55'.repeat(160)}`,
    'b2e0ffff ffffffff 00000003 00000004 00000005 bede0001 11223344 00000002',
  ),
  tokens: hex('bede0001', '00'),
  cut: (input) => [0, Math.min(12, input.length), input.length],
  check: (input) => {
    const packet = decodeRtpPacket(input);
    if (isMalformed(packet)) return false;
    const again = decodeRtpPacket(encodeRtpPacket(packet.header, packet.payload));
    assert.ok(!isMalformed(again));
    assert.deepEqual(again.header, packet.header);
    assert.equal(Buffer.compare(again.payload, packet.payload), 0);
    return true;
  },
  families: { 'a payload': grown('80000001 00000002 00000003', '55') },
};

export const netlink: FuzzTarget = {
  name: 'netlink',
  maximumOctets: 65_536,
  corpus: hex(
    '2c000000 10000000 01000000 00000000 00000100 02000000 43100100 00000000 0800 0300 6c6f0000 0600 0400 01000000',
    '14000000 03000000 01000000 00000000 00000000 24000000 02000000 01000000 00000000 edffffff 10000000 02000000 00000000 00000000',
  ),
  tokens: hex('14000000', '0400 0100', '0000', 'ffff'),
  cut: (input) => [0, Math.min(16, input.length), Math.min(32, input.length), input.length],
  check: (input) => {
    const messages = readNetlinkMessages(input);
    for (const { type, flags, sequence, payload } of messages) {
      readAttributes(payload.subarray(4));
      const attributes = listAttributes(payload);
      const writer = new NetlinkWriter(16);
      writer.beginMessage(type, flags, sequence, new Uint8Array());
      for (const attribute of attributes) writer.attribute(attribute.type, attribute.value);
      writer.endMessage();
      const again = readNetlinkMessages(writer.octets())[0]!;
      const values = (list: typeof attributes) =>
        list.map(({ type: name, value }) => [name, Buffer.from(value).toString('hex')]);
      assert.deepEqual([again.type, again.flags, again.sequence], [type, flags, sequence]);
      assert.deepEqual(values(listAttributes(again.payload)), values(attributes));
    }
    return messages.length > 0;
  },
  families: {
    messages: grown('', '10000000 10000000 01000000 00000000'),
    attributes: (size) => {
      const whole = grown('00000000 10000000 01000000 00000000', '04000100')(size);
      new DataView(whole.buffer, whole.byteOffset).setUint32(0, whole.length, true);
      return whole;
    },
  },
};
