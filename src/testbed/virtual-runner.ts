/**
 * Runs a scenario in virtual time: the same network functions, flows and timeline as on the kernel, in a network of virtual hosts. The
 * result is a function of the scenario and its seed, to the byte.
 */
import { formatTransportAddress, type TransportAddress } from '../base/network.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { CorrespondentNodeEvent } from '../correspondent-node/correspondent-node.ts';
import type { RemoteMedium } from '../correspondent-node/terminal-description.ts';
import { octetsOf, type VirtualPacket } from '../sim/virtual-packet.ts';
import { internalAddress, type LabMeasurements } from './assess-run.ts';
import { FlowTable } from './capture/flow-table.ts';
import type { MeasuredFlow } from './flow-results.ts';
import { HandoverLog } from './handover-log.ts';
import { type AccessPlace, accessPlaces, labAddresses } from './lab-addresses.ts';
import { type PlannedFlow, planFlows } from './lab-flows.ts';
import type { LabProgress } from './lab-progress.ts';
import type { Scenario, TimelineStep } from './scenario.ts';
import { stepText } from './step-text.ts';
import { VirtualLab } from './virtual-lab.ts';
import { VirtualBulk, VirtualInteractive, VirtualRtp } from './virtual-media.ts';
import { labUsers } from './virtual-test-network.ts';

export interface VirtualRunOptions {
  readonly scenario: Scenario;
  readonly tell: (progress: LabProgress) => void;
}

/** In virtual time; what is not done by then will not be done. */
const patienceMs = 40_000;
/** What is on its way when sending stops arrives within this time. */
const settleMs = 15_000;
const ethernetOctets = 14;

export function runInVirtualTime(options: VirtualRunOptions): LabMeasurements {
  if (Object.values(options.scenario.core).includes('kamailio'))
    throw new TrimaranError('NEEDS_KERNEL', 'Kamailio cannot run in virtual time', {
      remedy:
        'Run it where network namespaces can be made ("trimaran doctor" tells), or take "core: trimaran".',
    });
  return new VirtualRun(options).run();
}

interface RunningFlow {
  readonly plan: PlannedFlow;
  readonly stopSending: () => void;
  readonly startSending: () => void;
  readonly report: () => MeasuredFlow['reports'];
}

class VirtualRun {
  readonly #scenario: Scenario;
  readonly #tell: (progress: LabProgress) => void;
  readonly #places: readonly AccessPlace[];
  readonly #lab: VirtualLab;
  readonly #log: HandoverLog;
  readonly #captures = { mobile: new FlowTable(), correspondent: new FlowTable() };
  readonly #flows: RunningFlow[] = [];
  readonly #problems: string[] = [];
  #messagesTold = 0;

