/** Diameter messages with the AVPs of the base protocol, Cx and NAT control (RFC 6733, TS 29.229, RFC 6736), and their framing on TCP. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { isMalformed, type Malformed } from '../../../src/base/malformed.ts';
import { randomBelow } from '../../../src/base/random-source.ts';
import { summarizeDiameter } from '../../../src/observation/message-summary.ts';
import { type Avps, avp, avpValues } from '../../../src/protocols/diameter/avp.ts';
import { encodeAvps } from '../../../src/protocols/diameter/avp-writing.ts';
import { baseApplication, baseAvps } from '../../../src/protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps } from '../../../src/protocols/diameter/dictionary/cx.ts';
import { Dictionary } from '../../../src/protocols/diameter/dictionary/dictionary.ts';
import {
  natControlApplication,
  natControlAvps,
} from '../../../src/protocols/diameter/dictionary/nat-control.ts';
import { maximumMessageOctets } from '../../../src/protocols/diameter/limits.ts';
import {
  answerHeader,
  checkRequired,
  type DiameterMessage,
  decodeMessage,
  encodeMessage,
  failureAvps,
  MalformedMessage,
} from '../../../src/protocols/diameter/message.ts';
import { MessageFramer } from '../../../src/protocols/diameter/message-framer.ts';
import {
  componentsOf,
  decodeDefinition,
  type NatComponent,
  type NatDefinition,
  writeComponents,
  writeDefinition,
} from '../../../src/protocols/diameter/nat-control.ts';
import { withAvpList } from '../../../src/protocols/diameter/test-avps.ts';
import { diameterMessages } from '../corpus.ts';
import { type FuzzTarget, octets, roundTrips } from '../fuzz-target.ts';

export const dictionary: Dictionary = new Dictionary([baseApplication, cxApplication, natControlApplication]);
const header = {
  commandCode: 330,
  applicationId: 12,
  isRequest: true,
  isProxiable: true,
  isError: false,
  isRetransmitted: false,
  hopByHopId: 1,
  endToEndId: 2,
};
const component = {
  protocol: 'udp',
  mobileNode: { address: '10.1.0.2', port: 4000 },
  correspondent: { address: '2001:db8::2', port: 4002 },
  towardsCorrespondent: { address: '192.0.2.1', port: 30_000 },
  inCounters: { packets: 7, octets: 2 ** 40 },
} as const;

/** A NAT control request with two components, and a Cx answer with authentication data inside groups. */
const corpus: readonly Uint8Array[] = [
  ...diameterMessages,
  encodeMessage({
    ...header,
    avps: [
      avp(baseAvps.sessionId, 'as;1;2'),
      avp(baseAvps.originHost, 'as.home1.net'),
      avp(natControlAvps.install, definitionsOf(component)),
      avp(natControlAvps.install, definitionsOf({ protocol: 'tcp' })),
    ],
  }),
  encodeMessage({
    ...header,
    ...{ commandCode: 303, applicationId: 16_777_216, isRequest: false },
    avps: [
      avp(cxAvps.sipAuthDataItem, [
        avp(cxAvps.sipItemNumber, 1),
        avp(cxAvps.sipAuthenticationScheme, 'Digest-AKAv1-MD5'),
        avp(cxAvps.sipAuthenticate, octets('0123456789abcdef')),
      ]),
      avp(baseAvps.failedAvp, [avp(baseAvps.resultCode, 2001)]),
    ],
  }),
];

/** AVP headers to be put in: unknown and mandatory, unknown of a vendor, an empty group, one that ends too late. */
const tokens: readonly Uint8Array[] = [
  ...['0001869f4000000c00000001', '000f423fc000000c000028af', '000001174000000800000107', '000001074000ffff'],
  ...[
    '0000010a4000000c000028af',
    '000001160000000c00000000',
    '0000010140000012000220010db8',
    '00000001',
    '40000008',
  ],
].map((hex) => Buffer.from(hex, 'hex'));

export const diameterMessage: FuzzTarget = {
  name: 'diameter-message',
  maximumOctets: maximumMessageOctets,
  corpus,
  tokens,
  cut: cutAvps,
  repair: withLength,
  check: (input, random) => {
    // It reads the message anew, so it does not have to every time.
    if (randomBelow(random, 8) === 0) summarizeDiameter(input);
    const message = decodeMessage(input, dictionary);
    if (message instanceof MalformedMessage) {
      isAnswered(message);
      return false;
    }
    const command = dictionary.command(message.applicationId, message.commandCode);
    if (command !== undefined) checkRequired(message, command);
    for (const install of avpValues(message.avps, natControlAvps.install)) readInstall(install);
    return roundTrips(withAvpList(message, dictionary), encodeMessage, readList);
  },
  families: {
    'least AVPs': grown('0001869f00000008'),
    'unknown mandatory AVPs': grown('0001869f40000008'),
    'empty groups': grown('0000010440000008'),
    'groups of a definition': grown('000001f840000008'),
    'AVPs without length': grown('0000000000000000'),
    'one long text': (size) => withLength(grownAvp('00000107', 0x40, size)),
    'one long identity': (size) => withLength(grownAvp('00000108', 0x40, size)),
    'groups in groups': (size) => withLength(nested(size)),
  },
};

