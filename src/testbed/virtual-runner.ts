/**
 * Runs a scenario in virtual time: the same network functions, flows and timeline as on the kernel, in a network of virtual hosts. The
 * result is a function of the scenario and its seed, to the byte.
 */

import { formatTransportAddress } from '../base/network.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { CorrespondentNodeEvent } from '../correspondent-node/correspondent-node.ts';
import type { RemoteMedium } from '../correspondent-node/terminal-description.ts';
import type { MobileNodeEvent } from '../mobile-node/mobile-node-output.ts';
import { octetsOf, type VirtualPacket } from '../sim/virtual-packet.ts';
import type { LabMeasurements } from './assess-run.ts';
import { FlowTable } from './capture/flow-table.ts';
import { HandoverLog } from './handover-log.ts';
import { type AccessPlace, accessPlaces, labAddresses } from './lab-addresses.ts';
import { knownEnds, type PlannedFlow, planFlows } from './lab-flows.ts';
import type { LabProgress } from './lab-progress.ts';
import { correspondentIdentity } from './lab-users.ts';
import { policySettlingMs, type Scenario, type TimelineStep } from './scenario.ts';
import { stepText } from './step-text.ts';
import { type FlowEnds, type RunningFlow, startVirtualFlow } from './virtual-flows.ts';
import { VirtualLab } from './virtual-lab.ts';
import { VirtualMipSipLab } from './virtual-mip-sip-lab.ts';
import type { VirtualTerminal, VirtualTestNetwork } from './virtual-test-network.ts';

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

class VirtualRun {
  readonly #scenario: Scenario;
  readonly #tell: (progress: LabProgress) => void;
  readonly #places: readonly AccessPlace[];
  readonly #lab: VirtualTestNetwork;
  readonly #log: HandoverLog;
  readonly #captures = { mobile: new FlowTable(), correspondent: new FlowTable() };
  readonly #flows: RunningFlow[] = [];
  readonly #problems: string[] = [];
  #messagesTold = 0;

  constructor({ scenario, tell }: VirtualRunOptions) {
    this.#places = accessPlaces(scenario.accesses);
    this.#scenario = scenario;
    this.#tell = tell;
    this.#log = new HandoverLog(tell);
    this.#lab = newNetwork(scenario, (event, now) => this.#log.take(event, now));
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
      decisions: this.#lab.mobile.machine.decisions.moves,
      captures: {
        mobile: this.#captures.mobile.report(),
        correspondent: this.#captures.correspondent.report(),
      },
      trace: this.#lab.network.trace,
      congestionControl: null,
      links: this.#scenario.accesses.map(({ name }) => ({
        link: name,
        by: 'emulator',
        reason: 'virtual time',
      })),
      kernelStateRestored: null,
      problems: [...this.#problems, ...this.#log.problems],
    };
  }

  #openSessions(): void {
    this.#tell({ kind: 'stage-began', text: 'registering and opening sessions' });
    const plans = planFlows(this.#scenario);
    this.#runUntil(500);
    const inSessions = plans.filter(({ session }) => session !== undefined);
    const peer = inSessions.length === 0 ? undefined : this.#addPeer(inSessions);
    for (const { name, startsUp } of this.#scenario.accesses)
      if (startsUp) this.#lab.mobile.setAccess(name, true);
    this.#require(() => this.#log.current !== undefined && !this.#log.isUnderWay, 'the first access');
    if (this.#scenario.architecture === 'mip-sip') this.#settlePolicy();
    for (const [index, name] of (['call', 'data'] as const).entries()) {
      const flows = plans.filter(({ session }) => session === name);
      if (peer !== undefined && flows.length > 0) this.#openSession(name, 6000 + index, flows, peer.events);
    }
    for (const plan of plans) if (plan.session === undefined) this.#start(plan, knownEnds(plan));
    // The last messages of the set-up are none of the handovers'.
    this.#runUntil(this.#now + 500);
  }

  #addPeer(plans: readonly PlannedFlow[]): VirtualTerminal {
    const media = plans.map(({ answer }) => answer);
    const peer = this.#lab.addTerminal('cn', 'correspondent-node', 5060, { media, ringMs: 0 });
    peer.onEvent = (event) => this.#followSession(event);
    this.#require(() => peer.events.some(({ type }) => type === 'registered'), 'registration');
    return peer;
  }

  /** Every access is bound and measured, and the node is where its policy wants it. */
  #settlePolicy(): void {
    const isBound = (): boolean =>
      this.#lab.mobile.machine
        .status()
        .accesses.every(({ isReady, isBound }) => !isReady || isBound === true);
    this.#require(isBound, 'bindings over all accesses');
    this.#runUntil(this.#now + policySettlingMs(this.#scenario));
    this.#wait(() => !this.#log.isUnderWay);
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
    near.perform((now) => void near.terminal.placeCall(correspondentIdentity, now));
    this.#require(
      () => establishedOf(near.events).length > 0 && establishedOf(correspondentEvents).length > callsBefore,
      `session ${name}`,
    );
    const [ofCorrespondent, ofMobileNode] = [near.events, correspondentEvents].map(
      (events) => establishedOf(events).at(-1) ?? [],
    );
    flows.forEach((plan, index) => {
      const [far, own] = [ofCorrespondent?.[index], ofMobileNode?.[index]];
      if (far !== undefined && own !== undefined)
        this.#start(plan, { ofCorrespondent: far, ofMobileNode: own });
    });
  }

  #start(plan: PlannedFlow, ends: FlowEnds): void {
    const { mobile, correspondentHost: correspondent } = this.#lab;
    this.#flows.push(startVirtualFlow({ mobile: mobile.host, correspondent }, plan, ends, this.#now));
  }

  /** What the correspondent sends goes where its session says, from the first to the last description. */
  #followSession(event: CorrespondentNodeEvent): void {
    if (event.type !== 'session-established') return;
    for (const { localPort, address, port } of event.media)
      if (port !== undefined)
        this.#flows.find(({ plan }) => plan.port === localPort)?.sendTo({ address, port });
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
    for (; this.#messagesTold < this.#lab.network.trace.length; this.#messagesTold++)
      this.#tell({ kind: 'message-seen', entry: this.#lab.network.trace[this.#messagesTold]! });
  }
}

function establishedOf(events: readonly CorrespondentNodeEvent[]): (readonly RemoteMedium[])[] {
  return events.flatMap((event) => (event.type === 'session-established' ? [event.media] : []));
}

function newNetwork(
  scenario: Scenario,
  onMobileNodeEvent: (event: MobileNodeEvent, now: number) => void,
): VirtualTestNetwork {
  const { seed, accesses, withReservation, proxyCscfs, policy } = scenario;
  if (scenario.architecture === 'mip-sip') return new VirtualMipSipLab({ scenario, onMobileNodeEvent });
  return new VirtualLab({
    seed,
    accesses,
    withReservation,
    proxyCscfs,
    ...(policy.kind === 'preference' && { preference: policy.order }),
    onMobileNodeEvent,
  });
}
