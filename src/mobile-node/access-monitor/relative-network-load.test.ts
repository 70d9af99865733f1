import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RelativeNetworkLoad } from './relative-network-load.ts';

interface Sample {
  readonly rtt: number;
  readonly z: number;
  readonly J: number;
  readonly rnl: number;
}

const example: { networks: Record<string, { samples: Sample[] }> } = JSON.parse(
  readFileSync('test/data/mip-sip/rnl-worked-example.json', 'utf8'),
);

for (const [name, { samples }] of Object.entries(example.networks)) {
  test(`RelativeNetworkLoad: every row of the worked example for ${name}, with h = c = 5`, () => {
    const load = new RelativeNetworkLoad({ historyWindow: 5, jitterWeight: 5 });
    for (const { rtt, z, J, rnl } of samples) {
      load.addReply(rtt);
      close(printed(load.smoothedRttMs), z);
      // The example knows J_0 = |D_1| from the start; here it is 0 until the second sample (rnl is the same).
      if (load.samples > 1) close(printed(load.jitterMs), J);
      close(printed(load.value ?? Number.NaN), rnl);
    }
  });
}

test('RelativeNetworkLoad: a constant round trip is its own load', () => {
  const load = new RelativeNetworkLoad({ historyWindow: 5, jitterWeight: 5 });
  for (let n = 0; n < 100; n++) load.addReply(80);
  assert.equal(load.value, 80);
});

test('RelativeNetworkLoad: with h = 16 the jitter is that of RFC 3550, without its rounding', () => {
  const load = new RelativeNetworkLoad({ historyWindow: 16, jitterWeight: 1 });
  const roundTrips = [100, 116, 100, 132];
  let jitter = 16;
  for (const rtt of roundTrips) load.addReply(rtt);
  jitter += (16 - jitter) / 16;
  jitter += (32 - jitter) / 16;
  close(load.jitterMs, jitter);
});

test('RelativeNetworkLoad: is scale-free: a thousand times the round trips is a thousand times the load', () => {
  const [small, large] = [1, 1000].map(() => new RelativeNetworkLoad({ historyWindow: 5, jitterWeight: 5 }));
  for (const rtt of [20, 25, 90, 21]) {
    small?.addReply(rtt);
    large?.addReply(1000 * rtt);
  }
  close((large?.value ?? 0) / 1000, small?.value ?? Number.NaN);
});

test('RelativeNetworkLoad: an unanswered probe raises the load and counts until the next reply', () => {
  const load = new RelativeNetworkLoad({ historyWindow: 5, jitterWeight: 5 });
  load.addReply(20);
  load.addLoss(1000);
  load.addLoss(1000);
  assert.equal(load.missedProbes, 2);
  assert.ok((load.value ?? 0) > 1000);
  load.addReply(20);
  assert.equal(load.missedProbes, 0);
});

test('RelativeNetworkLoad: a loss counts for at least the last round trip', () => {
  const load = new RelativeNetworkLoad({ historyWindow: 1, jitterWeight: 1 });
  load.addReply(5000);
  load.addLoss(1000);
  assert.equal(load.smoothedRttMs, 5000);
});

test('RelativeNetworkLoad: has no value before the first sample', () => {
  assert.equal(new RelativeNetworkLoad({ historyWindow: 5, jitterWeight: 5 }).value, undefined);
});

/** The example is printed with six digits behind the point. */
function printed(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}
