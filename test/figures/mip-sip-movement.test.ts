/**
 * The movements of MIP–SIP §3 and §4 in virtual time: accesses that die in every order, a load that grows, one that comes and goes, a link
 * that leads nowhere, address translation and source filters, whatever moves: audio and video by SIP, TCP by Mobile IP.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assessRun } from '../../src/testbed/assess-run.ts';
import type { LabResult } from '../../src/testbed/lab-result.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import type { Scenario, TimelineStep } from '../../src/testbed/scenario.ts';
import { runInVirtualTime } from '../../src/testbed/virtual-runner.ts';

const seeds = [1, 2, 3];

for (const order of permutations(['umts', 'wlan', 'wimax']))
  test(`MIP-SIP: the accesses die in the order ${order.join(', ')}; everything ends up on the fourth and is whole`, () => {
    for (const seed of seeds) {
      const timeline = order.map((access, index): TimelineStep => {
        return { atMs: 3000 + 4000 * index, action: { kind: 'down', access } };
      });
      const result = run({ ...changed('mip-sip', timeline, 18_000), seed });
      const told = `seed ${seed}: ${result.problems.join('; ')}`;
      assert.deepEqual(result.problems, [], told);
      assert.equal(result.handovers.at(-1)?.to, 'cdma', told);
      for (const flow of result.flows) {
        assert.notEqual(flow.bytesIntact, false, `${told}: ${flow.name}`);
        // What was on a dead access when it died: at most what goes until the next one carries it.
        if (flow.protocol === 'udp')
          assert.ok(flow.lost < 0.1 * flow.sent, `${told}: ${flow.name} ${flow.lost}`);
        if (flow.carrier === 'mobile-ip')
          assert.deepEqual([flow.remotesSeenByPeer.length, flow.remotesSeenByApplication.length], [1, 1]);
      }
    }
  });

test('MIP-SIP: a load on the WLAN moves the node away before a packet is lost, whatever the seed', () => {
  for (const seed of seeds) {
    const { timeline } = loadScenario('mip-sip');
    const untilLoaded = timeline.filter(({ atMs }) => atMs < 10_000);
    const result = run({ ...changed('mip-sip', untilLoaded, 12_000), seed });
    assert.deepEqual(result.problems, []);
    assert.deepEqual(
      result.handovers.map(({ kind, from, to }) => `${kind} ${from} ${to}`),
      ['soft wlan wimax'],
    );
    for (const { name, lost } of result.flows) assert.equal(lost, 0, `seed ${seed}: ${name}`);
  }
});

test('MIP-SIP: a saw-tooth load causes one handover per dwell time at most', () => {
  const scenario = loadScenario('mip-sip-saw-tooth');
  assert.ok(scenario.policy.kind === 'utility');
  for (const dwellMs of [2000, 6000]) {
    const options = { ...scenario.policy.options, dwellMs };
    const { handovers } = run({ ...scenario, policy: { ...scenario.policy, options } });
    assert.ok(handovers.length > 0);
    handovers.slice(1).forEach(({ atMs, totalMs }, index) => {
      const startedAt = atMs - totalMs;
      assert.ok(startedAt - handovers[index]!.atMs >= dwellMs, `handover at ${startedAt}`);
    });
  }
});

test('MIP-SIP: a link that is up but leads nowhere is left within three missed probes, whichever it is', () => {
  const scenario = loadScenario('mip-sip-dead-uplink');
  const deadEnd = scenario.timeline[0] ?? assert.fail();
  for (const access of ['umts', 'wlan', 'wimax']) {
    const { profile } = scenario.accesses.find(({ name }) => name === access) ?? assert.fail();
    const loss = { kind: 'independent', probability: 1 } as const;
    const { uplink, downlink } = profile;
    const dead = { ...profile, uplink: { ...uplink, loss }, downlink: { ...downlink, loss } };
    const result = run({
      ...scenario,
      policy: { kind: 'preference', order: [access] },
      timeline: [{ ...deadEnd, action: { kind: 'change', access, profile: dead, note: undefined } }],
      // A probe counts as missed after a second at least; see the scenario.
      expect: { ...scenario.expect, visits: undefined, leaves: [{ access, afterMs: 5000, withinMs: 2200 }] },
    });
    assert.deepEqual(result.problems, [], access);
  }
});

test('MIP-SIP: fifty soft handovers among four accesses lose no packet in either direction and delay TCP no more than the control run', () => {
  const [moved, control] = [run(loadScenario('mip-sip-fifty')), run(loadScenario('mip-sip-control'))];
  assert.deepEqual([...moved.problems, ...control.problems], []);
  assert.equal(moved.handovers.length, 50);
  for (const { kind } of moved.handovers) assert.equal(kind, 'soft');
  for (const flow of moved.flows) {
    assert.deepEqual([flow.lost, flow.timeouts ?? 0], [0, 0], flow.name);
    const other = control.flows.find(({ name }) => name === flow.name);
    const longest = ({ stallMs, echoMs }: typeof flow): number => stallMs ?? echoMs?.most ?? 0;
    // One way over the slowest access: what the control run's link does not have to wait for is the message that tells the home agent.
    assert.ok(longest(flow) <= longest(other ?? assert.fail()) + 75, `${flow.name}: ${longest(flow)}`);
  }
});

test('MIP-SIP: behind address translation and strict source filters the same packets arrive as without', () => {
  const guarded = loadScenario('mip-nat');
  const accesses = guarded.accesses.map((access) => ({ ...access, nat: false, strictSource: false }));
  const [behind, open] = [run(guarded), run({ ...guarded, accesses })];
  const directly = run({ ...guarded, mobileIp: { ...guarded.mobileIp, routeOptimisation: true } });
  assert.deepEqual([...behind.problems, ...open.problems, ...directly.problems], []);
  const figures = ({ flows }: LabResult) =>
    flows.map(({ name, direction, lost, duplicated, bytesIntact, timeouts }) => {
      return [name, direction, lost, duplicated, bytesIntact, timeouts];
    });
  assert.deepEqual(figures(behind), figures(open));
  for (const [index, { name, sent }] of behind.flows.entries()) {
    // The virtual TCP offers what it can in the time; at the very end there may be room for one packet more.
    const difference = name === 'transfer' ? 0 : sent - (open.flows[index]?.sent ?? 0);
    assert.ok(Math.abs(difference) <= 1, `${name}: ${difference}`);
  }
  for (const { name, lost } of [...behind.flows, ...directly.flows]) assert.equal(lost, 0, name);
});

test('MIP-SIP: with address translation on some accesses only nothing is lost on the way in and out', () => {
  const scenario = loadScenario('mip-nat');
  for (const hidden of [['wlan', 'wimax'], ['umts', 'cdma'], ['cdma']])
    for (const registration of ['home-agent', 'mobile-node'] as const) {
      const accesses = scenario.accesses.map((access) => ({ ...access, nat: hidden.includes(access.name) }));
      const result = run({ ...scenario, accesses, mobileIp: { ...scenario.mobileIp, registration } });
      assert.deepEqual(result.problems, [], `${hidden} ${registration}`);
      for (const { name, lost } of result.flows) assert.equal(lost, 0, `${hidden} ${registration}: ${name}`);
    }
});

test('MIP-SIP: with route optimisation the correspondent is as near as its own links make it, however far home is', () => {
  const scenario = loadScenario('mip-route-optimisation');
  const { mobileIp } = scenario;
  const [directly, byHome, atHome] = [
    run(scenario),
    run({ ...scenario, mobileIp: { ...mobileIp, routeOptimisation: false } }),
    run({ ...scenario, mobileIp: { ...mobileIp, homeDelayMs: 0 } }),
  ];
  for (const { problems, flows } of [directly, byHome, atHome]) {
    assert.deepEqual(problems, []);
    for (const { name, lost, timeouts } of flows) assert.deepEqual([lost, timeouts ?? 0], [0, 0], name);
  }
  const echoMs = ({ flows }: LabResult): number =>
    flows.find(({ echoMs: echo }) => echo !== null)?.echoMs?.median ?? assert.fail();
  assert.ok(Math.abs(echoMs(directly) - echoMs(atHome)) < 5, 'home is not in the way');
  const gainMs = echoMs(byHome) - echoMs(directly);
  console.log(`${echoMs(byHome)} ms by home, ${echoMs(directly)} ms directly`);
  // To home and back, there and back again.
  assert.ok(Math.abs(gainMs - 4 * mobileIp.homeDelayMs) < 25, `${gainMs} ms nearer`);
});

/** Other movements with the same network and flows; packets on an access that dies are lost. */
function changed(name: string, timeline: readonly TimelineStep[], durationMs: number): Scenario {
  const scenario = loadScenario(name);
  const handovers = { least: 1, most: 6 };
  return {
    ...scenario,
    durationMs,
    timeline,
    expect: { ...scenario.expect, handovers, mayLose: true, visits: undefined },
  };
}

function run(scenario: Scenario): LabResult {
  const tier = { tier: 'virtual', reason: 'a test', remedy: '' } as const;
  return assessRun(scenario, tier, runInVirtualTime({ scenario, tell: () => {} }));
}

function permutations(names: readonly string[]): string[][] {
  if (names.length <= 1) return [[...names]];
  return names.flatMap((first) =>
    permutations(names.filter((name) => name !== first)).map((rest) => [first, ...rest]),
  );
}
