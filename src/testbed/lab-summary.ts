/** The table that ends a lab run, for people, in 80 columns. */
import type { FlowResult, HandoverResult, LabResult } from './lab-result.ts';
import type { LinkShaping } from './link-shaping.ts';

export function formatSummary(result: LabResult): string[] {
  const { correspondentSaw, sipMessagesToApplications, kernelStateRestored } = result;
  return [
    ...handoverTable(result.handovers),
    ...decisionTable(result.decisions),
    '',
    ...flowTable(result.flows),
    ...gapNotes(result.flows),
    '',
    ...remoteTable(result.flows),
    '',
    `SIP messages because of handovers: ${correspondentSaw.sipMessages} at the correspondent, ${sipMessagesToApplications} at applications`,
    ...linkLines(result.links),
    ...(kernelStateRestored === null
      ? []
      : [`Kernel state after the run: ${kernelStateRestored ? 'as before' : 'NOT as before'}`]),
    ...Object.entries(result.files).map(([purpose, path]) => `${purpose}: ${path}`),
    '',
    ...(result.ok
      ? ['Everything went as expected.']
      : result.problems.map((problem) => `PROBLEM: ${problem}`)),
  ];
}

function linkLines(links: readonly LinkShaping[]): string[] {
  const headings = new Set(links.map(heading));
  return [...headings].map((text) => {
    const names = links.filter((link) => heading(link) === text).map(({ link }) => link);
    return `${text}: ${names.join(', ')}`;
  });
}

function heading({ by, reason }: LinkShaping): string {
  return `Links by ${by === 'netem' ? 'netem' : 'the emulator'} (${reason})`;
}

/** Many handovers are summed up by their medians. */
const listedHandovers = 12;

function handoverTable(handovers: readonly HandoverResult[]): string[] {
  if (handovers.length === 0) return ['No handover.'];
  const heading = row(
    ['at', 'handover', 'kind', 'T_attach', 'T_act-sig', 'T_register', 'T_sip', 'T_bind', 'total'],
    handoverWidths,
  );
  const rows = handovers
    .slice(0, listedHandovers)
    .map((handover) =>
      row(
        [
          `${(handover.atMs / 1000).toFixed(1)} s`,
          `${handover.from ?? '(none)'} > ${handover.to}`,
          handover.kind,
          ...termsOf(handover).map(oneDecimal),
        ],
        handoverWidths,
      ),
    );
  if (handovers.length <= listedHandovers) return [heading, ...rows];
  const medians = [0, 1, 2, 3, 4, 5].map((term) => {
    const values = handovers.flatMap((handover) => termsOf(handover)[term] ?? []);
    return values.length === 0 ? null : median(values);
  });
  return [
    heading,
    ...rows,
    `… and ${handovers.length - listedHandovers} more; medians of all ${handovers.length}:`,
    row(['', '', '', ...medians.map(oneDecimal)], handoverWidths),
  ];
}

const decisionWidths = [-7, -16, 12, 12, 12, 12];

/** What the policy of MIP-SIP compared: RNL (equation 1) and U (equation 6) of the access that was left and of the one that was taken. */
function decisionTable(decisions: LabResult['decisions']): string[] {
  const rows = decisions.flatMap(({ atMs, from, to, judgements }) => {
    const numbersOf = (name: string | null) =>
      judgements.find(({ access }) => access === name)?.numbers ?? {};
    const [before, after] = [numbersOf(from), numbersOf(to)];
    if (after['U'] === undefined) return [];
    const values = [before['RNL'], after['RNL'], before['U'], after['U']];
    const cells = values.map((value, index) => value?.toFixed(index < 2 ? 1 : 3) ?? '-');
    return [row([`${(atMs / 1000).toFixed(1)} s`, `${from ?? '(none)'} > ${to}`, ...cells], decisionWidths)];
  });
  if (rows.length === 0 || rows.length > listedHandovers) return [];
  return [
    '',
    row(['at', 'decision', 'RNL before', 'after, ms', 'U before', 'after'], decisionWidths),
    ...rows,
  ];
}

/** T_bind: until the home agent had confirmed, with Mobile IP. All times in milliseconds. */
const handoverWidths = [-7, -15, -5, 9, 10, 11, 8, 7, 7];
const flowWidths = [-20, 9, 9, 5, 4, 6, 8, 9, 5, 5];

function termsOf(handover: HandoverResult): (number | null)[] {
  const { tAttachMs, tActSigMs, tRegisterMs, tSipMs, tBindingMs, totalMs } = handover;
  return [tAttachMs, tActSigMs, tRegisterMs, tSipMs, tBindingMs, totalMs];
}

function flowTable(flows: readonly FlowResult[]): string[] {
  const heading = row(
    ['flow', 'sent', 'received', 'lost', 'dup', 'reord', 'gap ms', 'stall ms', 'retr', 'RTO'],
    flowWidths,
  );
  return [heading, ...flows.map(flowRow)];
}

function flowRow(flow: FlowResult): string {
  const arrows = { 'to-mobile-node': 'CN>MN', 'to-correspondent': 'MN>CN', both: 'MN<>CN' } as const;
  const { sent, received, lost, duplicated, reordered, retransmissions, timeouts } = flow;
  return row(
    [
      `${flow.name.slice(0, 12)} ${arrows[flow.direction]}`,
      ...[sent, received, lost, duplicated, reordered].map(whole),
      oneDecimal(flow.longestGapMs),
      oneDecimal(flow.stallMs ?? flow.echoMs?.most ?? null),
      ...[retransmissions, timeouts].map(whole),
    ],
    flowWidths,
  );
}

/** A gap that no handover made is this machine's: it was busy with something else. */
function gapNotes(flows: readonly FlowResult[]): string[] {
  const disturbed = flows.filter(
    ({ longestGapMs, gapBoundMs, quietGapMs }) =>
      longestGapMs !== null && longestGapMs === quietGapMs && longestGapMs > (gapBoundMs ?? 0),
  );
  const names = [...new Set(disturbed.map(({ name }) => name))].join(', ');
  return names === '' ? [] : [`Longest gap outside of handovers, from a busy machine: ${names}`.slice(0, 80)];
}

const remoteWidths = [-20, -30, -30];

/** Both directions of a flow see the same: one row. */
function remoteTable(flows: readonly FlowResult[]): string[] {
  const rows = new Map(
    flows.map(({ name, remotesSeenByPeer, remotesSeenByApplication }) => [
      name,
      row([name, list(remotesSeenByPeer), list(remotesSeenByApplication)], remoteWidths),
    ]),
  );
  return [row(['flow', 'the correspondent saw', 'the application saw'], remoteWidths), ...rows.values()];
}

/** Positive widths align to the right, negative ones to the left. */
function row(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, index) => {
      const width = widths[index] ?? 8;
      return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
    })
    .join('')
    .trimEnd();
}

function whole(value: number | null): string {
  return value === null ? '-' : String(value);
}

function oneDecimal(value: number | null): string {
  return value === null ? '-' : value.toFixed(1);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function list(texts: readonly string[]): string {
  if (texts.length === 0) return 'nobody';
  // With SIP mobility the peer sees every access.
  return texts.length === 1 ? texts.join() : `${texts.length} addresses`;
}
