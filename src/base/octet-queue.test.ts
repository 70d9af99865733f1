import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OctetQueue } from './octet-queue.ts';

test('OctetQueue: gives out what was pushed, in order, however it is pushed and taken', () => {
  const step = fc.record({ push: fc.uint8Array({ maxLength: 9000 }), take: fc.nat(9000) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const queue = new OctetQueue();
      let expected = Buffer.alloc(0);
      for (const { push, take } of steps) {
        queue.push(push);
        expected = Buffer.concat([expected, push]);
        assert.deepEqual(queue.waiting, expected);
        const count = Math.min(take, queue.length);
        assert.deepEqual(queue.take(count), expected.subarray(0, count));
        expected = expected.subarray(count);
        assert.equal(queue.length, expected.length);
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('OctetQueue: what was taken out stays as it is, and nothing is there after clear', () => {
  const queue = new OctetQueue();
  queue.push(Uint8Array.of(1, 2, 3));
  const taken = queue.take(2);
  queue.clear();
  queue.push(Uint8Array.of(9, 9, 9));
  assert.deepEqual([...taken], [1, 2]);
  assert.deepEqual([...queue.waiting], [9, 9, 9]);
});
