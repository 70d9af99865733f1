import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccessCandidate, AccessPolicy, type AccessPolicyOptions } from './access-policy.ts';

interface Example {
  networks: Record<
    string,
    { coverage: 'large' | 'small'; P: number; C: number; samples: { rnl: number; U: number }[] }
  >;
  decisions: { n: number; U: Record<string, number>; from: string; to: string; handover: boolean }[];
}

const example: Example = JSON.parse(readFileSync('test/data/mip-sip/rnl-worked-example.json', 'utf8'));

const options: AccessPolicyOptions = {
  powerWeight: 0.2,
  costWeight: 0.3,
  loadWeight: 0.5,
  hysteresis: 0.2,
  equalCoverageHysteresis: 0,
  warmUpSamples: 1,
  dwellMs: 0,
  penaltyMs: 30_000,
};

const umts = candidate('umts', { coverage: 'large', power: 2, cost: 5, load: 100 });
const wlan = candidate('wlan', { load: 20 });
const wimax = candidate('wimax', { power: 1.5, cost: 2, load: 40 });

test('AccessPolicy: every decision of the worked example, with its utilities', () => {
  const policy = new AccessPolicy(options);
  for (const { n, U, from, to } of example.decisions) {
    const candidates = Object.entries(example.networks).map(([name, { coverage, P, C, samples }]) =>
      candidate(name, { coverage, power: P, cost: C, load: samples[n]?.rnl ?? Number.NaN, samples: n + 1 }),
    );
    const decision = policy.decide(candidates, from, n);
    assert.equal(decision.chosen, to, `sample ${n}`);
    for (const { name, utility } of decision.judgements)
      assert.ok(
        Math.abs((utility ?? Number.NaN) - (U[name] ?? Number.NaN)) < 1e-6,
        `${name} at ${n}: ${utility}`,
      );
  }
});

test('AccessPolicy: large to small coverage needs more than the hysteresis, the way back does not', () => {
  const near = candidate('wlan', { power: 2, cost: 5, load: 70 });
  assert.equal(choose([umts, near], 'umts'), 'umts');
  assert.equal(
    new AccessPolicy(options).decide([umts, near], 'umts', 0).judgements[1]?.verdict,
    'within hysteresis',
  );
  assert.equal(choose([umts, near], 'umts', { hysteresis: 0 }), 'wlan');
  assert.equal(choose([umts, candidate('wlan', { power: 2, cost: 5, load: 101 })], 'wlan'), 'umts');
});

test('AccessPolicy: equal coverage has a hysteresis of its own', () => {
  const loaded = candidate('wlan', { load: 200 });
  assert.equal(choose([loaded, wimax], 'wlan'), 'wimax');
  assert.equal(choose([loaded, wimax], 'wlan', { equalCoverageHysteresis: 1 }), 'wlan');
});

test('AccessPolicy: each weight decides', () => {
  const cheap = candidate('cheap', { power: 9, cost: 1, load: 50 });
  const frugal = candidate('frugal', { power: 1, cost: 9, load: 50 });
  const idle = candidate('idle', { power: 9, cost: 9, load: 1 });
  const all = [cheap, frugal, idle];
  assert.equal(choose(all, undefined, { powerWeight: 0.8, costWeight: 0.1, loadWeight: 0.1 }), 'frugal');
  assert.equal(choose(all, undefined, { powerWeight: 0.1, costWeight: 0.8, loadWeight: 0.1 }), 'cheap');
  assert.equal(choose(all, undefined, { powerWeight: 0.1, costWeight: 0.1, loadWeight: 0.8 }), 'idle');
});

test('AccessPolicy: an access warms up before it is handed over to, unless there is no other', () => {
  const fresh = candidate('wlan', { load: 1, samples: 2 });
  assert.equal(choose([umts, fresh], 'umts', { warmUpSamples: 3 }), 'umts');
  assert.equal(choose([umts, fresh], 'umts', { warmUpSamples: 2 }), 'wlan');
  assert.equal(
    choose([candidate('wlan', { load: undefined, samples: 0 })], undefined, { warmUpSamples: 3 }),
    'wlan',
  );
});

