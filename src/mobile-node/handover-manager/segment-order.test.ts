import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowKey } from '../../translation/translation-operation.ts';
import { SegmentOrder, type SegmentOrderEffect } from './segment-order.ts';

const transfer: FlowKey = {
  family: 4,
  protocol: 'tcp',
  source: '192.0.2.1',
  destination: '10.2.0.2',
  port: 5001,
  portOf: 'destination',
};
/** The transfer over the old access. */
const former: FlowKey = { ...transfer, destination: '10.1.0.2' };
const terminal: FlowKey = { ...transfer, port: 5002 };
const upload: FlowKey = { ...transfer, source: '10.64.0.1', destination: '192.0.2.1', portOf: 'source' };
const voice: FlowKey = { ...transfer, protocol: 'udp', port: 4000 };
const [threeG, wlan] = [1, 2];
const pass = (direction: 'downlink' | 'uplink') => ({ type: 'pass-flows', direction });

test('SegmentOrder: TCP waits, datagrams do not', () => {
  const { order, effects } = newOrder();
  order.begin(threeG, { flows: [voice, transfer], formerFlows: [voice, former] }, 0);
  order.sessionMoved([voice, upload]);
  assert.deepEqual(effects, [
    { type: 'hold-flows', direction: 'downlink', flows: [transfer], formerFlows: [former] },
    { type: 'hold-flows', direction: 'uplink', flows: [upload], formerFlows: [] },
  ]);
});

test('SegmentOrder: nothing is held or asked where only datagrams come', () => {
  const { order, effects, asked } = newOrder();
  order.begin(threeG, { flows: [voice], formerFlows: [voice] }, 0);
  order.sessionMoved([voice]);
  order.allMoved(5);
  assert.deepEqual([effects, asked, order.pollTimeout()], [[], [], undefined]);
});

test('SegmentOrder: once all sessions have moved, one answer over the old access lets both directions go', () => {
  const { order, effects, asked } = newOrder();
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 0);
  order.sessionMoved([upload]);
  order.allMoved(40);
  assert.deepEqual(asked, [`access ${threeG} at 40`]);
  order.answered('another');
  order.drained(wlan);
  assert.equal(effects.length, 2);
  order.answered('check 1');
  order.drained(threeG);
  assert.deepEqual(effects.slice(2), [pass('downlink'), pass('uplink')]);
  assert.equal(order.pollTimeout(), undefined);
});

test('SegmentOrder: the first segment of every flow over the new access asks for the downlink, ahead of the answer to the move', () => {
  const { order, effects, asked } = newOrder();
  order.begin(threeG, { flows: [transfer, terminal], formerFlows: [former] }, 0);
  order.flowCame(transfer, 31);
  order.flowCame(transfer, 32);
  assert.deepEqual(asked, []);
  order.flowCame(terminal, 33);
  order.sessionMoved([upload]);
  order.allMoved(40);
  assert.deepEqual(asked, [`access ${threeG} at 33`, `access ${threeG} at 40`]);
  order.answered('check 1');
  assert.deepEqual(effects.slice(2), [pass('downlink')]);
  order.answered('check 2');
  assert.deepEqual(effects.slice(3), [pass('uplink')]);
});

test('SegmentOrder: the downlink goes on when nothing is missing ahead of what waits, the uplink not', () => {
  const { order, effects } = newOrder();
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 0);
  order.flowCame(transfer, 31);
  order.sessionMoved([upload]);
  order.downlinkComplete();
  order.downlinkComplete();
  assert.deepEqual(effects.slice(2), [pass('downlink')]);
  order.allMoved(40);
  order.answered('check 1');
  assert.equal(effects.length, 3);
  order.answered('check 2');
  assert.deepEqual(effects.slice(3), [pass('uplink')]);
});

test('SegmentOrder: where nothing can be asked the removal of the old contact tells, but not what was asked before the sessions had moved', () => {
  const { order, effects } = newOrder(() => undefined);
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 0);
  order.sessionMoved([upload]);
  order.drained(threeG);
  assert.equal(effects.length, 2);
  order.allMoved(40);
  order.drained(threeG);
  assert.deepEqual(effects.slice(2), [pass('downlink'), pass('uplink')]);
});

test('SegmentOrder: nothing comes any more over an access that has gone', () => {
  const { order, effects } = newOrder();
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 0);
  order.accessLost(wlan);
  assert.equal(effects.length, 1);
  order.accessLost(threeG);
  assert.deepEqual(effects.slice(1), [pass('downlink')]);
  order.sessionMoved([upload]);
  assert.equal(effects.length, 2);
});

test('SegmentOrder: it ends after a second though the old access says nothing', () => {
  const { order, effects } = newOrder();
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 50);
  order.allMoved(90);
  assert.equal(order.pollTimeout()?.at, 1050);
  order.handleTimeout(1049);
  assert.equal(effects.length, 1);
  order.handleTimeout(1050);
  assert.deepEqual(effects.slice(1), [pass('downlink')]);
});

test('SegmentOrder: another handover lets go what the former held, and asks for itself', () => {
  const { order, effects, asked } = newOrder();
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 0);
  order.allMoved(5);
  order.begin(threeG, { flows: [transfer], formerFlows: [former] }, 10);
  order.answered('check 1');
  assert.deepEqual(
    effects.map(({ type }) => type),
    ['hold-flows', 'pass-flows', 'hold-flows'],
  );
  order.allMoved(15);
  order.answered('check 2');
  assert.deepEqual([asked.length, effects.length], [2, 4]);
});

function newOrder(answer: (count: number) => string | undefined = (count) => `check ${count}`) {
  const effects: SegmentOrderEffect[] = [];
  const asked: string[] = [];
  const order = new SegmentOrder({
    effect: (effect) => void effects.push(effect),
    ask: (access, now) => answer(asked.push(`access ${access} at ${now}`)),
  });
  return { order, effects, asked };
}
