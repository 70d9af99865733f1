/** A short run of every codec; `npm run fuzz` makes long ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThread } from './fuzz-worker.ts';
import { createInput } from './mutator.ts';
import { fuzzTargets } from './targets/index.ts';

const seed = 1;
const inputs = 5_000;
/** What hangs, hangs for ever; a machine that is busy with something else may take its time. */
const deadlineMs = 20_000;
/** Compiled code, and what the garbage collector has not found yet. */
const growthLimitOctets = 8 * 1024 * 1024;

for (const target of fuzzTargets) {
  const { name } = target;

  test(`${name}: ${inputs} mutated inputs (seed ${seed}) break no property, and leave nothing behind`, async () => {
    const report = await runInThread(name, { kind: 'inputs', seed, from: 0, inputs }, deadlineMs);
    assert.deepEqual(report.findings, []);
    assert.ok(report.growthOctets < growthLimitOctets, `${report.growthOctets} octets more`);
    assert.ok(report.accepted > inputs / 100, 'nearly nothing is accepted: the mutations are too coarse');
    assert.ok(report.accepted < inputs, 'everything is accepted');
  });

  test(`${name}: the largest inputs that hostile peers can make come to an end`, async () => {
    const growths = await runInThread(name, { kind: 'growth', tries: 1 }, deadlineMs);
    for (const { octets } of growths) assert.ok(octets.at(-1)! > 0.9 * target.maximumOctets);
  });
}

test('createInput: the same input for the same codec, seed and number', () => {
  const target = fuzzTargets[0]!;
  const made = [7, 8, 7].map((index) => Buffer.from(createInput(target, seed, index).input).toString('hex'));
  assert.equal(made[0], made[2]);
  assert.notEqual(made[0], made[1]);
});
