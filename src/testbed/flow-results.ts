/** From what both ends of each flow and the captures on both nodes reported to the flows of the result: what was sent, lost, late, and who was seen. */
import type { Instant } from '../base/instant.ts';
import { type AccessPlace, accessPlaces, hasIpv6, labAddresses } from './lab-addresses.ts';
import type { PlannedFlow } from './lab-flows.ts';
import type { FlowResult } from './lab-result.ts';
import type { BulkReport, CapturedFlow, InteractiveReport, RtpReport } from './media/media-protocol.ts';
import type { Scenario } from './scenario.ts';

/** Both ends of one flow, the mobile node's first. */
export type FlowReports =
  | { readonly media: 'rtp'; readonly mobile: RtpReport; readonly correspondent: RtpReport }
  | { readonly media: 'bulk'; readonly mobile: BulkReport; readonly correspondent: BulkReport }
  | {
      readonly media: 'interactive';
      readonly mobile: InteractiveReport;
      readonly correspondent: InteractiveReport;
    };

export interface MeasuredFlow {
  readonly plan: PlannedFlow;
  readonly reports: FlowReports;
}

export interface Captures {
  /** On all access interfaces of the mobile node. */
  readonly mobile: readonly CapturedFlow[];
  readonly correspondent: readonly CapturedFlow[];
}

/** Instants of the trace between which handovers were under way. */
export type Busy = readonly { readonly from: Instant; readonly until: Instant }[];

export interface FlowContext {
  readonly captures: Captures;
  readonly scenario: Scenario;
  readonly busy: Busy;
  /** When traffic began. */
  readonly originAt: Instant;
}

export function flowResults(
  { plan, reports }: MeasuredFlow,
  { captures, scenario, busy, originAt }: FlowContext,
): FlowResult[] {
  const times = { busy, originAt };
  const places = accessPlaces(scenario.accesses);
  const seen = remotesOf(plan, reports, captures, places);
  switch (reports.media) {
    case 'rtp':
      return (['to-mobile-node', 'to-correspondent'] as const)
        .filter((direction) => [direction, 'both'].includes(plan.flow.direction))
        .map((direction) => ({
          ...common(plan),
          ...seen,
          direction,
          ...(direction === 'to-mobile-node'
            ? rtpFigures(reports.correspondent, reports.mobile, times)
            : rtpFigures(reports.mobile, reports.correspondent, times)),
          gapBoundMs: gapBound(plan, direction, scenario),
        }));
    case 'bulk':
      return [
        {
          ...common(plan),
          ...seen,
          ...(plan.flow.direction === 'to-mobile-node'
            ? bulkFigures(reports.correspondent, reports.mobile, originAt)
            : bulkFigures(reports.mobile, reports.correspondent, originAt)),
        },
      ];
    case 'interactive':
      return [{ ...common(plan), ...seen, ...interactiveFigures(reports.mobile) }];
  }
}

function common({ flow, media }: PlannedFlow) {
  const units = { rtp: 'packets', bulk: 'octets', interactive: 'keys' } as const;
  return {
    name: flow.name,
    kind: flow.kind,
    carrier: flow.carrier,
    protocol: media === 'rtp' ? ('udp' as const) : ('tcp' as const),
    direction: flow.direction,
    unit: units[media],
    duplicated: null,
    reordered: null,
    longestGapMs: null,
    longestGapEndedAtMs: null,
    gapBoundMs: null,
    quietGapMs: null,
    senderLatenessMs: null,
    stallMs: null,
    stallEndedAtMs: null,
    stalls: null,
    echoMs: null,
    retransmissions: null,
    timeouts: null,
    bytesIntact: null,
  };
}

type Times = Pick<FlowContext, 'busy' | 'originAt'>;

function rtpFigures(sender: RtpReport, receiver: RtpReport, { busy, originAt }: Times) {
  const add = (value: (stream: RtpReport['received'][number]) => number): number =>
    receiver.received.reduce((sum, stream) => sum + value(stream), 0);
  const unique = add((stream) => stream.unique);
  const longest = receiver.received.toSorted((a, b) => b.longestGapMs - a.longestGapMs)[0];
  return {
    sent: sender.sent,
    received: unique,
    // Against what was sent, not against the highest number that came: the last packets count too.
    lost: sender.sent - unique,
    duplicated: add(({ duplicated }) => duplicated),
    reordered: add(({ reordered }) => reordered),
    longestGapMs: longest?.longestGapMs ?? null,
    longestGapEndedAtMs: longest === undefined ? null : longest.longestGapEndedAt - originAt,
    quietGapMs: longestQuietGap(receiver, busy),
    senderLatenessMs: sender.latestSendMs,
  };
}

