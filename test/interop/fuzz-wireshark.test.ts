/**
 * What a codec takes of mutated messages and writes again is a message to somebody else too: Wireshark finds none of them malformed. (That
 * it wonders about values is another matter: those are the mutations.)
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isMalformed } from '../../src/base/malformed.ts';
import * as diameter from '../../src/protocols/diameter/message.ts';
import { avpList } from '../../src/protocols/diameter/test-avps.ts';
import type { Extension } from '../../src/protocols/mobile-ip/extension.ts';
import * as mobileIp from '../../src/protocols/mobile-ip/message.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { serializeSipMessage } from '../../src/protocols/sip/message/serialize-sip-message.ts';
import type { SipMessage } from '../../src/protocols/sip/message/sip-message.ts';
import { answerBinding, decodeBinding } from '../../src/protocols/sip/transport/stun-binding.ts';
import type { FuzzTarget } from '../fuzz/fuzz-target.ts';
import { createInput } from '../fuzz/mutator.ts';
import { diameterMessage, dictionary } from '../fuzz/targets/diameter.ts';
import * as packets from '../fuzz/targets/packets.ts';
import { sipMessage } from '../fuzz/targets/sip-message.ts';
import { dissect } from './wireshark.ts';

const wanted = 1000;
/** Wireshark 4.0 takes nothing for Diameter that is shorter: a header and one AVP with something in it. */
const shortestRecognised = 36;
const protocol = { tcp: 6, udp: 17 } as const;

test('Wireshark finds no SIP message malformed that we took of mutated ones and wrote again', (context) => {
  read(context, sipMessage, 'udp', 5060, 'sip', (input) => {
    const message = parseSipMessage(input);
    if (isMalformed(message) || !isPlain(message)) return undefined;
    // Bodies go through as they are. Wireshark 4.0 takes "Retry-After: 0" for malformed.
    message.body = '';
    message.headers.removeAll('Retry-After');
    return serializeSipMessage(message);
  });
});

test('Wireshark finds no Diameter message malformed that we took of mutated ones and wrote again', (context) => {
  read(context, diameterMessage, 'tcp', 3868, 'diameter', (input) => {
    const message = diameter.decodeMessage(input, dictionary);
    // What cannot be read in an answer is kept as it came.
    if (isMalformed(message) || !message.isRequest) return undefined;
    // Nor do we know what Wireshark expects in those that we pass over.
    const avps = avpList(message.avps, dictionary).filter(
      ({ definition }) => dictionary.avp(definition.vendor ?? 0, definition.code) !== undefined,
    );
    const octets = diameter.encodeMessage({ ...message, avps });
    return octets.length < shortestRecognised ? undefined : octets;
  });
});

test('Wireshark finds no Mobile IP message malformed that we took of mutated ones and wrote again', (context) => {
  read(context, packets.mobileIp, 'udp', 434, 'mip', (input) => {
    const received = mobileIp.decodeMessage(input);
    // Wireshark 4.0 does not know RFC 7629 and its long extensions.
    const isKnown = (extension: Extension) => !['multipath', 'flow-binding'].includes(extension.kind);
    if (isMalformed(received) || !received.message.extensions.every(isKnown)) return undefined;
    return mobileIp.encodeMessage(received.message);
  });
});

test('Wireshark finds no answer malformed that we gave to mutated STUN requests', (context) => {
  read(context, packets.stun, 'udp', 3478, 'stun', (input) => {
    const message = decodeBinding(input);
    return message && answerBinding(input, message, { address: '2001:db8::1', port: 4000 });
  });
});

/** What Wireshark knows for SIP: version 2.0, reasons in ASCII. */
function isPlain(message: SipMessage): boolean {
  return message.kind === 'request'
    ? message.version === 'SIP/2.0'
    : /^[\x20-\x7e]*$/.test(message.reasonPhrase);
}

function read(
  context: TestContext,
  target: FuzzTarget,
  transport: keyof typeof protocol,
  port: number,
  dissector: string,
  rewrite: (input: Uint8Array) => Uint8Array | undefined,
): void {
  const written: Buffer[] = [];
  for (let index = 0; written.length < wanted; index++) {
    const { input } = createInput(target, 1, index);
    const octets = rewrite(input);
    // Longer ones would need more than one packet.
    if (octets !== undefined && octets.length < 60_000)
      written.push(packetOf(octets, transport, port, written.length));
  }
  const dissection = dissect(context, written, `${dissector} and not _ws.malformed`, ['ip.id']);
  if (dissection === undefined) return;
  const read = new Set(dissection.lines.map((line) => Number(line)));
  const malformed = written.flatMap((packet, index) =>
    read.has(index) ? [] : [packet.toString('latin1', 28)],
  );
  assert.deepEqual(malformed, []);
}

/** IPv4 with UDP or TCP: each message from an address of its own, so that none belongs to what another began. */
function packetOf(
  payload: Uint8Array,
  transport: keyof typeof protocol,
  port: number,
  index: number,
): Buffer {
  const header = Buffer.alloc(transport === 'udp' ? 28 : 40);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(index, 4);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol[transport], 9);
  header.writeUInt32BE(0x0a000000 + index, 12);
  header.writeUInt32BE(0xc000020a, 16);
  header.writeUInt16BE(40_000, 20);
  header.writeUInt16BE(port, 22);
  if (transport === 'udp') header.writeUInt16BE(8 + payload.length, 24);
  else {
    header.writeUInt32BE(1, 24);
    header.writeUInt32BE(1, 28);
    header.writeUInt16BE(0x5018, 32);
    header.writeUInt16BE(0xffff, 34);
  }
  return Buffer.concat([header, payload]);
}
