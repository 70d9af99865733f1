import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  identificationOf,
  isLater,
  lowerHalf,
  ntpSeconds,
  ntpTimestamp,
  timestampDifferenceMs,
  upperHalf,
} from './timestamp.ts';

test('ntpTimestamp: the epochs of Unix and of NTP, and the fraction', () => {
  assert.equal(ntpTimestamp(0), 2_208_988_800n << 32n);
  assert.equal(ntpTimestamp(500), (2_208_988_800n << 32n) | 0x8000_0000n);
  assert.equal(upperHalf(ntpTimestamp(1_715_171_456_000)), ntpSeconds(1_715_171_456_000));
});

test('ntpTimestamp: goes on over the end of the first NTP era in 2036', () => {
  const endOfEra = (2 ** 32 - 2_208_988_800) * 1000;
  assert.equal(ntpTimestamp(endOfEra), 0n);
  assert.ok(isLater(ntpTimestamp(endOfEra + 1), ntpTimestamp(endOfEra - 1)));
  assert.ok(
    Math.abs(timestampDifferenceMs(ntpTimestamp(endOfEra + 250), ntpTimestamp(endOfEra - 250)) - 500) < 0.01,
  );
});

test('isLater: neither of two equal ones', () => {
  assert.equal(isLater(7n, 7n), false);
  assert.equal(isLater(6n, 7n), false);
});

test('identificationOf: joins what upperHalf and lowerHalf take apart', () => {
  const identification = 0xe9e3_9100_9234_5678n;
  assert.equal(identificationOf(upperHalf(identification), lowerHalf(identification)), identification);
});
