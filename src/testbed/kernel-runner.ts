/**
 * Runs a scenario on the real kernel (TRIM fig. 7): network namespaces, the roles as processes of their own, ordinary programs as
 * applications, captures at both ends, and a look at the kernel's state before and after.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Instant } from '../base/instant.ts';
import { hasNetem } from '../drivers/linux/netem-link.ts';
import type { MobileNodeEvent } from '../mobile-node/mobile-node-output.ts';
import { monotonicNow } from '../runtime/monotonic-clock.ts';
import type { LabMeasurements } from './assess-run.ts';
import { HandoverLog } from './handover-log.ts';
import { KernelMedia } from './kernel-media.ts';
import { KernelNetwork } from './kernel-network.ts';
import { type KernelState, readKernelState } from './kernel-state.ts';
import { KernelTopology } from './kernel-topology.ts';
import { type AccessPlace, accessPlaces } from './lab-addresses.ts';
import { correspondentMediaOf, knownEnds, planFlows } from './lab-flows.ts';
import type { AccessState, LabProgress } from './lab-progress.ts';
import { type LabNode, labTopology } from './lab-topology.ts';
import { chooseShaping, type LinkShaping } from './link-shaping.ts';
import { availableCongestionControl } from './media/congestion-control.ts';
import { MediaProgram, type Spawn } from './media/media-program.ts';
import { policySettlingMs, type Scenario, type TimelineStep } from './scenario.ts';
import { stepText } from './step-text.ts';
import type { TopologyDescription } from './topology.ts';

export interface KernelRunOptions {
  readonly scenario: Scenario;
  /** A private folder for the roles' configuration; the caller removes it. */
  readonly folder: string;
  /** Where every frame at both ends is written as pcapng; nothing is written when absent. */
  readonly captureFolder: string | undefined;
  readonly tell: (progress: LabProgress) => void;
}

const measureIntervalMs = 250;
/** A handover that takes longer than all retransmissions of its INVITE (RFC 3261 §17.1.1.2: 32 s) will not end any more. */
const handoverPatienceMs = 40_000;
/** The kernel tells of a lost carrier up to a second later (linkwatch). */
const carrierPatienceMs = 5000;

/** Must run inside the lab's namespaces (startLabProcess): it makes further ones. */
export function runInKernel(options: KernelRunOptions): Promise<LabMeasurements> {
  return new KernelRun(options).run();
}

class KernelRun {
  readonly #scenario: Scenario;
  readonly #captureFolder: string | undefined;
  readonly #tell: (progress: LabProgress) => void;
  readonly #description: TopologyDescription;
  readonly #links: readonly LinkShaping[];
  readonly #topology: KernelTopology;
  readonly #network: KernelNetwork;
  readonly #congestionControl: string;
  readonly #media: KernelMedia;
  readonly #log: HandoverLog;
  readonly #places: readonly AccessPlace[];
  readonly #startsUp: ReadonlyMap<string, boolean>;
  readonly #isUp: Map<string, boolean>;
  readonly #problems: string[] = [];

