/** SIP on TCP and TLS: the same frames however the octets are cut, and in each frame exactly what the parser takes for one message. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { isMalformed } from '../../../src/base/malformed.ts';
import { type RandomSource, randomBelow } from '../../../src/base/random-source.ts';
import { parseSipMessage } from '../../../src/protocols/sip/message/parse-sip-message.ts';
import { StreamFramer } from '../../../src/protocols/sip/message/stream-framer.ts';
import { sipMessages } from '../corpus.ts';
import { cutLines, type FuzzTarget, latin1, octets, repeated } from '../fuzz-target.ts';
import { sipTokens, withContentLength } from './sip-message.ts';

const withLength = sipMessages.filter((message) => /^(?:content-length|l)[ \t]*:/im.test(latin1(message)));
const head = 'OPTIONS sip:a@b SIP/2.0\r\n';

export const sipStream: FuzzTarget = {
  name: 'sip-stream',
  maximumOctets: 131_072,
  corpus: withLength.flatMap((message, index) => [
    message,
    Buffer.concat([
      message,
      octets('\r\n\r\n'),
      withLength[(index + 1) % withLength.length]!,
      octets('\r\n'),
      message,
    ]),
  ]),
  tokens: sipTokens,
  cut: cutLines,
  repair: withContentLength,
  check: (input, random) => {
    const frames = framesOf([input]);
    for (const frame of frames) isWholeMessage(frame);
    const cut = framesOf(parts(input, random));
    if (!isDeepStrictEqual(cut, frames)) assert.deepEqual(cut, frames);
    return frames.length > 0 && !frames.at(-1)!.startsWith('malformed');
  },
  families: {
    messages: repeated('', `${head}l:0\r\n\r\n`),
    'keep-alives': repeated('', '\r\n'),
    'one header without end': repeated(head, 'a: b\r\n'),
    'white space round a length': repeated(`${head}l:`, ' ', '0 x\r\n\r\n'),
    lengths: repeated(head, 'l: 0\r\n', '\r\n'),
    'folded length': repeated(`${head}l:`, '\r\n ', '0\r\n\r\n'),
    'a body': repeated(`${head}l: 65000\r\n\r\n`, '\r\n\r'),
  },
};

/** In words: the octets of each message, 'ping', and at last why no more can be cut out. */
function framesOf(chunks: readonly Uint8Array[]): string[] {
  const framer = new StreamFramer();
  const frames: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let frame = framer.pollFrame(); frame !== undefined; frame = framer.pollFrame()) {
      if (isMalformed(frame)) return [...frames, frame.toString()];
      frames.push(frame.kind === 'message' ? latin1(frame.octets) : 'ping');
    }
  }
  return frames;
}

/** Or else one peer sees two messages where another sees one. */
function isWholeMessage(frame: string): void {
  const message = parseSipMessage(octets(frame));
  if (isMalformed(message)) return;
  const bodyAt = frame.indexOf('\r\n\r\n') + 4;
  assert.equal(message.body.length, frame.length - bodyAt, 'framer and parser disagree about the body');
}

/** Sometimes octet by octet, mostly a few pieces. */
function parts(input: Uint8Array, random: RandomSource): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const longest = randomBelow(random, 8) === 0 ? Math.max(3, input.length >> 9) : 1 + (input.length >> 1);
  for (let at = 0; at < input.length; ) {
    const next = at + 1 + randomBelow(random, longest);
    chunks.push(input.subarray(at, next));
    at = next;
  }
  return chunks;
}
