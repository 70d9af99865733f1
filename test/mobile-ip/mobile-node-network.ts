/**
 * A mobile node with several accesses, its home agent and a peer in virtual time (MIP–SIP fig. 3 without servers): the peer answers SIP
 * calls directly and TCP through the home address. Accesses are told apart by their delay, which may change in place, and may lead nowhere.
 */
import { perfectLink } from '../../src/access-network/link-characteristics.ts';
import type { DurationMs, Instant } from '../../src/base/instant.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import type { NetworkOutput } from '../../src/base/network.ts';
import type { NetworkFunction } from '../../src/base/network-function.ts';
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
  type CorrespondentNodeOptions,
} from '../../src/correspondent-node/correspondent-node.ts';
import { HomeAgent } from '../../src/home-network/home-agent/home-agent.ts';
import type {
  HomeAgentEffect,
  HomeAgentEvent,
  HomeAgentInput,
  HomeAgentOptions,
} from '../../src/home-network/home-agent/home-agent-options.ts';
import type { AccessInput } from '../../src/mobile-node/access-monitor/access-monitor.ts';
import type { AccessSelector, RoundTrip } from '../../src/mobile-node/access-selection/access-selector.ts';
import { PreferenceOrder } from '../../src/mobile-node/access-selection/preference-order.ts';
import { MobileNode } from '../../src/mobile-node/mobile-node.ts';
import type { MobileNodeOptions } from '../../src/mobile-node/mobile-node-options.ts';
import type {
  MobileNodeEffect,
  MobileNodeEvent,
  MobileNodeInput,
} from '../../src/mobile-node/mobile-node-output.ts';
import type { SecurityAssociation } from '../../src/protocols/mobile-ip/authentication.ts';
import {
  decodeMessage,
  encodeMessage,
  type RegistrationRequest,
} from '../../src/protocols/mobile-ip/message.ts';
import type { VirtualHost } from '../../src/sim/virtual-host.ts';
import type { LinkOptions, VirtualLink } from '../../src/sim/virtual-link.ts';
import { VirtualNetwork } from '../../src/sim/virtual-network.ts';
import type { VirtualProcess } from '../../src/sim/virtual-process.ts';
import { TcpParty } from '../figures/tcp-party.ts';

export const homeAddress = '198.51.100.10';
export const homeAgentAddress = '198.51.100.1';
export const peerAddress = '203.0.113.2';
const internalAddress = '10.64.0.1';
const audio = { media: 'audio', transport: 'udp', port: 40_000, formats: ['8'] } as const;
export const association: SecurityAssociation = {
  spi: 256,
  algorithm: 'hmac-sha256',
  key: Buffer.alloc(32, 7),
};
export const timeOfDayOffsetMs = 1_790_000_000_000;

/** One way, between the mobile node and the core. */
export type AccessDelays = Readonly<Record<string, DurationMs>>;

export interface MobileNodeNetworkOptions {
  readonly delays: AccessDelays;
  readonly selector?: AccessSelector;
  readonly registration?: MobileNodeOptions['registration'];
  readonly mobileIp?: Partial<NonNullable<MobileNodeOptions['mobileIp']>>;
  /** What the access's SIP requests go to: the peer itself unless told otherwise. */
  readonly hasSip?: boolean;
  /** Another one, by access. */
  readonly proxies?: Readonly<Record<string, string>>;
  readonly agent?: Partial<HomeAgentOptions>;
  /** Several care-of addresses at once; true by default. */
  readonly isMultipathAllowed?: boolean;
  /** Between the home agent and the core, one way. */
  readonly homeDelayMs?: DurationMs;
}

type MobileNodeProcess = VirtualProcess<AccessInput | MobileNodeInput, MobileNodeEvent, MobileNodeEffect>;
interface Terminal {
  readonly events: CorrespondentNodeEvent[];
  readonly perform: (request: (terminal: CorrespondentNode, now: Instant) => void) => void;
}

type At<Event> = { readonly at: Instant; readonly event: Event };

export class MobileNodeNetwork {
  readonly network: VirtualNetwork = new VirtualNetwork(1);
  readonly node: MobileNode;
  readonly agent: HomeAgent;
  readonly log: At<MobileNodeEvent>[] = [];
  readonly mobileHost: VirtualHost;
  readonly #agentHost: VirtualHost;
  readonly peerHost: VirtualHost;
  readonly #options: MobileNodeNetworkOptions;
  readonly #links = new Map<string, VirtualLink>();
  readonly #process: MobileNodeProcess;
  #agentProcess!: VirtualProcess<HomeAgentInput, HomeAgentEvent, HomeAgentEffect>;
  #agentLink: VirtualLink | undefined;
  readonly #lost: Extract<RoundTrip, { kind: 'unanswered' }>[] = [];
  /** How many registrations are still to be refused, by care-of address. */
  readonly #refusals = new Map<string, number>();

