import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deadline } from '../../../base/deadline-heap.ts';
import { TransactionDeadlines } from './transaction-deadlines.ts';

test('TransactionDeadlines: all come out when they are due, those that only absorb among the others', () => {
  const deadlines = new TransactionDeadlines<Timed>();
  const [first, second, other] = [timed('first', 500), timed('second', 600), timed('other', 550)];
  for (const one of [first, second, other]) deadlines.note(one);
  wake(first, 32_100, true);
  wake(second, 32_200, true);
  wake(other, 32_150, false);
  for (const one of [first, second, other]) deadlines.note(one);
  assert.equal(deadlines.peek()?.at, 32_100);
  assert.equal(deadlines.takeDue(32_099), undefined);
  const due = Array.from({ length: 4 }, () => deadlines.takeDue(32_200)?.name);
  assert.deepEqual([...due].sort(), ['first', 'other', 'second', undefined]);
  assert.equal(deadlines.peek(), undefined);
});

test('TransactionDeadlines: one that wants nothing any more is not woken', () => {
  const deadlines = new TransactionDeadlines<Timed>();
  const one = timed('one', 500);
  deadlines.note(one);
  one.at = Number.POSITIVE_INFINITY;
  deadlines.note(one);
  assert.equal(deadlines.takeDue(1_000), undefined);
});

interface Timed {
  readonly name: string;
  readonly reason: string;
  at: number;
  isAbsorbing: boolean;
  isInLine: boolean;
  deadline: Deadline<Timed> | undefined;
}

function timed(name: string, at: number): Timed {
  return { name, reason: '', at, isAbsorbing: false, isInLine: false, deadline: undefined };
}

function wake(one: Timed, at: number, isAbsorbing: boolean): void {
  one.at = at;
  one.isAbsorbing = isAbsorbing;
}