test('AccessPolicy: an access whose probes stay unanswered is left at once, whatever hysteresis and dwell time say', () => {
  const dead = candidate('wlan', { load: 1, isAnswering: false });
  const policy = new AccessPolicy({ ...options, dwellMs: 60_000, hysteresis: 100 });
  policy.handoverCompleted(0);
  assert.equal(policy.decide([umts, dead], 'wlan', 1).chosen, 'umts');
  assert.equal(policy.decide([umts, { ...dead, isAnswering: true }], 'wlan', 1).chosen, 'wlan');
});

test('AccessPolicy: an access never wins while its probes are unanswered', () => {
  assert.equal(choose([umts, candidate('wlan', { load: 1, isAnswering: false })], 'umts'), 'umts');
});

test('AccessPolicy: a saw-tooth load causes at most one handover per dwell time', () => {
  const policy = new AccessPolicy({ ...options, dwellMs: 10_000 });
  let current = 'wlan';
  let handovers = 0;
  for (let now = 0; now < 60_000; now += 100) {
    const load = now % 2000 < 1000 ? 10 : 1000;
    const { chosen } = policy.decide(
      [candidate('wlan', { load }), candidate('wimax', { load: 100 })],
      current,
      now,
    );
    if (chosen === undefined || chosen === current) continue;
    current = chosen;
    handovers++;
    policy.handoverCompleted(now);
  }
  assert.ok(handovers >= 2 && handovers <= 7, `${handovers} handovers in 60 s`);
});

test('AccessPolicy: an access that refused a handover waits for its penalty, and is a last resort meanwhile', () => {
  const policy = new AccessPolicy(options);
  policy.handoverFailed('wlan', 0);
  assert.equal(policy.decide([umts, wlan], 'umts', 29_999).chosen, 'umts');
  assert.equal(policy.decide([umts, wlan], 'umts', 30_000).chosen, 'wlan');
  assert.equal(policy.decide([wlan], undefined, 1).chosen, 'wlan');
});

test('AccessPolicy: says no access when there is none', () => {
  assert.equal(choose([], 'wlan'), undefined);
});

test('AccessPolicy: does not change its mind with the unit of the load, nor with the order of candidates', () => {
  const loads = fc.array(fc.double({ min: 0.1, max: 5000, noNaN: true }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(loads, fc.constantFrom('umts', 'wlan', 'wimax'), ([a = 1, b = 1, c = 1], current) => {
      const build = (factor: number): AccessCandidate[] => [
        { ...umts, load: a * factor },
        { ...wlan, load: b * factor },
        { ...wimax, load: c * factor },
      ];
      const chosen = choose(build(1), current);
      assert.equal(choose(build(1024), current), chosen);
      assert.equal(choose(build(1).reverse(), current), chosen);
    }),
    { seed: 20_261_121 },
  );
});

test('AccessPolicy: inside the hysteresis band nothing moves, however the load swings', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.39, noNaN: true }), { maxLength: 50 }), (swings) => {
      const policy = new AccessPolicy(options);
      for (const [now, swing] of swings.entries()) {
        // a = 0.2 and w_b = 0.5 make a band of e^0.4 in load.
        const near = candidate('wlan', { power: 2, cost: 5, load: 100 * Math.exp(-swing) });
        assert.equal(policy.decide([umts, near], 'umts', now).chosen, 'umts');
      }
    }),
    { seed: 20_261_121 },
  );
});

function candidate(name: string, parts: Partial<AccessCandidate>): AccessCandidate {
  return {
    name,
    coverage: 'small',
    power: 1,
    cost: 1,
    load: 50,
    samples: 10,
    isBound: true,
    isAnswering: true,
    ...parts,
  };
}

function choose(
  candidates: readonly AccessCandidate[],
  current: string | undefined,
  changes: Partial<AccessPolicyOptions> = {},
): string | undefined {
  return new AccessPolicy({ ...options, ...changes }).decide(candidates, current, 0).chosen;
}