  constructor(options: MobileNodeNetworkOptions) {
    this.#options = options;
    this.mobileHost = this.network.addHost('mn');
    this.#agentHost = this.#addServer('ha', homeAgentAddress, options.homeDelayMs);
    this.peerHost = this.#addServer('cn', peerAddress);
    for (const [name, delayMs] of Object.entries(options.delays))
      this.#links.set(name, this.mobileHost.attach(name, linkOf(delayMs)));
    this.mobileHost.addAddress(internalAddress);
    this.mobileHost.addAddress(homeAddress);
    this.agent = this.#startAgent();
    this.node = this.#newNode();
    this.#process = this.#startNode();
  }

  get now(): Instant {
    return this.network.simulation.now;
  }

  run(durationMs: DurationMs): void {
    this.network.simulation.runFor(durationMs);
  }

  runUntil(holds: () => boolean, limitMs: DurationMs): boolean {
    return this.network.simulation.runWhile(() => !holds(), limitMs);
  }

  attach(...names: readonly string[]): void {
    for (const name of names) this.#setAccess(name, true);
  }

  detach(name: string): void {
    this.#setAccess(name, false);
  }

  setDelay(name: string, delayMs: DurationMs): void {
    const { uplink, downlink } = linkOf(delayMs);
    this.#link(name).change(uplink, downlink);
  }

  /** Its link stays up, but nothing gets through. */
  cutOff(name: string): void {
    const nothing = { ...perfectLink, loss: { kind: 'independent', probability: 1 } } as const;
    this.#link(name).change(nothing, nothing);
  }

