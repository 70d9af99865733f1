/** Puts a run's measurements together and says whether it went as its scenario expects. */
import type { Instant } from '../base/instant.ts';
import type { TraceEntry } from '../base/trace.ts';
import type { AccessDecision } from '../mobile-node/access-selection/access-selector.ts';
import { type Captures, flowResults, type MeasuredFlow } from './flow-results.ts';
import { applicationPort, internalAddress, labAddresses } from './lab-addresses.ts';
import type { DecisionResult, FlowResult, HandoverResult, LabResult } from './lab-result.ts';
import type { LabTierReport } from './lab-tier.ts';
import type { LinkShaping } from './link-shaping.ts';
import type { Scenario } from './scenario.ts';

/** What a runner brings home. */
export interface LabMeasurements {
  readonly trafficBeganAt: Instant;
  readonly trafficEndedAt: Instant;
  readonly handovers: readonly HandoverResult[];
  readonly flows: readonly MeasuredFlow[];
  /** Of the mobile node's policy, for another access. */
  readonly decisions: readonly AccessDecision[];
  readonly captures: Captures;
  readonly trace: readonly TraceEntry[];
  readonly kernelStateRestored: boolean | null;
  readonly links: readonly LinkShaping[];
  readonly congestionControl: string | null;
  /** What went wrong on the way. */
  readonly problems: readonly string[];
}

/** The first packet over a slow access comes this long after the last session has moved, with room to spare. */
const aftermathMs = 100;

export function assessRun(
  scenario: Scenario,
  { tier, reason }: LabTierReport,
  measured: LabMeasurements,
): LabResult {
  const busy = measured.handovers.map(({ atMs, totalMs }) => {
    const completedAt = measured.trafficBeganAt + atMs;
    return { from: completedAt - totalMs, until: completedAt + aftermathMs };
  });
  const { captures, trafficBeganAt: originAt } = measured;
  const context = { captures, scenario, busy, originAt };
  const flows = measured.flows.flatMap((flow) => flowResults(flow, context));
  const during = measured.trace.filter(
    ({ at }) => at >= measured.trafficBeganAt && at <= measured.trafficEndedAt,
  );
  const result = {
    schema: 'trimaran/lab-result/1' as const,
    tier,
    reason,
    scenario: scenario.name,
    seed: scenario.seed,
    links: measured.links,
    congestionControl: measured.congestionControl,
    handovers: measured.handovers,
    decisions: decisionsOf(measured),
    flows,
    correspondentSaw: {
      remotes: [...new Set(flows.flatMap(({ remotesSeenByPeer }) => remotesSeenByPeer))].sort(),
      sipMessages: countMessages(during, `${labAddresses.correspondentNode}:5060`),
    },
    sipMessagesToApplications: countMessages(during, `${internalAddress}:${applicationPort}`),
    kernelStateRestored: measured.kernelStateRestored,
    files: {},
  };
  const problems = [...measured.problems, ...problemsOf(scenario, result)];
  return { ...result, ok: problems.length === 0, problems };
}

/** Those that fell while traffic was flowing. */
function decisionsOf({ decisions, trafficBeganAt }: LabMeasurements): DecisionResult[] {
  return decisions
    .filter(({ at }) => at >= trafficBeganAt)
    .map(({ at, current, chosen, judgements }) => ({
      atMs: at - trafficBeganAt,
      from: current ?? null,
      to: chosen ?? null,
      judgements,
    }));
}

/** Each message once, by whichever end recorded it. */
function countMessages(trace: readonly TraceEntry[], address: string): number {
  const messages = trace.filter(
    ({ protocol, from, to }) => protocol === 'sip' && (from === address || to === address),
  );
  return new Set(
    messages.map(({ from, to, summary, details }) => JSON.stringify([from, to, summary, details])),
  ).size;
}

function problemsOf(scenario: Scenario, result: Omit<LabResult, 'ok' | 'problems'>): string[] {
  const problems: string[] = result.flows.flatMap((flow) => flowProblems(flow, scenario));
  const moves = result.handovers.filter(({ kind }) => kind !== 'first');
  const { least, most } = scenario.expect.handovers;
  if (moves.length < least || moves.length > most)
    problems.push(`${moves.length} handovers, expected ${least === most ? least : `${least} to ${most}`}`);
  for (const { to, failed } of moves)
    if (failed > 0) problems.push(`${failed} sessions did not move to ${to}`);
  problems.push(...movementProblems(scenario, result));
  if (scenario.architecture === 'trim' && result.correspondentSaw.sipMessages > 0)
    problems.push(`${result.correspondentSaw.sipMessages} SIP messages at the correspondent`);
  if (result.sipMessagesToApplications > 0)
    problems.push(`${result.sipMessagesToApplications} SIP messages to applications`);
  if (result.kernelStateRestored === false) problems.push('the kernel state is not what it was before');
  return problems;
}

/** Where the sessions went, and whether they left in time. */
function movementProblems(
  { expect: { visits, leaves } }: Scenario,
  { handovers }: Pick<LabResult, 'handovers'>,
): string[] {
  const problems: string[] = [];
  const first = handovers[0]?.from ?? undefined;
  const visited = [...(first === undefined ? [] : [first]), ...handovers.map(({ to }) => to)];
  if (visits !== undefined && visited.join() !== visits.join())
    problems.push(`went ${visited.join(', ') || 'nowhere'}; expected ${visits.join(', ')}`);
  for (const { access, afterMs, withinMs } of leaves) {
    const left = handovers.find(({ atMs, from }) => from === access && atMs >= afterMs);
    if (left === undefined || left.atMs > afterMs + withinMs)
      problems.push(
        `${access} was left ${left === undefined ? 'never' : `after ${Math.round(left.atMs - afterMs)} ms`}; expected within ${withinMs} ms`,
      );
  }
  return problems;
}

function flowProblems(flow: FlowResult, { expect: { mayLose } }: Scenario): string[] {
  const problems: string[] = [];
  const say = (text: string): void => void problems.push(`${flow.name} (${flow.direction}): ${text}`);
  if (flow.received === 0) say('nothing arrived');
  if (flow.lost !== 0 && (flow.protocol === 'tcp' || !mayLose)) say(`${flow.lost} ${flow.unit} lost`);
  if (flow.duplicated !== null && flow.duplicated > 0) say(`${flow.duplicated} duplicated`);
  if (flow.bytesIntact === false) say('damaged, or the connection broke');
  const seen = flow.remotesSeenByPeer;
  // With SIP mobility the peer knows each access (MIP-SIP §3), with TRIM and Mobile IP nothing of them.
  if (flow.carrier === 'sip' ? seen.length === 0 : seen.length !== 1)
    say(`the correspondent saw ${seen.join(', ') || 'nobody'}`);
  if (flow.remotesSeenByApplication.length !== 1)
    say(`the application saw ${flow.remotesSeenByApplication.join(', ') || 'nobody'}`);
  return problems;
}
