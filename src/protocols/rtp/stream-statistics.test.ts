import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type StreamReport, StreamStatistics } from './stream-statistics.ts';

test('StreamStatistics: an undisturbed stream has nothing lost and no jitter, over the wrap of all counters', () => {
  const report = receive(Array.from({ length: 1000 }, (_, index) => 65_000 + index));
  assert.deepEqual(pick(report), { unique: 1000, lost: 0, duplicated: 0, reordered: 0 });
  assert.equal(report.jitterMs, 0);
  assert.equal(report.longestGapMs, 20);
});

test('StreamStatistics: a duplicate does not hide a loss, as it does in the standard’s own count', () => {
  const report = receive([1, 2, 2, 4, 5]);
  assert.deepEqual(pick(report), { unique: 4, lost: 1, duplicated: 1, reordered: 0 });
  assert.equal(report.cumulativeLost, 0);
});

test('StreamStatistics: an overtaken packet is reordered and not lost, even before the first', () => {
  assert.deepEqual(pick(receive([11, 10, 12, 14, 13])), { unique: 5, lost: 0, duplicated: 0, reordered: 2 });
});

test('StreamStatistics: counts distinct numbers, losses and duplicates of any shuffled stream exactly', () => {
  const stream = fc.array(fc.constantFrom(0, 1, 2), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(stream, fc.infiniteStream(fc.nat()), fc.nat(65535), (copies, order, first) => {
      const sent = copies.flatMap((count, index) => Array.from({ length: count }, () => index));
      fc.pre(sent.length > 0);
      const key = sent.map(() => order.next().value);
      const arrived = sent
        .map((number, index) => ({ number, key: key[index] ?? 0 }))
        .sort((a, b) => a.key - b.key);
      const numbers = arrived.map(({ number }) => number);
      const report = receive(numbers.map((number) => first + number));
      const unique = new Set(numbers).size;
      const span = Math.max(...numbers) - Math.min(...numbers) + 1;
      const { reordered: _, ...counted } = pick(report);
      assert.deepEqual(counted, { unique, lost: span - unique, duplicated: numbers.length - unique });
    }),
    { seed: 4 },
  );
});

test('StreamStatistics: a far jump is ignored until a second packet confirms it', () => {
  assert.equal(receive([1, 2, 20_000, 3]).restarts, 0);
  assert.deepEqual(pick(receive([1, 2, 20_000, 3])), { unique: 3, lost: 0, duplicated: 0, reordered: 0 });
  const restarted = receive([1, 2, 20_000, 20_001, 20_002]);
  assert.equal(restarted.restarts, 1);
  assert.deepEqual(pick(restarted), { unique: 4, lost: 0, duplicated: 0, reordered: 0 });
});

test('StreamStatistics: jitter follows RFC 3550 §A.8 in order of arrival', () => {
  const statistics = new StreamStatistics({ clockRateHz: 8000 });
  // Transit times 0, 5, 5 and 0 ms: |d| is 40, 0 and 40 timestamp units.
  [0, 25, 45, 60].forEach((arrivalAt, index) => {
    statistics.receive(headerOf(index), arrivalAt);
  });
  const expected = [40, 0, 40].reduce((jitter, difference) => jitter + (difference - jitter) / 16, 0);
  assert.equal(statistics.report().jitterMs, expected / 8);
  assert.equal(statistics.report().longestGapMs, 25);
  assert.equal(statistics.report().longestGapEndedAt, 25);
});

test('StreamStatistics: a report before the first packet is all zero', () => {
  assert.deepEqual(pick(receive([])), { unique: 0, lost: 0, duplicated: 0, reordered: 0 });
});

function receive(sequenceNumbers: readonly number[]): StreamReport {
  const statistics = new StreamStatistics({ clockRateHz: 8000 });
  sequenceNumbers.forEach((sequence, index) => {
    statistics.receive({ ...headerOf(sequence), timestamp: (0xffffff00 + 160 * index) >>> 0 }, 20 * index);
  });
  return statistics.report();
}

function headerOf(sequence: number) {
  return {
    payloadType: 8,
    marker: false,
    sequenceNumber: sequence & 0xffff,
    timestamp: (160 * sequence) >>> 0,
    ssrc: 1,
    contributingSources: [],
  };
}

function pick({ unique, lost, duplicated, reordered }: StreamReport) {
  return { unique, lost, duplicated, reordered };
}
