import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../../base/malformed.ts';
import { StreamFramer } from './stream-framer.ts';

const options = 'OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello';
const short = 'OPTIONS sip:a@b SIP/2.0\r\nX: y\r\nl:\r\n  0\r\n\r\n';

test('StreamFramer: gives out each message once its last octet is there, however the stream is cut', () => {
  const stream = `${options}${short}\r\n${options}\r\n\r\n${short}`;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (sizes) => {
      assert.deepEqual(framesOf(stream, sizes), [options, short, options, 'ping', short]);
    }),
    { seed: 1 },
  );
});

test('StreamFramer: keeps nothing back of a message whose body holds an empty line', () => {
  const text = 'MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 8\r\n\r\na\r\n\r\nb\r\n';
  assert.deepEqual(framesOf(`${text}${options}`, [1, 2, 3]), [text, options]);
});

test('StreamFramer: a stream without a usable Content-Length is given up for good', () => {
  for (const line of [
    'X: y',
    'Content-Length: -1',
    'Content-Length: 1\r\nl: 2',
    'Content-Length: 70000',
    'Content-Length: 5x',
  ]) {
    const framer = new StreamFramer();
    framer.push(Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\n${line}\r\n\r\n`));
    assert.ok(isMalformed(framer.pollFrame()), line);
    framer.push(Buffer.from(options));
    assert.ok(isMalformed(framer.pollFrame()), line);
  }
});

test('StreamFramer: takes white space round the number, however much', () => {
  const spaces = ' \t'.repeat(30_000);
  const messageWith = (length: string): string => `OPTIONS sip:a@b SIP/2.0\r\nl:${spaces}${length}\r\n\r\n`;
  const message = messageWith('0 \t');
  assert.deepEqual(framesOf(message, [message.length]), [message]);
  const framer = new StreamFramer();
  framer.push(Buffer.from(messageWith('0 \t0')));
  assert.ok(isMalformed(framer.pollFrame()));
});

test('StreamFramer: headers without end are given up at the size limit', () => {
  const framer = new StreamFramer();
  framer.push(Buffer.alloc(65_535, 'a'));
  assert.equal(framer.pollFrame(), undefined);
  framer.push(Buffer.alloc(1, 'a'));
  assert.ok(isMalformed(framer.pollFrame()));
});

test('StreamFramer: headers that are too long and have no Content-Length are the same fault in one piece and in many', () => {
  const stream = Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\nX: ${'y'.repeat(65_535)}\r\n\r\n`);
  const faults = [stream.length, 1000].map((size) => {
    const framer = new StreamFramer();
    for (let at = 0; at < stream.length; at += size) {
      framer.push(stream.subarray(at, at + size));
      framer.pollFrame();
    }
    return String(framer.pollFrame());
  });
  assert.equal(faults[0], faults[1]);
  assert.match(faults[0]!, /longer than 65535/);
});

test('StreamFramer: no octets make it throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
      const framer = new StreamFramer();
      for (const chunk of chunks) {
        framer.push(chunk);
        for (
          let frame = framer.pollFrame();
          frame !== undefined && !isMalformed(frame);
          frame = framer.pollFrame()
        );
      }
    }),
    { seed: 1 },
  );
});

/** Feeds the text in pieces of the given sizes, over and over, and collects the frames. */
function framesOf(text: string, sizes: readonly number[]): string[] {
  const framer = new StreamFramer();
  const frames: string[] = [];
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const size = sizes[turn % sizes.length] ?? text.length;
    framer.push(Buffer.from(text.slice(at, at + size), 'latin1'));
    at += size;
    for (let frame = framer.pollFrame(); frame !== undefined; frame = framer.pollFrame()) {
      assert.ok(!isMalformed(frame));
      frames.push(frame.kind === 'ping' ? 'ping' : Buffer.from(frame.octets).toString('latin1'));
    }
  }
  return frames;
}