  restore(name: string): void {
    this.setDelay(name, this.#options.delays[name] ?? 0);
  }

  /** The home agent answers so many requests over this access by a refusal. */
  refuseRegistrations(name: string, count: number = Number.POSITIVE_INFINITY): void {
    this.#refusals.set(careOfAddressOf(this.#names.indexOf(name) + 1), count);
  }

  /** What goes to the home agent gets lost. */
  dropTowardsAgent(isDropping: boolean): void {
    this.network.route(homeAgentAddress, isDropping ? undefined : this.#agentLink);
  }

  /** The home agent takes the binding over this access back. */
  revoke(name: string): void {
    const careOfAddress = careOfAddressOf(this.#names.indexOf(name) + 1);
    this.#agentProcess.handleInput({ kind: 'revoke', homeAddress, careOfAddress });
  }

  requestHandover(name: string): void {
    this.#process.perform((now) => void this.node.requestHandover(name, now));
  }

  stop(): void {
    this.#process.perform((now) => this.node.stop(now));
  }

  killPeer(): void {
    this.peerHost.kill();
  }

  killAgent(): void {
    this.#agentHost.kill();
  }

  events<Type extends MobileNodeEvent['type']>(type: Type): Extract<MobileNodeEvent, { type: Type }>[] {
    return this.log.flatMap(({ event }) => (event.type === type ? [event as never] : []));
  }

  /** Where handovers went, with failed ones in brackets. */
  get path(): string[] {
    return this.log.flatMap(({ event }) =>
      event.type === 'handover-completed'
        ? [event.to]
        : event.type === 'handover-failed'
          ? [`(${event.to})`]
          : [],
    );
  }

  get current(): string | undefined {
    return this.node.status().accesses.find(({ isCurrent }) => isCurrent)?.name;
  }

  /** The access over which the home agent sends to the home address, by its routes for a packet without class. */
  get forwarding(): string | undefined {
    const { bindings } = this.agent.record(homeAddress);
    const careOfAddress = this.agent.record(homeAddress).flows.at(-1)?.bindingIds;
    const first = careOfAddress?.find((id) => bindings.some(({ bindingId }) => bindingId === id));
    return first === undefined ? undefined : this.#names[first - 1];
  }

  /** A TCP connection from the home address to the peer, with octets both ways until it is stopped. */
  connect(port = 5201): { readonly mobile: TcpParty; readonly peer: TcpParty; readonly stop: () => void } {
    const peer = new TcpParty({ address: peerAddress, port });
    const mobile = new TcpParty({ address: homeAddress, port: 0 });
    this.peerHost.run<never, never, never>({ machine: peer }).perform(() => peer.listen());
    this.mobileHost
      .run<never, never, never>({ machine: mobile })
      .perform(() => mobile.connect({ address: peerAddress, port }));
    const stop = (): void => {
      mobile.stop();
      peer.stop();
    };
    return { mobile, peer, stop };
  }

  /** What carries the SIP sessions of the node. */
  get sessions(): string[] {
    return this.node.status().sessions.map(({ access }) => access);
  }

  /** Probes that went without answer since `from`. */
  probesLost(name: string, from: Instant): number {
    return this.#lost.filter(({ access, sentAt }) => access === name && sentAt >= from).length;
  }

  /** Over which care-of addresses the packets of a connection come and go. */
  carriersOf(connect: () => { readonly stop: () => void }): string[] {
    const seen = new Set<string>();
    this.network.onPacket = ({ content, source, destination }) => {
      if (content.protocol !== 'udp' || content.tunnelled?.content.protocol !== 'tcp') return;
      seen.add(source === homeAgentAddress ? destination : source);
    };
    const { stop } = connect();
    this.run(1000);
    stop();
    this.run(2000);
    this.network.onPacket = undefined;
    return [...seen];
  }

  startPeer(): Terminal {
    return this.#addTerminal(this.peerHost, peerAddress, 5060, 'cn');
  }

  /** A softphone on the mobile node calls the peer; the session is there when this returns. */
  call(): { readonly phone: CorrespondentNodeEvent[]; readonly peer: CorrespondentNodeEvent[] } {
    const peer = this.startPeer();
    const phone = this.#addTerminal(this.mobileHost, internalAddress, 5062, 'phone');
    phone.perform((terminal, now) => void terminal.placeCall(`sip:cn@${peerAddress}`, now));
    const isUp = (events: readonly CorrespondentNodeEvent[]) =>
      events.some(({ type }) => type === 'session-established');
    if (!this.runUntil(() => isUp(phone.events) && isUp(peer.events), 10_000))
      throw new Error('the call was not established');
    return { phone: phone.events, peer: peer.events };
  }

  /** The home agent's SIP proxy calls the softphone at the node's first care-of address. Whether that comes about. */
  callFromHomeAgent(): boolean {
    const phone = this.#addTerminal(this.mobileHost, internalAddress, 5062, 'phone', {
      registers: true,
      outboundProxy: { address: internalAddress, port: 5070 },
    });
    this.run(500);
    const address = careOfAddressOf(1);
    const proxy = this.#addTerminal(this.#agentHost, homeAgentAddress, 5060, 'ha', {
      outboundProxy: { address, port: 5060 },
    });
    proxy.perform((terminal, now) => void terminal.placeCall(`sip:bob@${address}`, now));
    this.run(3000);
    return phone.events.some(({ type }) => type === 'session-established');
  }

  get #names(): string[] {
    return Object.keys(this.#options.delays);
  }

  #link(name: string): VirtualLink {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(`no access ${name}`);
    return link;
  }

  #setAccess(name: string, isUp: boolean): void {
    const [link, address] = [this.#link(name), careOfAddressOf(this.#names.indexOf(name) + 1)];
    link.setUp(isUp);
    if (isUp) this.mobileHost.addAddress(address, link);
    else this.mobileHost.removeAddress(address);
    this.#process.handleInput({ kind: 'link-changed', interface: name, up: isUp });
    this.#process.handleInput({ kind: 'address-changed', interface: name, address, present: isUp });
  }

  #addServer(name: string, address: string, delayMs: DurationMs = 1): VirtualHost {
    const host = this.network.addHost(name);
    const link = host.attach('eth0', linkOf(delayMs));
    host.addAddress(address, link);
    if (address === homeAgentAddress) this.#agentLink = link;
    return host;
  }

  #addTerminal(
    host: VirtualHost,
    address: string,
    port: number,
    name: string,
    changes: Partial<CorrespondentNodeOptions> = {},
  ): Terminal {
    const events: CorrespondentNodeEvent[] = [];
    const terminal = new CorrespondentNode({
      sip: { address, port },
      identity: {
        publicIdentity: `sip:${name}@home.test`,
        privateIdentity: name,
        password: '',
        homeDomain: 'home.test',
      },
      expiresSeconds: 600,
      registers: false,
      outboundProxy:
        address === internalAddress ? { address, port: 5070 } : { address: peerAddress, port: 5060 },
      media: [audio],
      withReservation: false,
      ringMs: 100,
      random: this.network.newRandomSource(),
      ...changes,
    });
    const process = host.run<never, CorrespondentNodeEvent, never>({
      machine: terminal,
      name,
      onEvent: (event) => events.push(event),
    });
    process.perform((now) => terminal.start(now));
    const perform = (request: (terminal: CorrespondentNode, now: Instant) => void): void =>
      process.perform((now) => request(terminal, now));
    return { events, perform };
  }

  #startAgent(): HomeAgent {
    const host = this.#agentHost;
    const tunnel = host.openTunnel('home-agent');
    const { isMultipathAllowed = true } = this.#options;
    const agent = new HomeAgent({
      address: homeAgentAddress,
      mobileNodes: [{ homeAddress, securityAssociations: [association], isMultipathAllowed }],
      timeOfDayOffsetMs,
      ...this.#options.agent,
    });
    this.#agentProcess = host.run<HomeAgentInput, HomeAgentEvent, HomeAgentEffect>({
      machine: this.#refusing(agent),
      onEffect: (effect) => {
        if (effect.type === 'tunnel') tunnel.apply(effect.change);
        else if (effect.type === 'journal')
          this.#agentProcess.handleInput({ kind: 'effect-completed', id: effect.id });
      },
    });
    this.network.route(homeAddress, host.attach('home', linkOf(this.#options.homeDelayMs ?? 0)));
    this.#agentProcess.perform((now) => agent.start(now));
    return agent;
  }

  /** The agent, but with an administrator's prohibition in front (code 129). */
  #refusing(agent: HomeAgent): NetworkFunction<HomeAgentInput, HomeAgentEvent, HomeAgentEffect> {
    const replies: NetworkOutput[] = [];
    return {
      handleInput: (input, now) => {
        const request = input.kind === 'datagram-received' ? registrationRequestOf(input.payload) : undefined;
        const left = this.#refusals.get(request?.careOfAddress ?? '') ?? 0;
        if (input.kind !== 'datagram-received' || request === undefined || left === 0)
          return agent.handleInput(input, now);
        this.#refusals.set(request.careOfAddress, left - 1);
        const { identification } = request;
        const reply = { kind: 'registration-reply', code: 129, lifetimeSeconds: 0, identification } as const;
        const payload = encodeMessage(
          { ...reply, homeAddress, homeAgent: homeAgentAddress, extensions: [] },
          association,
        );
        replies.push({
          kind: 'transmit',
          transport: 'udp',
          local: input.local,
          remote: input.remote,
          payload,
        });
      },
      handleTimeout: (now) => agent.handleTimeout(now),
      pollOutput: () => replies.shift() ?? agent.pollOutput(),
      pollTimeout: () => agent.pollTimeout(),
    };
  }

  #newNode(): MobileNode {
    const { selector, registration = 'none', mobileIp, hasSip = true, proxies = {} } = this.#options;
    return new MobileNode({
      identity: {
        publicIdentity: 'sip:bob@home.test',
        privateIdentity: 'bob@home.test',
        password: 'secret',
        homeDomain: 'home.test',
        instance: 'urn:uuid:00000000-0000-4000-8000-000000000001',
        expiresSeconds: 600,
      },
      internalAddress,
      applicationPort: 5070,
      signallingPort: 5060,
      accesses: this.#names.map((name, index) => ({
        name,
        interface: name,
        index: index + 1,
        ...(hasSip && { proxyCscf: { address: proxies[name] ?? peerAddress, port: 5060 } }),
      })),
      selector: this.#noting(selector ?? new PreferenceOrder(this.#names)),
      registration,
      mobileIp: {
        homeAddress,
        homeAgent: { address: homeAgentAddress, port: 434 },
        securityAssociation: association,
        timeOfDayOffsetMs,
        probeIntervalMs: 200,
        ...mobileIp,
      },
      withReservation: false,
      graceMs: 32_000,
      releaseAfterMs: 10_000,
      random: this.network.newRandomSource(),
    });
  }

  #noting(selector: AccessSelector): AccessSelector {
    return {
      decide: (situation, now) => selector.decide(situation, now),
      measured: (roundTrip, now) => {
        if (roundTrip.kind === 'unanswered') this.#lost.push(roundTrip);
        selector.measured?.(roundTrip, now);
      },
      accessLost: (access) => selector.accessLost?.(access),
      handoverEnded: (outcome, now) => selector.handoverEnded?.(outcome, now),
    };
  }

  #startNode(): MobileNodeProcess {
    const host = this.mobileHost;
    const tunnel = host.openTunnel('mobile-node');
    const process: MobileNodeProcess = host.run({
      machine: this.node,
      onEvent: (event: MobileNodeEvent, at: Instant) => this.log.push({ at, event }),
      onEffect: (effect: MobileNodeEffect) => {
        if (effect.type === 'tunnel') tunnel.apply(effect.change);
        else if (effect.type === 'translate') host.translate(effect.operations);
        else if (effect.type === 'attach-access')
          process.handleInput({ kind: 'effect-completed', id: effect.id });
        else if (effect.type === 'watch-flows')
          host.watchFlows(effect.flows, () => process.handleInput({ kind: 'flows-used', id: effect.id }));
      },
    });
    process.perform((now) => this.node.start(now));
    return process;
  }
}

export function careOfAddressOf(index: number): string {
  return `10.${index}.0.2`;
}

export function linkOf(delayMs: DurationMs): LinkOptions {
  return { uplink: { ...perfectLink, delayMs }, downlink: { ...perfectLink, delayMs } };
}

export function registrationRequestOf(payload: Uint8Array): RegistrationRequest | undefined {
  const received = decodeMessage(payload);
  if (isMalformed(received) || received.message.kind !== 'registration-request') return undefined;
  return received.message;
}
