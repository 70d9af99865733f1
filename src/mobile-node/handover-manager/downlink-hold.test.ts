import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowKey } from '../../translation/translation-operation.ts';
import { DownlinkHold, type DownlinkHoldEffect } from './downlink-hold.ts';

const transfer: FlowKey = {
  family: 4,
  protocol: 'tcp',
  source: '192.0.2.1',
  destination: '10.2.0.2',
  port: 5001,
  portOf: 'destination',
};
const voice: FlowKey = { ...transfer, protocol: 'udp', port: 4000 };
const [threeG, wlan] = [1, 2];

test('DownlinkHold: TCP waits, datagrams do not', () => {
  const { hold, effects } = newHold();
  hold.begin(threeG, [voice, transfer], 0);
  assert.deepEqual(effects, [{ type: 'hold-flows', flows: [transfer] }]);
});

test('DownlinkHold: nothing is asked for where only datagrams come', () => {
  const { hold, effects } = newHold();
  hold.begin(threeG, [voice], 0);
  hold.drained(threeG);
  assert.deepEqual(effects, []);
  assert.equal(hold.pollTimeout(), undefined);
});

test('DownlinkHold: what waits passes once the old access is drained, and only that one counts', () => {
  const { hold, effects } = newHold();
  hold.begin(threeG, [transfer], 0);
  hold.drained(wlan);
  assert.equal(effects.length, 1);
  hold.drained(threeG);
  hold.drained(threeG);
  assert.deepEqual(effects.slice(1), [{ type: 'pass-flows' }]);
  assert.equal(hold.pollTimeout(), undefined);
});

test('DownlinkHold: it ends after a second though the old access says nothing', () => {
  const { hold, effects } = newHold();
  hold.begin(threeG, [transfer], 50);
  assert.equal(hold.pollTimeout()?.at, 1050);
  hold.handleTimeout(1049);
  assert.equal(effects.length, 1);
  hold.handleTimeout(1050);
  assert.deepEqual(effects.slice(1), [{ type: 'pass-flows' }]);
});

test('DownlinkHold: another handover lets go what the former held before it holds its own', () => {
  const { hold, effects } = newHold();
  hold.begin(threeG, [transfer], 0);
  hold.begin(wlan, [transfer], 10);
  assert.deepEqual(
    effects.map(({ type }) => type),
    ['hold-flows', 'pass-flows', 'hold-flows'],
  );
});

function newHold(): { readonly hold: DownlinkHold; readonly effects: DownlinkHoldEffect[] } {
  const effects: DownlinkHoldEffect[] = [];
  return { hold: new DownlinkHold((effect) => void effects.push(effect)), effects };
}
