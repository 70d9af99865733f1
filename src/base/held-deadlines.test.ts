import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deadline } from './deadline-heap.ts';
import { HeldDeadlines } from './held-deadlines.ts';

test('HeldDeadlines: each holder has at most one deadline, which it is rid of when it was taken or taken away', () => {
  const deadlines = new HeldDeadlines<Holder>();
  const [early, late, never] = [new Holder(), new Holder(), new Holder()];
  deadlines.set(late, 30, 'late');
  deadlines.set(early, 40, 'at first');
  deadlines.set(never, 5, 'never');
  deadlines.set(early, 10, 'early');
  deadlines.delete(never);
  deadlines.delete(never);
  assert.deepEqual([deadlines.peek()?.at, deadlines.peek()?.reason], [10, 'early']);
  assert.equal(deadlines.takeDue(9), undefined);
  assert.deepEqual([deadlines.takeDue(30), deadlines.takeDue(30)], [early, late]);
  assert.equal(deadlines.takeDue(99), undefined);
  assert.deepEqual([early.deadline, late.deadline, never.deadline], [undefined, undefined, undefined]);
  deadlines.set(late, 50, 'again');
  assert.equal(deadlines.takeDue(50), late);
});

class Holder {
  deadline: Deadline<Holder> | undefined = undefined;
}
