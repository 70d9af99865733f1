/** Both ends of a scenario's flows on the hosts of a virtual lab, with the addresses that a session told or that are known beforehand. */
import type { Instant } from '../base/instant.ts';
import type { TransportAddress } from '../base/network.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { RemoteMedium } from '../correspondent-node/terminal-description.ts';
import type { VirtualHost } from '../sim/virtual-host.ts';
import type { MeasuredFlow } from './flow-results.ts';
import { labAddresses } from './lab-addresses.ts';
import type { PlannedFlow } from './lab-flows.ts';
import { VirtualBulk, VirtualInteractive, VirtualRtp } from './virtual-media.ts';

export interface RunningFlow {
  readonly plan: PlannedFlow;
  readonly stopSending: () => void;
  readonly startSending: () => void;
  /** The correspondent's end sends there from now on: its session says so. */
  readonly sendTo: (mobileNode: TransportAddress) => void;
  readonly report: () => MeasuredFlow['reports'];
}

/** Where each end finds the other. */
export interface FlowEnds {
  readonly ofCorrespondent: Place;
  readonly ofMobileNode: Place;
}

type Place = Pick<RemoteMedium, 'address' | 'port'>;

interface Hosts {
  readonly mobile: VirtualHost;
  readonly correspondent: VirtualHost;
}

export function startVirtualFlow(hosts: Hosts, plan: PlannedFlow, ends: FlowEnds, now: Instant): RunningFlow {
  switch (plan.media) {
    case 'rtp':
      return startRtp(hosts, plan, ends, now);
    case 'bulk':
      return startBulk(hosts, plan, ends, now);
    case 'interactive':
      return startInteractive(hosts, plan, ends);
  }
}

function startInteractive(hosts: Hosts, plan: PlannedFlow, { ofCorrespondent }: FlowEnds): RunningFlow {
  const { port, seed, mobileAddress } = plan;
  const correspondent = new VirtualInteractive({
    opening: { kind: 'listen', local: { address: labAddresses.correspondentNode, port } },
    role: 'echo',
    seed,
  });
  const mobile = new VirtualInteractive({
    opening: { kind: 'connect', remote: place(ofCorrespondent), local: { address: mobileAddress, port: 0 } },
    role: 'typist',
    seed,
  });
  hosts.correspondent.run<never, never, never>({ machine: correspondent }).perform(() => {});
  const process = hosts.mobile.run<never, never, never>({ machine: mobile });
  process.perform(() => {});
  return {
    plan,
    startSending: () => {},
    stopSending: () => process.perform(() => mobile.stopSending()),
    sendTo: () => {},
    report: () => ({
      media: 'interactive',
      mobile: mobile.report(),
      correspondent: correspondent.report(),
    }),
  };
}

function startRtp(hosts: Hosts, plan: PlannedFlow, ends: FlowEnds, now: Instant): RunningFlow {
  const { port, seed, flow, stream = 'voice', mobileAddress } = plan;
  const common = { stream, ...rateOf(flow) };
  const near = { local: { address: mobileAddress, port }, remote: place(ends.ofCorrespondent) };
  const mobile = new VirtualRtp({ ...common, ...near, seed }, now);
  const local = { address: labAddresses.correspondentNode, port };
  const settings = { ...common, local, remote: place(ends.ofMobileNode), seed: seed + 1 };
  const correspondent = new VirtualRtp(settings, now);
  const processes = [
    hosts.mobile.run<never, never, never>({ machine: mobile }),
    hosts.correspondent.run<never, never, never>({ machine: correspondent }),
  ] as const;
  for (const process of processes) process.perform(() => {});
  return {
    plan,
    startSending: () => {
      if (flow.direction !== 'to-mobile-node') processes[0].perform((at) => mobile.startSending(at));
      if (flow.direction !== 'to-correspondent') processes[1].perform((at) => correspondent.startSending(at));
    },
    stopSending: () => {
      processes[0].perform(() => mobile.stopSending());
      processes[1].perform(() => correspondent.stopSending());
    },
    sendTo: (remote) => correspondent.sendTo(remote),
    report: () => ({ media: 'rtp', mobile: mobile.report(), correspondent: correspondent.report() }),
  };
}

/** The correspondent connects to the mobile node, whichever of them sends. */
function startBulk(hosts: Hosts, plan: PlannedFlow, { ofMobileNode }: FlowEnds, now: Instant): RunningFlow {
  const { port, seed, flow, mobileAddress } = plan;
  const rate = rateOf(flow);
  const isFromMobile = flow.direction === 'to-correspondent';
  const mobile: VirtualBulk = new VirtualBulk(
    {
      opening: { kind: 'listen', local: { address: mobileAddress, port } },
      role: isFromMobile ? 'sender' : 'receiver',
      ...rate,
      seed,
    },
    () => correspondent.octets,
    now,
  );
  const correspondent: VirtualBulk = new VirtualBulk(
    {
      opening: { kind: 'connect', remote: place(ofMobileNode) },
      role: isFromMobile ? 'receiver' : 'sender',
      ...rate,
      seed,
    },
    () => mobile.octets,
    now,
  );
  const processes = [
    hosts.mobile.run<never, never, never>({ machine: mobile }),
    hosts.correspondent.run<never, never, never>({ machine: correspondent }),
  ] as const;
  for (const process of processes) process.perform(() => {});
  return {
    plan,
    startSending: () => {},
    stopSending: () => {
      processes[0].perform(() => mobile.stopSending());
      processes[1].perform(() => correspondent.stopSending());
    },
    sendTo: () => {},
    report: () => ({
      media: 'bulk',
      mobile: mobile.report(hosts.mobile.tcpStatistics),
      correspondent: correspondent.report(hosts.correspondent.tcpStatistics),
    }),
  };
}

function rateOf({ rateBitsPerSecond }: PlannedFlow['flow']): { readonly rateBitsPerSecond?: number } {
  return rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond };
}

function place({ address, port }: Place): TransportAddress {
  if (port === undefined)
    throw new TrimaranError('LAB_NO_ADDRESS', 'a session gave no port for a stream that needs one');
  return { address, port };
}
