import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CandidateAccess } from './access-selector.ts';
import { PreferenceOrder } from './preference-order.ts';

test('PreferenceOrder: the most preferred access that is there, the present one among those that are not listed', () => {
  const order = new PreferenceOrder(['wlan', '3g']);
  assert.equal(choose(order, [access('3g'), access('wlan')], '3g'), 'wlan');
  assert.equal(choose(order, [access('3g')], 'wlan'), '3g');
  assert.equal(choose(order, [access('x'), access('y')], 'y'), 'y');
  assert.equal(choose(order, [], 'wlan'), undefined);
});

test('PreferenceOrder: an access that is not bound yet, or leads nowhere, is used when there is no other', () => {
  const order = new PreferenceOrder(['wlan', '3g']);
  assert.equal(choose(order, [access('3g'), access('wlan', { isBound: false })], '3g'), '3g');
  assert.equal(choose(order, [access('3g'), access('wlan', { isAnswering: false })], 'wlan'), '3g');
  assert.equal(choose(order, [access('wlan', { isBound: false })], undefined), 'wlan');
  const silent = [access('3g', { isAnswering: false }), access('wlan', { isAnswering: false })];
  assert.equal(choose(order, silent, '3g'), '3g');
});

test('PreferenceOrder: an access that the home agent would not forward over waits half a minute', () => {
  const order = new PreferenceOrder(['wlan', '3g']);
  order.handoverEnded({ to: 'wlan', result: 'binding failed' }, 0);
  const decision = order.decide({ candidates: [access('3g'), access('wlan')], current: '3g' }, 29_999);
  assert.equal(decision.chosen, '3g');
  assert.equal(decision.reviewAt, 30_000);
  assert.equal(choose(order, [access('3g'), access('wlan')], '3g', 30_000), 'wlan');
  assert.equal(choose(order, [access('wlan')], undefined), 'wlan');
});

function access(name: string, state: Partial<CandidateAccess> = {}): CandidateAccess {
  return { name, isBound: true, isAnswering: true, ...state };
}

function choose(
  order: PreferenceOrder,
  candidates: readonly CandidateAccess[],
  current: string | undefined,
  now = 1000,
): string | undefined {
  return order.decide({ candidates, current }, now).chosen;
}
