import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SegmentSequence } from './segment-sequence.ts';

const [transfer, terminal] = ['20000 5001', '20000 5002'];

test('SegmentSequence: complete once the octet ahead of the first that waits has come', () => {
  const sequence = new SegmentSequence();
  assert.equal(sequence.isComplete, false);
  sequence.came({ connection: transfer, sequence: 1000, length: 100 });
  assert.equal(sequence.isComplete, false);
  sequence.waits({ connection: transfer, sequence: 1200, length: 100 });
  sequence.waits({ connection: transfer, sequence: 1300, length: 100 });
  assert.equal(sequence.isComplete, false);
  sequence.came({ connection: transfer, sequence: 1100, length: 100 });
  assert.equal(sequence.isComplete, true);
});

test('SegmentSequence: what waits may become known last, and what is sent again moves nothing back', () => {
  const sequence = new SegmentSequence();
  sequence.came({ connection: transfer, sequence: 1100, length: 100 });
  sequence.came({ connection: transfer, sequence: 1000, length: 100 });
  sequence.waits({ connection: transfer, sequence: 1200, length: 100 });
  assert.equal(sequence.isComplete, true);
});

test('SegmentSequence: sequence numbers run over', () => {
  const sequence = new SegmentSequence();
  sequence.waits({ connection: transfer, sequence: 36, length: 100 });
  sequence.came({ connection: transfer, sequence: 0xffff_ff00, length: 256 });
  assert.equal(sequence.isComplete, false);
  sequence.came({ connection: transfer, sequence: 0, length: 36 });
  assert.equal(sequence.isComplete, true);
});

test('SegmentSequence: every connection that was seen counts', () => {
  const sequence = new SegmentSequence();
  sequence.came({ connection: terminal, sequence: 7, length: 36 });
  sequence.came({ connection: transfer, sequence: 0, length: 100 });
  sequence.waits({ connection: transfer, sequence: 100, length: 100 });
  assert.equal(sequence.isComplete, false);
  sequence.waits({ connection: terminal, sequence: 43, length: 36 });
  assert.equal(sequence.isComplete, true);
  sequence.clear();
  assert.equal(sequence.isComplete, false);
});

test('SegmentSequence: more connections than it remembers are never complete by mistake', () => {
  const sequence = new SegmentSequence();
  for (let port = 0; port < 100; port++) {
    sequence.came({ connection: `${port}`, sequence: 0, length: 10 });
    sequence.waits({ connection: `${port}`, sequence: port < 99 ? 10 : 20, length: 10 });
  }
  assert.equal(sequence.isComplete, false);
});
