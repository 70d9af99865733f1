import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assessRun } from './assess-run.ts';
import type { LabProgress } from './lab-progress.ts';
import type { LabResult } from './lab-result.ts';
import { formatSummary } from './lab-summary.ts';
import { listScenarios, loadScenario } from './load-scenario.ts';
import type { Scenario } from './scenario.ts';
import { runInVirtualTime } from './virtual-runner.ts';

const tier = { tier: 'virtual', reason: 'a test', remedy: '' } as const;

const isVirtual = ({ name }: { readonly name: string }): boolean =>
  Object.values(loadScenario(name).core).every((maker) => maker === 'trimaran');

for (const { name } of listScenarios().filter(isVirtual))
  test(`runInVirtualTime: ${name} goes as it expects, and its table fits 80 columns`, () => {
    const result = run(loadScenario(name));
    assert.deepEqual(result.problems, []);
    for (const line of formatSummary(result)) assert.ok(line.length <= 80, line);
  });

test('runInVirtualTime: says that a core of somebody else needs the kernel', () => {
  assert.throws(() => run(loadScenario('trim-kamailio')), { code: 'NEEDS_KERNEL' });
});

test('runInVirtualTime: equal seeds give equal bytes, others do not', () => {
  const scenario = loadScenario('trim');
  const [first, second] = [run(scenario), run(scenario)];
  assert.equal(JSON.stringify(first), JSON.stringify(second));
  assert.notEqual(JSON.stringify(run({ ...scenario, seed: 2 })), JSON.stringify(first));
});

test('runInVirtualTime: over fifty handovers no gap is longer than spacing, difference of the delays and 20 ms', () => {
  const { flows, handovers } = run(loadScenario('trim-fifty'));
  assert.equal(handovers.length, 50);
  for (const { longestGapMs, gapBoundMs, name, lost, duplicated } of flows) {
    assert.ok((longestGapMs ?? Number.NaN) <= (gapBoundMs ?? Number.NaN), `${name}: ${longestGapMs} ms`);
    assert.deepEqual([lost, duplicated], [0, 0]);
  }
});

test('runInVirtualTime: an unlimited transfer stalls no longer by handovers than when its link itself changes, and sends nothing twice', () => {
  for (const seed of [1, 2, 3]) {
    const transferOf = (name: string) => run({ ...loadScenario(name), seed }).flows[0] ?? assert.fail();
    const [moved, control] = [transferOf('trim-unlimited'), transferOf('trim-control')];
    assert.deepEqual([moved.bytesIntact, control.bytesIntact], [true, true]);
    assert.deepEqual([moved.retransmissions, moved.timeouts], [0, 0]);
    const stalls = [moved.stallMs ?? Number.NaN, control.stallMs ?? Number.NaN] as const;
    assert.ok(stalls[0] <= stalls[1], `seed ${seed}: ${stalls[0]} ms, the control run ${stalls[1]} ms`);
  }
});

test('runInVirtualTime: an unlimited upload sends nothing twice either, whichever access it moves to', () => {
  const scenario = loadScenario('trim-unlimited');
  const flows = scenario.flows.map((flow) => ({ ...flow, direction: 'to-correspondent' as const }));
  // The uplink's own queue would overflow, handover or not.
  const accesses = scenario.accesses.map(({ profile, ...access }) => ({
    ...access,
    profile: { ...profile, uplink: profile.downlink },
  }));
  const [upload] = run({ ...scenario, flows, accesses }).flows;
  assert.deepEqual([upload?.bytesIntact, upload?.retransmissions, upload?.timeouts], [true, 0, 0]);
});

test('runInVirtualTime: a P-CSCF per access makes the handover an INVITE with Replaces', () => {
  const methods = run(loadScenario('trim-replaces')).handovers.flatMap((handover) => handover.methods);
  assert.deepEqual([...new Set(methods)], ['INVITE with Replaces']);
});

test('runInVirtualTime: what goes wrong is a problem, and the run is not ok', () => {
  const scenario = loadScenario('trim-udp');
  const lossy = { kind: 'independent', probability: 0.01 } as const;
  const accesses = scenario.accesses.map(({ profile, ...access }) => ({
    ...access,
    profile:
      access.name === 'wlan' ? { ...profile, downlink: { ...profile.downlink, loss: lossy } } : profile,
  }));
  const expect = { ...scenario.expect, handovers: { least: 3, most: 3 } };
  const result = run({ ...scenario, accesses, expect });
  assert.equal(result.ok, false);
  assert.match(result.problems.join('\n'), /video \(to-mobile-node\): \d+ packets lost/);
  assert.match(result.problems.join('\n'), /2 handovers, expected 3/);
});

test('runInVirtualTime: tells what happens in order', () => {
  const kinds: LabProgress['kind'][] = [];
  runInVirtualTime({ scenario: loadScenario('trim-udp'), tell: ({ kind }) => kinds.push(kind) });
  assert.deepEqual(
    kinds.filter((kind) => kind !== 'message-seen' && kind !== 'handover-began'),
    [
      'stage-began',
      'traffic-began',
      'step-taken',
      'handover-completed',
      'handover-completed',
      'traffic-ended',
    ],
  );
});

function run(scenario: Scenario): LabResult {
  return assessRun(scenario, tier, runInVirtualTime({ scenario, tell: () => {} }));
}
