import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../base/malformed.ts';
import { maximumMessageOctets } from './limits.ts';
import { MessageFramer } from './message-framer.ts';

test('MessageFramer finds the same messages however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 5, max: 40 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 30 }),
      (lengths, cuts) => {
        const messages = lengths.map((words, index) => messageOf(words * 4, index));
        const stream = new Uint8Array(Buffer.concat(messages));
        assert.deepEqual(framed(stream, cuts), messages);
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test('MessageFramer gives up on a length that cannot be right', () => {
  for (const length of [0, 16, 21, maximumMessageOctets + 4]) {
    const framer = new MessageFramer();
    const octets = new Uint8Array(20);
    new DataView(octets.buffer).setUint32(0, 0x0100_0000 | length);
    framer.push(octets);
    assert.ok(isMalformed(framer.next()), `length ${length}`);
  }
});

function messageOf(length: number, filling: number): Uint8Array {
  const message = new Uint8Array(length).fill(filling);
  new DataView(message.buffer).setUint32(0, 0x0100_0000 | length);
  return message;
}

function framed(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const framer = new MessageFramer();
  const found: Uint8Array[] = [];
  for (let at = 0, cut = 0; at < stream.length; cut++) {
    const size = cuts[cut % cuts.length] ?? 1;
    framer.push(stream.subarray(at, at + size));
    at += size;
    for (let next = framer.next(); next !== undefined; next = framer.next()) {
      if (isMalformed(next)) assert.fail(next.toString());
      found.push(new Uint8Array(next));
    }
  }
  return found;
}
