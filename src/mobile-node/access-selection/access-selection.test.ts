import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessSelection } from './access-selection.ts';
import { PreferenceOrder } from './preference-order.ts';

const both = ['wlan', '3g'].map((name) => ({ name, isBound: true, isAnswering: true }));

test("AccessSelection: a person's wish holds against the policy until the access is lost or leads nowhere", () => {
  const selection = new AccessSelection(new PreferenceOrder(['wlan', '3g']));
  selection.pin('3g');
  const decision = selection.decide({ candidates: both, current: 'wlan' }, 0);
  assert.equal(decision.chosen, '3g');
  assert.equal(decision.judgements[1]?.verdict, "a person's wish");
  const silent = both.map((one) => ({ ...one, isAnswering: one.name !== '3g' }));
  assert.equal(selection.decide({ candidates: silent, current: '3g' }, 1).chosen, 'wlan');
  assert.equal(selection.decide({ candidates: both, current: 'wlan' }, 2).chosen, 'wlan');
});

test('AccessSelection: keeps the last decisions for another access, not more, and the newest of all', () => {
  const selection = new AccessSelection(new PreferenceOrder(['wlan', '3g']));
  for (let at = 0; at < 100; at++)
    selection.decide({ candidates: both, current: at % 2 === 0 ? '3g' : 'wlan' }, at);
  const { moves, latest } = selection.decisions;
  assert.equal(latest?.at, 99);
  assert.deepEqual(
    moves.map(({ at }) => at),
    Array.from({ length: 32 }, (_, index) => 36 + 2 * index),
  );
});
