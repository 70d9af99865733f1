import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DeadlineQueue } from './deadline-queue.ts';

test('DeadlineQueue: gives the keys out in the order of their deadlines, and only when they are due', () => {
  const queue = new DeadlineQueue<string>();
  queue.set('late', 30, 'c');
  queue.set('early', 10, 'a');
  queue.set('middle', 20, 'b');
  assert.deepEqual([queue.peek()?.at, queue.peek()?.reason], [10, 'a']);
  assert.equal(queue.takeDue(9), undefined);
  assert.deepEqual([queue.takeDue(20), queue.takeDue(20), queue.takeDue(20)], ['early', 'middle', undefined]);
  assert.equal(queue.size, 1);
});

test('DeadlineQueue: equal instants come out in the order in which they were set, moved keys last', () => {
  const queue = new DeadlineQueue<string>();
  for (const key of ['a', 'b', 'c']) queue.set(key, 5, key);
  queue.set('a', 5, 'again');
  assert.deepEqual(drain(queue, 5), ['b', 'c', 'a']);
});

test('DeadlineQueue: a key that was taken away never becomes due', () => {
  const queue = new DeadlineQueue<string>();
  queue.set('a', 1, '');
  queue.set('b', 2, '');
  queue.delete('a');
  queue.delete('never there');
  assert.deepEqual(drain(queue, 9), ['b']);
});

test('DeadlineQueue: behaves like a sorted list under any sequence of changes', () => {
  const change = fc.record({ key: fc.nat(20), at: fc.option(fc.nat(50), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
      const queue = new DeadlineQueue<number>();
      const model = new Map<number, number>();
      for (const { key, at } of changes) {
        // A map keeps the place of a key that it has: taking it out first puts the moved key behind its equals.
        model.delete(key);
        if (at === undefined) queue.delete(key);
        else {
          queue.set(key, at, '');
          model.set(key, at);
        }
      }
      const expected = [...model].sort(([, a], [, b]) => a - b).map(([key]) => key);
      assert.deepEqual(drain(queue, 50), expected);
    }),
    { seed: 3261, numRuns: 200 },
  );
});

test('DeadlineQueue: 100,000 keys that move all the time come out sorted', () => {
  const queue = new DeadlineQueue<number>();
  for (let round = 0; round < 3; round++) {
    for (let key = 0; key < 100_000; key++) queue.set(key, (key * 7919 + round * 104_729) % 100_003, '');
  }
  let last = -1;
  for (let count = 0; count < 100_000; count++) {
    const at = queue.peek()!.at;
    assert.ok(at >= last);
    last = at;
    queue.takeDue(at);
  }
  assert.equal(queue.size, 0);
});

function drain<Key>(queue: DeadlineQueue<Key>, now: number): Key[] {
  const keys: Key[] = [];
  for (let key = queue.takeDue(now); key !== undefined; key = queue.takeDue(now)) keys.push(key);
  return keys;
}