function longestQuietGap({ gaps }: RtpReport, busy: Busy): number {
  const quiet = gaps.filter(({ ms, endedAt }) =>
    busy.every(({ from, until }) => endedAt < from || endedAt - ms > until),
  );
  return Math.max(0, ...quiet.map(({ ms }) => ms));
}

function bulkFigures(sender: BulkReport, receiver: BulkReport, originAt: Instant) {
  const endings = [sender.ending, receiver.ending];
  return {
    sent: sender.octets,
    received: receiver.octets,
    lost: sender.octets - receiver.octets,
    stallMs: receiver.longestStallMs,
    stallEndedAtMs: receiver.longestStallEndedAt - originAt,
    stalls: receiver.stalls.map(({ ms, endedAt }) => ({ ms, endedAtMs: endedAt - originAt })),
    retransmissions: sender.retransmittedSegments,
    timeouts: sender.retransmissionTimeouts,
    bytesIntact: sender.checksum === receiver.checksum && endings.every((ending) => ending === 'finished'),
  };
}

function interactiveFigures(typist: InteractiveReport) {
  return {
    sent: typist.keys,
    received: typist.echoed,
    lost: typist.keys - typist.echoed,
    echoMs: typist.roundTripMs,
    bytesIntact: typist.keys === typist.echoed && ['open', 'finished'].includes(typist.ending),
  };
}

/** Issue 2: packet spacing + difference of the two access delays + 20 ms. */
function gapBound(
  { flow }: PlannedFlow,
  direction: 'to-mobile-node' | 'to-correspondent',
  { accesses }: Scenario,
): number {
  const spacingMs = { 'rtp-audio': 20, 'rtp-g723': 30 }[flow.kind as string] ?? 40;
  const link = direction === 'to-mobile-node' ? 'downlink' : 'uplink';
  const delays = accesses.map(({ profile }) => profile[link].delayMs);
  return spacingMs + Math.max(...delays) - Math.min(...delays) + 20;
}

function remotesOf(
  plan: PlannedFlow,
  reports: FlowReports,
  captures: Captures,
  places: readonly AccessPlace[],
) {
  const protocol = reports.media === 'rtp' ? 'udp' : 'tcp';
  const { correspondentNode } = labAddresses;
  const ends = (side: 'mobile' | 'correspondent') => (reports.media === 'rtp' ? undefined : reports[side]);
  const portAt = (side: 'mobile' | 'correspondent'): number => portOf(ends(side)?.local) ?? plan.port;
  const atCorrespondent = [`${correspondentNode}:${portAt('correspondent')}`];
  // Where there are both versions of IP the node itself changes the addresses of its peers: only programs know whom they see.
  const onLinks = hasIpv6(places) ? [] : places.map(({ address }) => address);
  const addresses = [...onLinks, plan.mobileAddress];
  const atMobile = addresses.map((address) => `${address}:${portAt('mobile')}`);
  const told = (side: 'mobile' | 'correspondent'): readonly string[] =>
    reports.media === 'rtp' ? reports[side].remotes : [reports[side].remote];
  return {
    remotesSeenByPeer: distinct([
      ...farEnds(captures.correspondent, protocol, atCorrespondent),
      ...told('correspondent'),
    ]),
    remotesSeenByApplication: distinct([...farEnds(captures.mobile, protocol, atMobile), ...told('mobile')]),
  };
}

/** Everybody who exchanged packets with one of the near ends. */
export function farEnds(
  flows: readonly CapturedFlow[],
  protocol: 'udp' | 'tcp',
  nearEnds: readonly string[],
): string[] {
  return flows
    .filter((flow) => flow.protocol === protocol)
    .flatMap(({ source, destination }) => [
      ...(nearEnds.includes(source) ? [destination] : []),
      ...(nearEnds.includes(destination) ? [source] : []),
    ]);
}

function portOf(end: string | undefined): number | undefined {
  return end === undefined || end === '' ? undefined : Number(end.slice(end.lastIndexOf(':') + 1));
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
