import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { baseCommands } from './dictionary/base.ts';
import { type OutstandingRequest, OutstandingRequests } from './outstanding-requests.ts';
import { DiameterPeer } from './peer.ts';

/** Only who it is matters. */
const peers: readonly [DiameterPeer, DiameterPeer] = [
  Object.create(DiameterPeer.prototype),
  Object.create(DiameterPeer.prototype),
];

test('OutstandingRequests: give out by deadline what is neither answered nor taken out, also after failovers', () => {
  const step = fc.record({ wait: fc.nat(3), answered: fc.nat(20), isLate: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const requests = new OutstandingRequests();
      const expected = new Map<number, number>();
      let [now, hopByHopId] = [0, 0];
      for (const { wait, answered, isLate } of steps) {
        now += wait;
        // One that was sent before and goes to another peer keeps its deadline.
        const deadline = now + (isLate ? 5 : 10);
        requests.add(++hopByHopId, request(hopByHopId, deadline, peers[hopByHopId % 2]));
        expected.set(hopByHopId, deadline);
        requests.delete(answered);
        expected.delete(answered);
        for (const [index, peer] of peers.entries())
          assert.equal(requests.countOf(peer), [...expected.keys()].filter((id) => id % 2 === index).length);
        assert.equal(requests.peek()?.at, expected.size === 0 ? undefined : Math.min(...expected.values()));
      }
      const order = [...expected].sort(([, a], [, b]) => a - b).map(([id]) => id);
      assert.deepEqual(taken(requests, now + 10), order);
    }),
    { seed: 6733, numRuns: 300 },
  );
});

test('OutstandingRequests: nothing is due before its deadline', () => {
  const requests = new OutstandingRequests();
  requests.add(7, request(1, 100));
  assert.equal(requests.due(99), undefined);
  assert.equal(requests.due(100), 7);
  assert.equal(requests.get(7)?.id, 1);
});

test('OutstandingRequests: what was answered does not come to the old generation with one that came there', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void;
  const requests = new OutstandingRequests();
  const exchange = (from: number, to: number) => {
    for (let id = from; id < to; id++) {
      requests.add(id, { ...request(id, id), sessionId: `session ${id} `.repeat(100).toUpperCase() });
      requests.delete(id - 10);
    }
  };
  exchange(0, 20);
  for (const type of ['major', 'minor', 'minor'] as const) collect({ type });
  const before = oldGenerationOctets();
  for (let id = 20; id < 10_020; id += 100) {
    exchange(id, id + 100);
    collect({ type: 'minor' });
  }
  // The texts of all have 12 MB.
  const octets = oldGenerationOctets() - before;
  assert.ok(octets < 1e6, `${octets} octets`);
});

function oldGenerationOctets(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size;
}

function taken(requests: OutstandingRequests, now: number): number[] {
  const order: number[] = [];
  for (let due = requests.due(now); due !== undefined; due = requests.due(now)) {
    requests.delete(due);
    order.push(due);
  }
  return order;
}

function request(id: number, deadline: number, peer: DiameterPeer = peers[0]): OutstandingRequest {
  const asked = { command: baseCommands.deviceWatchdog, avps: [] };
  return { id, asked, peers: [peer], sessionId: '', endToEndId: id, deadline, isRetransmitted: false };
}
