import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OctetWriter } from './octet-writer.ts';

test('OctetWriter: messages stay as they were written, whatever is written behind them', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.nat(9000).map((length) => 'x'.repeat(length)),
  );
  const message = fc.record({ texts: fc.array(text, { maxLength: 5 }), isFinished: fc.boolean() });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
      const writer = new OctetWriter();
      const finished: [Buffer, Buffer][] = [];
      for (const { texts, isFinished } of messages) {
        const expected = expectedOf(texts);
        writer.begin();
        writer.uint32(0xffff_ffff);
        for (const one of texts) {
          writer.text(one);
          writer.pad();
        }
        writer.patchUint24(1, writer.length);
        assert.equal(writer.length, expected.length);
        if (isFinished) finished.push([writer.finish(), expected]);
      }
      for (const [octets, expected] of finished) assert.deepEqual(octets, expected);
    }),
    { seed: 6733, numRuns: 30 },
  );
});

/** 0xff, the length in three octets, the texts with zeros up to a multiple of four. */
function expectedOf(texts: readonly string[]): Buffer {
  const padded = texts.map((text) => {
    const octets = Buffer.from(text);
    return Buffer.concat([octets, Buffer.alloc(-octets.length & 3)]);
  });
  const message = Buffer.concat([Buffer.alloc(4, 0xff), ...padded]);
  message.writeUIntBE(message.length, 1, 3);
  return message;
}