  constructor({ scenario, tell }: VirtualRunOptions) {
    const { seed, accesses, withReservation, proxyCscfs, policy } = scenario;
    this.#places = accessPlaces(accesses.map(({ name }) => name));
    this.#scenario = scenario;
    this.#tell = tell;
    this.#log = new HandoverLog(tell);
    this.#lab = new VirtualLab({
      seed,
      accesses,
      withReservation,
      proxyCscfs,
      ...(policy.kind === 'preference' && { preference: policy.order }),
      onMobileNodeEvent: (event, now) => this.#log.take(event, now),
    });
    this.#lab.network.onPacket = (packet) => this.#capture(packet);
  }

  run(): LabMeasurements {
    this.#openSessions();
    const trafficBeganAt = this.#now;
    this.#log.trafficBegan(trafficBeganAt);
    this.#tell({ kind: 'traffic-began', at: trafficBeganAt });
    for (const flow of this.#flows) flow.startSending();
    for (const { atMs, action } of this.#scenario.timeline) {
      this.#runUntil(trafficBeganAt + atMs);
      this.#take(action);
    }
    this.#runUntil(trafficBeganAt + this.#scenario.durationMs);
    this.#wait(() => !this.#log.isUnderWay);
    const trafficEndedAt = this.#now;
    this.#tell({ kind: 'traffic-ended', at: trafficEndedAt });
    for (const flow of this.#flows) flow.stopSending();
    this.#runUntil(this.#now + settleMs);
    return {
      trafficBeganAt,
      trafficEndedAt,
      handovers: this.#log.handovers,
      flows: this.#flows.map(({ plan, report }) => ({ plan, reports: report() })),
      captures: {
        mobile: this.#captures.mobile.report(),
        correspondent: this.#captures.correspondent.report(),
      },
      trace: this.#lab.trace,
      kernelStateRestored: null,
      problems: [...this.#problems, ...this.#log.problems],
    };
  }

  #openSessions(): void {
    this.#tell({ kind: 'stage-began', text: 'registering and opening sessions' });
    const plans = planFlows(this.#scenario);
    this.#runUntil(500);
    const media = plans.map(({ answer }) => answer);
    const correspondent = this.#lab.addTerminal('cn', 'correspondent-node', 5060, { media, ringMs: 0 });
    this.#require(() => correspondent.events.some(({ type }) => type === 'registered'), 'registration');
    for (const { name, startsUp } of this.#scenario.accesses)
      if (startsUp) this.#lab.mobile.setAccess(name, true);
    this.#require(() => this.#log.current !== undefined && !this.#log.isUnderWay, 'the first access');
    for (const [index, name] of (['call', 'data'] as const).entries()) {
      const flows = plans.filter(({ session }) => session === name);
      if (flows.length > 0) this.#openSession(name, 6000 + index, flows, correspondent.events);
    }
    // The last messages of the set-up are none of the handovers'.
    this.#runUntil(this.#now + 500);
  }

  #openSession(
    name: string,
    sipPort: number,
    flows: readonly PlannedFlow[],
    correspondentEvents: readonly CorrespondentNodeEvent[],
  ): void {
    const media = flows.map(({ offer }) => offer);
    const near = this.#lab.addTerminal('mn', `session-${name}`, sipPort, { media, ringMs: 0 });
    const callsBefore = establishedOf(correspondentEvents).length;
    near.perform((now) => void near.terminal.placeCall(labUsers.correspondentNode, now));
    this.#require(
      () => establishedOf(near.events).length > 0 && establishedOf(correspondentEvents).length > callsBefore,
      `session ${name}`,
    );
    const [ofCorrespondent, ofMobileNode] = [near.events, correspondentEvents].map(
      (events) => establishedOf(events).at(-1) ?? [],
    );
    flows.forEach((plan, index) => {
      const [far, own] = [ofCorrespondent?.[index], ofMobileNode?.[index]];
      if (far !== undefined && own !== undefined) this.#flows.push(this.#startFlow(plan, far, own));
    });
  }

  #startFlow(plan: PlannedFlow, far: RemoteMedium, own: RemoteMedium): RunningFlow {
    if (plan.media === 'rtp') return this.#startRtp(plan, far, own);
    if (plan.media === 'bulk') return this.#startBulk(plan, own);
    const { port, seed } = plan;
    const { correspondentHost } = this.#lab;
    const mobileHost = this.#lab.mobile.host;
    const correspondent = new VirtualInteractive({
      opening: { kind: 'listen', local: { address: labAddresses.correspondentNode, port } },
      role: 'echo',
      seed,
    });
    const mobile = new VirtualInteractive({
      opening: { kind: 'connect', remote: place(far), local: { address: internalAddress, port: 0 } },
      role: 'typist',
      seed,
    });
    correspondentHost.run<never, never, never>({ machine: correspondent }).perform(() => {});
    const process = mobileHost.run<never, never, never>({ machine: mobile });
    process.perform(() => {});
    return {
      plan,
      startSending: () => {},
      stopSending: () => process.perform(() => mobile.stopSending()),
      report: () => ({
        media: 'interactive',
        mobile: mobile.report(),
        correspondent: correspondent.report(),
      }),
    };
  }

  #startRtp(plan: PlannedFlow, far: RemoteMedium, own: RemoteMedium): RunningFlow {
    const { port, seed, flow } = plan;
    const { correspondentHost } = this.#lab;
    const mobileHost = this.#lab.mobile.host;
    const stream = flow.kind === 'rtp-audio' ? 'voice' : 'video';
    const near = { address: internalAddress, port };
    const mobile = new VirtualRtp({ local: near, remote: place(far), stream, seed }, this.#now);
    const local = { address: labAddresses.correspondentNode, port };
    const settings = { local, remote: place(own), stream, seed: seed + 1 } as const;
    const correspondent = new VirtualRtp(settings, this.#now);
    const processes = [
      mobileHost.run<never, never, never>({ machine: mobile }),
      correspondentHost.run<never, never, never>({ machine: correspondent }),
    ] as const;
    for (const process of processes) process.perform(() => {});
    return {
      plan,
      startSending: () => {
        if (flow.direction !== 'to-mobile-node') processes[0].perform((now) => mobile.startSending(now));
        if (flow.direction !== 'to-correspondent')
          processes[1].perform((now) => correspondent.startSending(now));
      },
      stopSending: () => {
        processes[0].perform(() => mobile.stopSending());
        processes[1].perform(() => correspondent.stopSending());
      },
      report: () => ({ media: 'rtp', mobile: mobile.report(), correspondent: correspondent.report() }),
    };
  }

  /** The correspondent connects to the mobile node, whichever of them sends. */
  #startBulk(plan: PlannedFlow, own: RemoteMedium): RunningFlow {
    const { port, seed, flow } = plan;
    const { correspondentHost } = this.#lab;
    const mobileHost = this.#lab.mobile.host;
    const rate = flow.rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond: flow.rateBitsPerSecond };
    const isFromMobile = flow.direction === 'to-correspondent';
    const mobile: VirtualBulk = new VirtualBulk(
      {
        opening: { kind: 'listen', local: { address: internalAddress, port } },
        role: isFromMobile ? 'sender' : 'receiver',
        ...rate,
        seed,
      },
      () => correspondent.octets,
      this.#now,
    );
    const correspondent: VirtualBulk = new VirtualBulk(
      {
        opening: { kind: 'connect', remote: place(own) },
        role: isFromMobile ? 'receiver' : 'sender',
        ...rate,
        seed,
      },
      () => mobile.octets,
      this.#now,
    );
    const processes = [
      mobileHost.run<never, never, never>({ machine: mobile }),
      correspondentHost.run<never, never, never>({ machine: correspondent }),
    ] as const;
    for (const process of processes) process.perform(() => {});
    return {
      plan,
      startSending: () => {},
      stopSending: () => {
        processes[0].perform(() => mobile.stopSending());
        processes[1].perform(() => correspondent.stopSending());
      },
      report: () => ({
        media: 'bulk',
        mobile: mobile.report(mobileHost.tcpStatistics),
        correspondent: correspondent.report(correspondentHost.tcpStatistics),
      }),
    };
  }

  #take(action: TimelineStep['action']): void {
    const { access } = action;
    if (action.kind === 'handover') {
      this.#wait(() => !this.#log.isUnderWay);
      this.#lab.mobile.requestHandover(access);
      return;
    }
    if (action.kind === 'change') this.#lab.mobile.changeLink(access, action.profile);
    else this.#lab.mobile.setAccess(access, action.kind === 'up');
    const text = stepText(action);
    if (text !== undefined) this.#tell({ kind: 'step-taken', at: this.#now, text });
  }

  #capture(packet: VirtualPacket): void {
    const { source, sourcePort, destination, destinationPort, content } = packet;
    if (content.protocol === 'icmp') return;
    const flow = {
      protocol: content.protocol,
      source: formatTransportAddress({ address: source, port: sourcePort }),
      destination: formatTransportAddress({ address: destination, port: destinationPort }),
    };
    const count = (table: FlowTable, link: string): void =>
      table.count(flow, link, octetsOf(packet) + ethernetOctets, this.#now);
    for (const { interface: link, address } of this.#places)
      if (source === address || destination === address) count(this.#captures.mobile, link);
    if ([source, destination].includes(labAddresses.correspondentNode))
      count(this.#captures.correspondent, 'eth0');
  }

  get #now(): number {
    return this.#lab.network.simulation.now;
  }

  #runUntil(at: number): void {
    this.#lab.network.simulation.runUntil(at);
    this.#tellMessages();
  }

  #wait(condition: () => boolean): boolean {
    const isMet = this.#lab.network.simulation.runWhile(() => !condition(), patienceMs);
    this.#tellMessages();
    return isMet;
  }

  #require(condition: () => boolean, what: string): void {
    if (!this.#wait(condition))
      throw new TrimaranError('LAB_TIMEOUT', `${what} did not come about within ${patienceMs / 1000} s`);
  }

  #tellMessages(): void {
    for (; this.#messagesTold < this.#lab.trace.length; this.#messagesTold++)
      this.#tell({ kind: 'message-seen', entry: this.#lab.trace[this.#messagesTold]! });
  }
}

function establishedOf(events: readonly CorrespondentNodeEvent[]): (readonly RemoteMedium[])[] {
  return events.flatMap((event) => (event.type === 'session-established' ? [event.media] : []));
}

function place({ address, port }: RemoteMedium): TransportAddress {
  if (port === undefined)
    throw new TrimaranError('LAB_NO_ADDRESS', 'a session gave no port for a stream that needs one');
  return { address, port };
}