export const diameterStream: FuzzTarget = {
  name: 'diameter-stream',
  maximumOctets: maximumMessageOctets,
  corpus: corpus.map((message, index) =>
    Buffer.concat([message, corpus[(index + 1) % corpus.length]!, message]),
  ),
  tokens,
  cut: cutAvps,
  check: (input, random) => {
    const messages = framesOf([input]);
    const chunks: Uint8Array[] = [];
    const longest = 1 + randomBelow(random, input.length);
    for (let at = 0; at < input.length; at += chunks.at(-1)!.length)
      chunks.push(input.subarray(at, at + 1 + randomBelow(random, longest)));
    const cut = framesOf(chunks);
    if (!isDeepStrictEqual(cut, messages)) assert.deepEqual(cut, messages);
    return messages.length > 0 && !messages.at(-1)!.startsWith('malformed');
  },
  families: { 'least messages': (size) => Buffer.concat(Array(Math.floor(size / 20)).fill(watchdog)) },
};
const watchdog = Buffer.from('0100001480000118000000000000000100000001', 'hex');

function framesOf(chunks: readonly Uint8Array[]): string[] {
  const framer = new MessageFramer();
  const frames: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      if (isMalformed(frame)) return [...frames, frame.toString()];
      frames.push(Buffer.from(frame).toString('latin1'));
    }
  }
  return frames;
}

/** The answer to what could not be read is a message. */
function isAnswered(failure: MalformedMessage): void {
  if (failure.header === undefined) return;
  const answer: DiameterMessage = {
    ...answerHeader(failure.header, failure.resultCode),
    avps: failureAvps(failure),
  };
  const again = decodeMessage(encodeMessage(answer), dictionary);
  assert.ok(!isMalformed(again), `the answer is ${again}`);
}

function readList(octets: Uint8Array): DiameterMessage | MalformedMessage {
  const message = decodeMessage(octets, dictionary);
  return message instanceof MalformedMessage ? message : withAvpList(message, dictionary);
}

function definitionsOf(one: NatComponent): Avps {
  return encodeAvps((writer) => writeComponents(writer, [one]));
}

function readInstall(avps: Avps): void {
  const definitions = avpValues(avps, natControlAvps.definition)
    .map(decodeDefinition)
    .flatMap((definition) => (isMalformed(definition) ? [] : [definition]));
  for (const definition of definitions) roundTrips(definition, encodeDefinition, readDefinition);
  componentsOf(definitions);
}

function encodeDefinition(definition: NatDefinition): Avps {
  return encodeAvps((writer) => writeDefinition(writer, definition));
}

function readDefinition(avps: Avps): NatDefinition | Malformed | undefined {
  const [definition] = avpValues(avps, natControlAvps.definition);
  return definition && decodeDefinition(definition);
}

/** Behind the header and each AVP that can be found. */
function cutAvps(input: Uint8Array): readonly number[] {
  const cuts = [0, Math.min(20, input.length)];
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  for (let at = 20; at + 8 <= input.length; ) {
    at += (Math.max(8, view.getUint32(at + 4) & 0xff_ffff) + 3) & ~3;
    cuts.push(Math.min(at, input.length));
  }
  return cuts;
}

/** Message Length, and what it takes to a multiple of four. */
function withLength(input: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.max(20, (input.length + 3) & ~3));
  whole.set(input);
  new DataView(whole.buffer).setUint32(0, 0x0100_0000 | (whole.length & 0xff_ffff));
  return whole;
}

function grown(hex: string): (size: number) => Uint8Array {
  const piece = Buffer.from(hex, 'hex');
  const request = encodeMessage({ ...header, avps: [] });
  return (size) =>
    withLength(Buffer.concat([request, ...Array(Math.floor((size - 20) / piece.length)).fill(piece)]));
}

function grownAvp(code: string, flags: number, size: number): Uint8Array {
  const avpHeader = Buffer.from(`${code}00000000`, 'hex');
  avpHeader.writeUInt32BE((size - 20) | (flags << 24), 4);
  return Buffer.concat([encodeMessage({ ...header, avps: [] }), avpHeader, Buffer.alloc(size - 28, 0x61)]);
}

/** Proxy-Info in Proxy-Info, as deep as the octets allow. */
function nested(size: number): Uint8Array {
  const groups: Buffer[] = [];
  for (let rest = size - 20; rest >= 8; rest -= 8) {
    const group = Buffer.from('0000011c40000000', 'hex');
    group.writeUInt32BE((rest & ~3) | 0x4000_0000, 4);
    groups.push(group);
  }
  return Buffer.concat([encodeMessage({ ...header, avps: [] }), ...groups]);
}
