import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessSelection } from '../mobile-node/access-selection/access-selection.ts';
import { UtilitySelector } from '../mobile-node/access-selection/utility-selector.ts';
import { formatDecisions } from './decision-table.ts';

test('formatDecisions: shows each number of the paper for each access, the newest decision first, in 80 columns', () => {
  const text = formatDecisions({ now: 100_000, ...exampleHistory() }, 3);
  assert.equal(
    text,
    `Now: on wlan.
  access   P C     z J   RNL samples missed     U below verdict
  umts     2 5 100.5 0 100.5      20      0 2.927 1.517 not better
  wlan     1 1 20.80 0 20.80      20      0 1.517     – in use
  cdma2000 2 5  1235 0  1235      20      0 4.181 1.517 not better

38.2 s ago: umts → wlan.
  access   P C     z J   RNL samples missed     U below verdict
  umts     2 5 100.5 0 100.5      20      0 2.927     – in use
  wlan     1 1 20.80 0 20.80      20      0 1.517 2.727 chosen
  cdma2000 2 5  1235 0  1235      20      0 4.181 2.927 not better
`,
  );
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
});

test('formatDecisions: a policy with more numbers than fit gets a list per access', () => {
  const numbers = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`measure${index}`, index / 7]),
  );
  const decision = {
    at: 0,
    current: 'a',
    chosen: 'a',
    judgements: [{ access: 'a', verdict: 'kept', numbers }],
  };
  const text = formatDecisions({ now: 0, latest: decision, moves: [] }, 3);
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
  for (const name of Object.keys(numbers)) assert.match(text, new RegExp(`${name} \\d`));
});

test('formatDecisions: says so when nothing was decided yet', () => {
  assert.match(formatDecisions({ now: 0, latest: undefined, moves: [] }, 3), /^Nothing was decided yet/);
});

/** From UMTS to the WLAN, as in the paper. */
function exampleHistory(): AccessSelection['decisions'] {
  const policy = {
    powerWeight: 0.2,
    costWeight: 0.3,
    loadWeight: 0.5,
    hysteresis: 0.2,
    equalCoverageHysteresis: 0,
    warmUpSamples: 3,
    dwellMs: 10_000,
    penaltyMs: 30_000,
  };
  const selector = new UtilitySelector({
    load: { historyWindow: 5, jitterWeight: 5 },
    policy,
    accesses: [
      { name: 'umts', coverage: 'large', power: 2, cost: 5 },
      { name: 'wlan', coverage: 'small', power: 1, cost: 1 },
      { name: 'cdma2000', coverage: 'large', power: 2, cost: 5 },
    ],
  });
  const selection = new AccessSelection(selector);
  const roundTrips = { umts: 100.5, wlan: 20.8, cdma2000: 1234.5 };
  for (const [access, rttMs] of Object.entries(roundTrips))
    for (let n = 0; n < 20; n++) selector.measured({ kind: 'answered', access, sentAt: 0, rttMs });
  const candidates = Object.keys(roundTrips).map((name) => ({ name, isBound: true, isAnswering: true }));
  selection.decide({ candidates, current: 'umts' }, 61_800);
  selection.decide({ candidates, current: 'wlan' }, 100_000);
  return selection.decisions;
}