  constructor({ scenario, folder, captureFolder, tell }: KernelRunOptions) {
    this.#scenario = scenario;
    this.#captureFolder = captureFolder;
    this.#tell = tell;
    this.#places = accessPlaces(scenario.accesses);
    this.#startsUp = new Map(scenario.accesses.map(({ name, startsUp }) => [name, startsUp]));
    this.#isUp = new Map(this.#startsUp);
    const figure = scenario.architecture === 'trim' ? 'TRIM fig. 7' : 'MIP-SIP fig. 3';
    tell({ kind: 'stage-began', text: `building the network of ${figure} from network namespaces` });
    this.#description = labTopology(scenario.accesses, scenario.architecture, scenario.mobileIp.homeDelayMs);
    this.#links = chooseShaping(scenario, hasNetem);
    this.#topology = new KernelTopology(this.#description, {
      seed: scenario.seed,
      shaperOf: (name) => this.#links.find(({ link }) => link === name)?.by ?? 'emulator',
    });
    this.#congestionControl = availableCongestionControl(scenario.congestionControl);
    this.#media = new KernelMedia(this.#on('mn'), this.#on('cn'), this.#congestionControl);
    this.#log = new HandoverLog(tell);
    this.#network = new KernelNetwork({
      topology: this.#topology,
      ims: scenario,
      ...correspondentMediaOf(scenario),
      onSession: (media) => this.#media.followSession(media),
      folder,
      onMessage: (entry) => tell({ kind: 'message-seen', entry }),
      onMobileEvent: ({ at, event, ...details }) =>
        this.#log.take({ type: event, ...details } as MobileNodeEvent, Number(at)),
    });
  }

  async run(): Promise<LabMeasurements> {
    for (const [access, isUp] of this.#isUp) if (!isUp) this.#topology.link(access).setUp(false);
    await this.#untilCarriersAre(this.#startsUp);
    const before = this.#readStates();
    const meter = new AccessMeter(this.#topology);
    const captures = await this.#startCaptures();
    this.#stage(
      this.#scenario.architecture === 'trim'
        ? 'starting IMS core, TRIM AS, address translator, correspondent and mobile node'
        : 'starting home agent, SIP server, correspondent and mobile node',
    );
    await this.#network.start();
    if (this.#scenario.architecture === 'mip-sip') await this.#settlePolicy();
    const meterTimer = setInterval(() => void this.#measure(meter), measureIntervalMs);
    await this.#openSessions();
    this.#media.startSending();
    const trafficBeganAt = monotonicNow();
    this.#log.trafficBegan(trafficBeganAt);
    this.#tell({ kind: 'traffic-began', at: trafficBeganAt });
    await this.#followTimeline(trafficBeganAt);
    const trafficEndedAt = monotonicNow();
    this.#tell({ kind: 'traffic-ended', at: trafficEndedAt });
    const flows = await this.#media.finish();
    const decisions = await this.#network.decisions();
    const [mobile, correspondent] = await Promise.all(captures.map((capture) => capture.finish()));
    clearInterval(meterTimer);
    // Sessions end from here on because they are told to.
    const problems = [...this.#network.failures, ...this.#log.problems];
    const kernelStateRestored = await this.#takeDown(before);
    return {
      trafficBeganAt,
      trafficEndedAt,
      handovers: this.#log.handovers,
      flows,
      decisions: decisions?.moves ?? [],
      captures: { mobile: mobile?.flows ?? [], correspondent: correspondent?.flows ?? [] },
      trace: this.#network.trace,
      links: this.#links,
      congestionControl: this.#congestionControl,
      kernelStateRestored,
      problems: [...this.#problems, ...problems],
    };
  }

  async #openSessions(): Promise<void> {
    this.#stage('opening sessions and starting their programs');
    const plans = planFlows(this.#scenario);
    const { congestionControl: wanted } = this.#scenario;
    if (wanted !== this.#congestionControl && plans.some(({ media }) => media !== 'rtp'))
      this.#stage(`this kernel lets nobody use ${wanted} for TCP: ${this.#congestionControl} it is`);
    for (const name of ['call', 'data'] as const) {
      const flows = plans.filter(({ session }) => session === name);
      if (flows.length === 0) continue;
      const addresses = await this.#network.openSession(name, flows);
      for (const [index, plan] of flows.entries()) await this.#media.start(plan, addresses[index]!);
    }
    for (const plan of plans) if (plan.session === undefined) await this.#media.start(plan, knownEnds(plan));
  }

  /** Every access is bound and measured, and the node is where its policy wants it. */
  async #settlePolicy(): Promise<void> {
    this.#stage('measuring the accesses');
    await this.#network.untilBound(this.#scenario.accesses.filter(({ startsUp }) => startsUp).length);
    await sleepUntil(monotonicNow() + policySettlingMs(this.#scenario));
    await this.#untilHandoverEnds();
  }

  /** Flows are told apart by them; signalling shows up too and does not disturb. */
  #startCaptures(): Promise<MediaProgram<'capture'>[]> {
    const interfaces = this.#places.map((place) => place.interface);
    const start = (node: LabNode, names: readonly string[]) => {
      const file =
        this.#captureFolder === undefined ? {} : { file: join(this.#captureFolder, `${node}.pcapng`) };
      return MediaProgram.start(this.#on(node), 'capture', { interfaces: names, ...file });
    };
    return Promise.all([start('mn', interfaces), start('cn', ['eth0'])]);
  }

  async #followTimeline(origin: Instant): Promise<void> {
    for (const { atMs, action } of this.#scenario.timeline) {
      await sleepUntil(origin + atMs);
      if (action.kind === 'handover') {
        await this.#untilHandoverEnds();
        await this.#requestHandover(action.access);
      } else this.#changeLink(action);
    }
    await sleepUntil(origin + this.#scenario.durationMs);
    await this.#untilHandoverEnds();
  }

  async #requestHandover(access: string): Promise<void> {
    try {
      const outcome = await this.#network.requestHandover(access);
      if (outcome === 'already there') this.#problems.push(`handover to ${access}: ${outcome}`);
    } catch (error) {
      this.#problems.push(`handover to ${access}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #changeLink(action: Exclude<TimelineStep['action'], { readonly kind: 'handover' }>): void {
    const link = this.#topology.link(action.access);
    if (action.kind === 'change') link.change(action.profile);
    else {
      this.#isUp.set(action.access, action.kind === 'up');
      link.setUp(action.kind === 'up');
    }
    const text = stepText(action);
    if (text !== undefined) this.#tell({ kind: 'step-taken', at: monotonicNow(), text });
  }

  async #untilHandoverEnds(): Promise<void> {
    const giveUpAt = monotonicNow() + handoverPatienceMs;
    while (this.#log.isUnderWay && monotonicNow() < giveUpAt) await sleepUntil(monotonicNow() + 5);
  }

  /** Everything ends in order; then each node must be as it was. */
  async #takeDown(before: ReadonlyMap<string, KernelState>): Promise<boolean> {
    this.#stage('ending sessions and roles, comparing the state of the kernel');
    await this.#network.stop();
    for (const [access, isUp] of this.#startsUp)
      if (this.#isUp.get(access) !== isUp) this.#topology.link(access).setUp(isUp);
    await this.#untilCarriersAre(this.#startsUp);
    const after = this.#readStates();
    for (const [node, state] of before) this.#tellDifferences(node, state, after.get(node));
    await this.#topology.close();
    return isDeepStrictEqual(after, before);
  }

  async #untilCarriersAre(wanted: ReadonlyMap<string, boolean>): Promise<void> {
    const giveUpAt = monotonicNow() + carrierPatienceMs;
    const isReached = ({ name: access, interface: link }: AccessPlace): boolean => {
      const ends = [
        ['mn', link],
        [`ar-${access}`, 'radio'],
      ] as const;
      return ends.every(([node, name]) => this.#hasCarrier(node, name) === wanted.get(access));
    };
    while (!this.#places.every(isReached) && monotonicNow() < giveUpAt) await sleepUntil(monotonicNow() + 20);
  }

  #hasCarrier(node: LabNode, name: string): boolean {
    let hasCarrier = false;
    this.#topology.configure(node, (rtnetlink) => {
      hasCarrier = rtnetlink.links().find((link) => link.name === name)?.hasCarrier ?? false;
    });
    return hasCarrier;
  }

  #tellDifferences(node: string, before: KernelState, after: KernelState | undefined): void {
    for (const [kind, lines] of Object.entries(before) as [
      keyof KernelState,
      readonly string[] | undefined,
    ][]) {
      const now = after?.[kind] ?? [];
      for (const line of lines ?? []) if (!now.includes(line)) this.#problems.push(`${node}: gone: ${line}`);
      for (const line of now) if (!lines?.includes(line)) this.#problems.push(`${node}: left: ${line}`);
    }
  }

  #readStates(): Map<string, KernelState> {
    const nodes = this.#description.nodes.map(({ name }) => name);
    return new Map(nodes.map((node) => [node, this.#topology.namespaceOf(node).run(readKernelState)]));
  }

  async #measure(meter: AccessMeter): Promise<void> {
    const isPolicy = this.#scenario.policy.kind === 'utility';
    const latest = isPolicy ? (await this.#network.decisions())?.latest : undefined;
    const numbersOf = (name: string) => latest?.judgements.find(({ access }) => access === name)?.numbers;
    const accesses = this.#places.map(({ name, address }) => ({
      name,
      address,
      isUp: this.#isUp.get(name) ?? false,
      isCurrent: this.#log.current === name,
      ...meter.measure(name),
      ...assessmentOf(numbersOf(name)),
    }));
    this.#tell({ kind: 'accesses-measured', at: monotonicNow(), accesses });
  }

  #on(node: LabNode): Spawn {
    return (...rest) => this.#topology.spawn(node, ...rest);
  }

  #stage(text: string): void {
    this.#tell({ kind: 'stage-began', text });
  }
}

function assessmentOf(numbers: Readonly<Record<string, number>> = {}): Pick<AccessState, 'load' | 'utility'> {
  const { RNL: load, U: utility } = numbers;
  return { ...(load !== undefined && { load }), ...(utility !== undefined && { utility }) };
}

type Rates = Pick<AccessState, 'downlinkBitsPerSecond' | 'uplinkBitsPerSecond'>;

/** Rates since the last time it was asked, from the counters of the links. */
class AccessMeter {
  readonly #topology: KernelTopology;
  readonly #last = new Map<string, { readonly at: Instant; readonly down: number; readonly up: number }>();

  constructor(topology: KernelTopology) {
    this.#topology = topology;
  }

  measure(access: string): Rates {
    const { uplink, downlink } = this.#topology.link(access).counters();
    const now = { at: monotonicNow(), down: downlink.deliveredOctets, up: uplink.deliveredOctets };
    const last = this.#last.get(access) ?? { at: now.at - measureIntervalMs, down: now.down, up: now.up };
    this.#last.set(access, now);
    const perSecond = (octets: number): number => (octets * 8000) / (now.at - last.at);
    return {
      downlinkBitsPerSecond: perSecond(now.down - last.down),
      uplinkBitsPerSecond: perSecond(now.up - last.up),
    };
  }
}

function sleepUntil(at: Instant): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, at - monotonicNow())));
}
