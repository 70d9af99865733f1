/**
 * The movements of MIP–SIP §3 and §4 on the real kernel, all in one run of the lab: a load step and a saw-tooth load on the WLAN, then three
 * accesses that die in all six orders, then a WLAN that is up but leads nowhere. test/figures/mip-sip-movement.test.ts has each of them in virtual time, by several seeds.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import type { HandoverResult } from '../../src/testbed/lab-result.ts';
import { runLab, skipTunnels as skip } from './lab-run.ts';

const dwellMs = 1000;
/** It grows for half a second and collapses a second after it began: faster than the policy may follow. */
const sawToothMs = { from: 500, rise: 500, high: 1000, period: 1700, teeth: 3 } as const;
const mortal = ['umts', 'wlan', 'wimax'];
/** Every 400 ms one dies; then all come back, and the node has time to leave the last one. */
const deathsMs = { from: 6500, pause: 400, back: 1200, period: 2700 } as const;

const orders = permutations(mortal);
/** By then the node is on the WLAN again. */
const deadEndAtMs = deathsMs.from + orders.length * deathsMs.period + 1000;

test('MIP-SIP: a saw-tooth load costs one handover per dwell time at most; whichever access dies first, in all six orders the node ends up on the fourth; a link that leads nowhere is left', {
  skip,
}, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-movement-'));
  const file = join(folder, 'movement.yaml');
  writeFileSync(file, stringify(scenario()));
  const { result } = await runLab([file]);
  rmSync(folder, { recursive: true });
  for (const { atMs, totalMs, kind, from, to } of result.handovers)
    context.diagnostic(
      `${from} > ${to} (${kind}) after ${atMs.toFixed(0)} ms, took ${totalMs.toFixed(0)} ms`,
    );
  for (const { name, direction, sent, lost } of result.flows)
    context.diagnostic(`${name} ${direction}: ${sent} sent, ${lost} lost`);
  // On a busy machine an access may die while the handover to it still runs; that is told, and is as good an order of deaths as any.
  const problems = result.problems.filter((problem) => !problem.endsWith('failed: the access was lost'));
  assert.deepEqual([problems, result.kernelStateRestored], [[], true]);

  const underLoad = result.handovers.filter((one) => startOf(one) < deathsMs.from);
  assert.equal(underLoad[0]?.from, 'wlan', 'the load moves the node away');
  assert.deepEqual(new Set(underLoad.map(({ kind }) => kind)), new Set(['soft']));
  underLoad.slice(1).forEach((one, index) => {
    const restedMs = startOf(one) - (underLoad[index] ?? assert.fail()).atMs;
    // In virtual time it is exact; here each of the two instants is told when the node gets round to it.
    assert.ok(restedMs >= 0.9 * dwellMs, `${restedMs.toFixed(0)} ms between handovers`);
  });

  orders.forEach((order, index) => {
    const allDeadAt = deathsMs.from + index * deathsMs.period + deathsMs.back;
    const newest = result.handovers.findLast((one) => startOf(one) < allDeadAt);
    assert.equal(newest?.to, 'cdma', `died: ${order.join(', ')}`);
  });
  for (const flow of result.flows) {
    assert.notEqual(flow.bytesIntact, false, flow.name);
    if (flow.carrier === 'mobile-ip') assert.equal(flow.remotesSeenByPeer.length, 1, flow.name);
    assert.equal(flow.remotesSeenByApplication.length, 1, flow.name);
  }
});

function scenario(): object {
  const { from, rise, high, period, teeth } = sawToothMs;
  const heavy = { rate: '3Mbit/s', delay: '120ms', jitter: '40ms' };
  const teethOf = { load: 'wlan', repeat: teeth, every: `${period}ms` };
  const deaths = orders.flatMap((order, index) => {
    const begin = deathsMs.from + index * deathsMs.period;
    return [
      ...order.map((access, place) => ({ at: `${begin + place * deathsMs.pause}ms`, down: access })),
      ...order.map((access) => ({ at: `${begin + deathsMs.back}ms`, up: access })),
    ];
  });
  const profiles = { umts: 'hspa', wlan: 'wlan', wimax: 'wimax', cdma: 'cdma2000-450' };
  return {
    name: 'movement',
    title: 'A saw-tooth load, then accesses that die in all six orders',
    architecture: 'mip-sip',
    duration: `${deadEndAtMs + 3000}ms`,
    accesses: Object.fromEntries(Object.entries(profiles).map(([name, profile]) => [name, { profile }])),
    'mobile-ip': { registration: 'home-agent', probe: '100ms' },
    policy: { dwell: `${dwellMs}ms` },
    flows: [
      { name: 'voice', kind: 'rtp-audio' },
      { name: 'transfer', kind: 'tcp-limited', rate: '50kbit/s' },
      { name: 'terminal', kind: 'tcp-interactive' },
    ],
    timeline: [
      { at: `${from}ms`, ...teethOf, becomes: heavy, over: `${rise}ms` },
      { at: `${from + high}ms`, ...teethOf, becomes: {} },
      ...deaths,
      { at: `${deadEndAtMs}ms`, 'dead-end': 'wlan' },
    ],
    expect: {
      handovers: { least: 8, most: 40 },
      loss: 'allowed',
      // A probe counts as missed after a second, three are due within 300 ms; the rest is the handover itself.
      leaves: [{ access: 'wlan', after: `${deadEndAtMs}ms`, within: '1900ms' }],
    },
  };
}

function startOf({ atMs, totalMs }: HandoverResult): number {
  return atMs - totalMs;
}

function permutations(names: readonly string[]): string[][] {
  if (names.length <= 1) return [[...names]];
  return names.flatMap((first) =>
    permutations(names.filter((name) => name !== first)).map((rest) => [first, ...rest]),
  );
}
