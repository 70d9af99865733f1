/**
 * What issue 3 must show, on the real kernel: four accesses chosen by what is measured, audio and video moved by SIP, TCP by Mobile IP.
 * Figures are told as diagnostics; what is asserted does not depend on the speed of the machine.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FlowResult, LabResult } from '../../src/testbed/lab-result.ts';
import { type FinishedRun, runLab, skip } from './lab-run.ts';

test('MIP-SIP: the node leaves each access when it gets worse, before it is gone, and nothing is lost', {
  skip,
}, async (context) => {
  const startedAt = performance.now();
  const run = await runLab(['mip-sip']);
  context.diagnostic(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  tell(context, run.result);
  assertWhole(run);
  assert.deepEqual(
    run.result.handovers.map(({ kind, to }) => `${kind} ${to}`),
    ['wimax', 'wlan', 'wimax', 'umts', 'cdma', 'wimax', 'wlan'].map((to) => `soft ${to}`),
  );
  for (const { lost, duplicated, name } of run.result.flows)
    assert.deepEqual([lost, duplicated ?? 0], [0, 0], name);
  // Every decision can be followed: U of what was chosen is less than U of what was left, by all numbers that are told.
  for (const { from, to, judgements } of run.result.decisions) {
    const utility = (access: string | null) => judgements.find((one) => one.access === access)?.numbers['U'];
    assert.ok((utility(to) ?? Number.NaN) < (utility(from) ?? Number.NaN), `${from} to ${to}`);
  }
});

test('MIP-SIP: fifty soft handovers among four accesses: RTP loses nothing either way, TCP stalls as in the control run', {
  skip,
}, async (context) => {
  const [moved, control] = [await runLab(['mip-sip-fifty']), await runLab(['mip-sip-control'])];
  for (const run of [moved, control]) {
    tell(context, run.result);
    assertWhole(run);
  }
  assert.equal(moved.result.handovers.length, 50);
  assert.ok(moved.result.handovers.every(({ kind }) => kind === 'soft'));
  for (const { name, lost, duplicated, timeouts } of moved.result.flows)
    assert.deepEqual([lost, duplicated ?? 0, timeouts ?? 0], [0, 0, 0], name);
  // One retransmission timeout over the slowest access: 130 ms and Linux's least of 200 ms (RFC 6298 §2.3), which either run may meet.
  const oneTimeoutMs = 330;
  moved.result.flows.forEach((flow, index) => {
    const other = control.result.flows[index] ?? assert.fail();
    assert.ok(
      stallOf(flow) <= stallOf(other) + oneTimeoutMs,
      `${flow.name}: ${stallOf(flow)}, ${stallOf(other)}`,
    );
  });
});

test('MIP-SIP: a link that is up but leads nowhere is left, and TCP and the call go on', {
  skip,
}, async (context) => {
  const run = await runLab(['mip-sip-dead-uplink']);
  tell(context, run.result);
  assertWhole(run);
});

test('MIP-SIP: conntrack NAT and strict source filters on every access router change nothing for Mobile IP', {
  skip,
}, async (context) => {
  const run = await runLab(['mip-nat']);
  tell(context, run.result);
  assertWhole(run);
  for (const { name, lost } of run.result.flows) assert.equal(lost, 0, name);
});

/** The scenario's own expectations hold, TCP is intact and nothing is left in the kernel. */
function assertWhole({ status, result }: FinishedRun): void {
  assert.deepEqual(result.problems, []);
  assert.equal(status, 0);
  assert.equal(result.kernelStateRestored, true);
  for (const flow of result.flows) {
    assert.notEqual(flow.bytesIntact, false, flow.name);
    if (flow.carrier === 'mobile-ip') assert.equal(flow.remotesSeenByPeer.length, 1, flow.name);
    assert.equal(flow.remotesSeenByApplication.length, 1, flow.name);
  }
}

function stallOf({ stallMs, echoMs }: FlowResult): number {
  return stallMs ?? echoMs?.most ?? 0;
}

function tell(context: TestContext, { scenario, flows, handovers }: LabResult): void {
  const totals = handovers.map(({ totalMs }) => totalMs).toSorted((a, b) => a - b);
  context.diagnostic(
    `${scenario}: ${handovers.length} handovers, total median ${(totals[totals.length >> 1] ?? 0).toFixed(1)} ms`,
  );
  for (const flow of flows) {
    const { name, direction, sent, lost, longestGapMs } = flow;
    const gap = longestGapMs === null ? '' : `, gap ${longestGapMs.toFixed(1)} ms`;
    const stall = flow.protocol === 'tcp' ? `, stall ${stallOf(flow).toFixed(1)} ms` : '';
    context.diagnostic(`${name} ${direction}: ${sent} sent, ${lost} lost${gap}${stall}`);
  }
}
