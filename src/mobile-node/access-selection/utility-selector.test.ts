import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessDecision, AccessSituation } from './access-selector.ts';
import { type AccessScores, UtilitySelector, type UtilitySelectorOptions } from './utility-selector.ts';

const umts: AccessScores = { name: 'umts', coverage: 'large', power: 2, cost: 5 };
const wlan: AccessScores = { name: 'wlan', coverage: 'small', power: 1, cost: 1 };
const wimax: AccessScores = { name: 'wimax', coverage: 'small', power: 1, cost: 1 };

const options: UtilitySelectorOptions = {
  load: { historyWindow: 5, jitterWeight: 5 },
  policy: {
    powerWeight: 0.2,
    costWeight: 0.3,
    loadWeight: 0.5,
    hysteresis: 0.2,
    equalCoverageHysteresis: 0,
    warmUpSamples: 1,
    dwellMs: 0,
    penaltyMs: 30_000,
  },
  accesses: [umts, wlan, wimax],
};

test('UtilitySelector: takes a node from the loaded access to the better one, and says every number of it', () => {
  const selector = new UtilitySelector(options);
  feed(selector, 'umts', 100);
  feed(selector, 'wlan', 20);
  const decision = decide(selector, 'umts');
  assert.equal(decision.chosen, 'wlan');
  const [before, after] = decision.judgements;
  const numbersOfUmts = { P: 2, C: 5, z: 100, J: 0, RNL: 100, samples: 1, missed: 0, U: utility(umts, 100) };
  assert.deepEqual(before, { access: 'umts', verdict: 'in use', numbers: numbersOfUmts });
  assert.equal(after?.numbers['below'], utility(umts, 100) - 0.2);
  assert.equal(after?.numbers['U'], utility(wlan, 20));
});

test('UtilitySelector: h changes the decision: how soon one slow round trip counts', () => {
  const chosen = (historyWindow: number): string | undefined => {
    const selector = new UtilitySelector({ ...options, load: { historyWindow, jitterWeight: 0.001 } });
    for (let n = 0; n < 5; n++) feed(selector, 'wlan', 20);
    feed(selector, 'wimax', 40);
    feed(selector, 'wlan', 60);
    return decide(selector, 'wlan').chosen;
  };
  assert.equal(chosen(16), 'wlan');
  assert.equal(chosen(1), 'wimax');
});

test('UtilitySelector: c changes the decision: how much an unsteady access is worth', () => {
  const chosen = (jitterWeight: number): string | undefined => {
    const selector = new UtilitySelector({ ...options, load: { historyWindow: 5, jitterWeight } });
    for (let n = 0; n < 20; n++) feed(selector, 'wlan', n % 2 === 0 ? 10 : 50);
    for (let n = 0; n < 20; n++) feed(selector, 'wimax', 60);
    return decide(selector, 'wlan').chosen;
  };
  assert.equal(chosen(0.1), 'wlan');
  assert.equal(chosen(5), 'wimax');
});

test('UtilitySelector: power and cost of an access change the decision', () => {
  const chosen = (changes: Partial<AccessScores>): string | undefined => {
    const selector = new UtilitySelector({ ...options, accesses: [umts, wlan, { ...wimax, ...changes }] });
    feed(selector, 'wlan', 40);
    feed(selector, 'wimax', 20);
    return decide(selector, 'wlan').chosen;
  };
  assert.equal(chosen({}), 'wimax');
  assert.equal(chosen({ power: 10 }), 'wlan');
  assert.equal(chosen({ cost: 10 }), 'wlan');
});

test('UtilitySelector: the coverage of an access changes the decision: a is for large to small only', () => {
  const chosen = (coverage: AccessScores['coverage']): string | undefined => {
    const selector = new UtilitySelector({ ...options, accesses: [{ ...wlan, coverage }, wimax] });
    feed(selector, 'wlan', 22);
    feed(selector, 'wimax', 20);
    return decide(selector, 'wlan').chosen;
  };
  assert.equal(chosen('small'), 'wimax');
  assert.equal(chosen('large'), 'wlan');
});

test('UtilitySelector: a class of flows weighs in its own way and moves on its own', () => {
  const bulk = { powerWeight: 0.1, costWeight: 0.8, loadWeight: 0.1 };
  const selector = new UtilitySelector({
    ...options,
    accesses: [
      { ...wlan, cost: 4 },
      { ...wimax, cost: 1 },
    ],
    classes: [{ name: 'bulk', policy: bulk }],
  });
  feed(selector, 'wlan', 10);
  feed(selector, 'wimax', 100);
  const decision = decide(selector, 'wlan');
  assert.equal(decision.chosen, 'wlan');
  assert.deepEqual(
    decision.classes?.map(({ name, chosen }) => [name, chosen]),
    [['bulk', 'wimax']],
  );
});

test('UtilitySelector: what was measured over an access that was lost does not count when it is back', () => {
  const selector = new UtilitySelector({ ...options, policy: { ...options.policy, warmUpSamples: 2 } });
  for (let n = 0; n < 2; n++) for (const name of ['umts', 'wlan']) feed(selector, name, 50);
  selector.accessLost('wlan');
  const decision = decide(selector, 'umts');
  assert.equal(decision.chosen, 'umts');
  assert.equal(decision.judgements[1]?.verdict, 'warming up');
});

test('UtilitySelector: says when a dwell time or a penalty is over', () => {
  const selector = new UtilitySelector({ ...options, policy: { ...options.policy, dwellMs: 10_000 } });
  selector.handoverEnded({ to: 'umts', result: 'completed' }, 0);
  selector.handoverEnded({ to: 'wlan', result: 'binding failed' }, 1000);
  assert.equal(selector.decide(situation('umts'), 2000).reviewAt, 10_000);
  assert.equal(selector.decide(situation('umts'), 10_000).reviewAt, 31_000);
  assert.equal(selector.decide(situation('umts'), 31_000).reviewAt, undefined);
});

function situation(current: string): AccessSituation {
  const names = ['umts', 'wlan', 'wimax'];
  return { candidates: names.map((name) => ({ name, isBound: true, isAnswering: true })), current };
}

function decide(selector: UtilitySelector, current: string): AccessDecision {
  return selector.decide(situation(current), 0);
}

function feed(selector: UtilitySelector, access: string, rttMs: number): void {
  selector.measured({ kind: 'answered', access, sentAt: 0, rttMs });
}

function utility({ power, cost }: AccessScores, load: number): number {
  return 0.2 * Math.log(power) + 0.3 * Math.log(cost) + 0.5 * Math.log(load);
}
