/**
 * From a scenario's flows to sessions, ports and programs, the same in both runners. RTP flows share one session (a video call), TCP flows
 * another; the correspondent answers each with the media it has. What Mobile IP moves needs no session: it has the home address.
 */
import type { TransportAddress } from '../base/network.ts';
import type { TerminalMedium } from '../correspondent-node/terminal-description.ts';
import { internalAddress, labAddresses } from './lab-addresses.ts';
import type { MediaStreamKind } from './media/media-stream.ts';
import type { Scenario, ScenarioFlow } from './scenario.ts';

export interface PlannedFlow {
  readonly flow: ScenarioFlow;
  readonly media: 'rtp' | 'bulk' | 'interactive';
  /** Of RTP. */
  readonly stream: MediaStreamKind | undefined;
  readonly session: 'call' | 'data' | undefined;
  /** Where the mobile node's program is: on the internal address, or on the home address. */
  readonly mobileAddress: string;
  /** Of the program that waits for packets or connections, on either node. */
  readonly port: number;
  /** What `trimaran session` is asked for. */
  readonly medium: string;
  /** What the mobile node's terminal offers, and the correspondent answers with. */
  readonly offer: TerminalMedium;
  readonly answer: TerminalMedium;
  readonly seed: number;
}

/** RTP takes even ports (RFC 3550 §11); TCP those of iperf. */
const firstPort = { rtp: 40_000, tcp: 5001 } as const;

export function planFlows(scenario: Scenario): PlannedFlow[] {
  return scenario.flows.map((flow, index) => planFlow(flow, index, scenario.seed));
}

/** What the correspondent answers with; it takes part in SIP only where a flow has a session. */
export function correspondentMediaOf(scenario: Scenario): {
  readonly correspondentMedia?: readonly TerminalMedium[];
} {
  const inSessions = planFlows(scenario).filter(({ session }) => session !== undefined);
  return inSessions.length === 0 ? {} : { correspondentMedia: inSessions.map(({ answer }) => answer) };
}

const formatsOf: Readonly<Record<MediaStreamKind, readonly [media: string, formats: readonly string[]]>> = {
  voice: ['audio', ['0', '8']],
  'voice-g723': ['audio', ['4']],
  video: ['video', ['96']],
};

function streamOf({ kind }: ScenarioFlow): MediaStreamKind | undefined {
  if (kind === 'rtp-audio') return 'voice';
  if (kind === 'rtp-g723') return 'voice-g723';
  return kind === 'rtp-video' ? 'video' : undefined;
}

/** Of a flow without session. */
export function knownEnds({
  port,
  mobileAddress,
}: PlannedFlow): Readonly<Record<'ofCorrespondent' | 'ofMobileNode', TransportAddress>> {
  return {
    ofCorrespondent: { address: labAddresses.correspondentNode, port },
    ofMobileNode: { address: mobileAddress, port },
  };
}

function planFlow(flow: ScenarioFlow, index: number, scenarioSeed: number): PlannedFlow {
  const seed = (scenarioSeed + 1000 * (index + 1)) >>> 0;
  const isHome = flow.carrier === 'mobile-ip';
  const mobileAddress = isHome ? labAddresses.mobileNodeHome : internalAddress;
  const stream = streamOf(flow);
  if (stream !== undefined) {
    const [media, formats] = formatsOf[stream];
    const port = firstPort.rtp + 2 * index;
    const offer: TerminalMedium = { media, transport: 'udp', port, formats };
    return {
      flow,
      media: 'rtp',
      stream,
      session: isHome ? undefined : 'call',
      mobileAddress,
      port,
      medium: `${media}:${port}`,
      offer,
      answer: offer,
      seed,
    };
  }
  const isInteractive = flow.kind === 'tcp-interactive';
  const port = firstPort.tcp + index;
  const medium: TerminalMedium = { media: 'application', transport: 'tcp', port };
  return {
    flow,
    media: isInteractive ? 'interactive' : 'bulk',
    stream,
    session: isHome ? undefined : 'data',
    mobileAddress,
    port,
    medium: isInteractive ? 'tcp:connect' : `tcp:listen:${port}`,
    offer: { ...medium, setup: isInteractive ? 'active' : 'passive' },
    // Without a role of its own it takes the one that the offer leaves (RFC 4145 §4.1).
    answer: medium,
    seed,
  };
}
