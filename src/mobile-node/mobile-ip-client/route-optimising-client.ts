/**
 * Mobile IP of the mobile node with route optimisation (MIP–SIP §3: "a BU message to the HA (and possibly to connected correspondent
 * nodes)"): a registration client for the home agent and one for each correspondent that keeps bindings, over the same sockets, and what
 * they make of the tunnel (optimised-binding.ts). To its owner it is the home agent's client: which access is bound and whether a handover
 * is over are the home agent's matter, and a correspondent that is absent, slow or refuses changes nothing but the way of its own packets.
 *
 * Leaves out the return routability of RFC 6275: the correspondent knows the mobile node by a security association of their own. Around the
 * moment that one's packets change their way, the first on the shorter one overtake the last on the longer one, once; nothing is lost.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../base/network.ts';
import type { EffectOutput, EventOutput, NetworkFunction } from '../../base/network-function.ts';
import type { TunnelBinding } from '../../protocols/mobile-ip/tunnel-state.ts';
import { defaultCorrespondentLifetimeSeconds, mobileIpPort } from './limits.ts';
import { MobileIpClient } from './mobile-ip-client.ts';
import type {
  FlowPreference,
  MobileIpClientEffect,
  MobileIpClientEvent,
  RouteOptimisationEvent,
  RouteOptimisingClientOptions,
} from './mobile-ip-client-options.ts';
import { type CorrespondentTunnel, directEndpoint, optimisedBinding } from './optimised-binding.ts';

type Event = MobileIpClientEvent | RouteOptimisationEvent;

interface Agent {
  readonly client: MobileIpClient;
  /** Absent: the home agent. */
  readonly correspondent?: string;
  tunnel: TunnelBinding | undefined;
  /** Over which what goes to a correspondent leaves directly. */
  access: string | undefined;
}

export class RouteOptimisingClient implements NetworkFunction<never, Event, MobileIpClientEffect> {
  readonly #options: RouteOptimisingClientOptions;
  readonly #home: Agent;
  readonly #correspondents: readonly (Agent & { readonly correspondent: string })[];
  /** Care-of addresses by access. */
  readonly #attached = new Map<string, string>();
  readonly #outputs = new Fifo<NetworkOutput | EventOutput<Event> | EffectOutput<MobileIpClientEffect>>();
  #saidTunnel: string | undefined;
  /** Since the tunnel's state was said. */
  #hasChanged = false;

  constructor(options: RouteOptimisingClientOptions) {
    const { correspondents = [], ...home } = options;
    this.#options = options;
    this.#home = { client: new MobileIpClient(home), tunnel: undefined, access: undefined };
    this.#correspondents = correspondents.map(({ address, securityAssociation, lifetimeSeconds }) => ({
      correspondent: address,
      client: new MobileIpClient({
        ...home,
        agentRole: 'correspondent',
        homeAgent: { address, port: home.homeAgent.port },
        securityAssociation,
        lifetimeSeconds: lifetimeSeconds ?? defaultCorrespondentLifetimeSeconds,
      }),
      tunnel: undefined,
      access: undefined,
    }));
  }

  get forwardingAccess(): string | undefined {
    return this.#home.client.forwardingAccess;
  }

  get confirmedAccess(): string | undefined {
    return this.#home.client.confirmedAccess;
  }

  get isMultipath(): boolean {
    return this.#home.client.isMultipath;
  }

  isBound(access: string): boolean {
    return this.#home.client.isBound(access);
  }

  /** Over which access what goes to each correspondent leaves directly; undefined: it goes by the home agent. */
  get correspondents(): readonly { readonly address: string; readonly access: string | undefined }[] {
    return this.#correspondents.map(({ correspondent: address, access }) => ({ address, access }));
  }

  attach(access: string, careOfAddress: string, now: Instant): void {
    this.#attached.set(access, careOfAddress);
    this.#hasChanged = true;
    this.#forEach((client) => client.attach(access, careOfAddress, now));
  }

  detach(access: string, now: Instant): void {
    this.#attached.delete(access);
    this.#hasChanged = true;
    this.#forEach((client) => client.detach(access, now));
  }

  forwardOver(access: string, now: Instant): void {
    this.#forEach((client) => client.forwardOver(access, now));
  }

  preferFlows(flows: readonly FlowPreference[], now: Instant): void {
    this.#forEach((client) => client.preferFlows(flows, now));
  }

  /** The home agent last: with it the sockets go. */
  stop(now: Instant): void {
    this.#attached.clear();
    for (const agent of [...this.#correspondents, this.#home]) {
      agent.client.stop(now);
      this.#collect(agent);
    }
    this.#update();
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#forEach((client) => client.handleInput(input, now));
  }

  handleTimeout(now: Instant): void {
    this.#forEach((client) => client.handleTimeout(now));
  }

  pollTimeout(): Timeout | undefined {
    return this.#correspondents
      .map(({ client }) => client.pollTimeout())
      .reduce(earlierTimeout, this.#home.client.pollTimeout());
  }

  pollOutput(): NetworkOutput | EventOutput<Event> | EffectOutput<MobileIpClientEffect> | undefined {
    return this.#outputs.shift();
  }

  /** The home agent first: what its client says of the sockets holds for all. */
  #forEach(act: (client: MobileIpClient) => void): void {
    for (const agent of [this.#home, ...this.#correspondents]) {
      act(agent.client);
      this.#collect(agent);
    }
    this.#update();
  }

  #collect(agent: Agent): void {
    const { client, correspondent } = agent;
    for (let output = client.pollOutput(); output !== undefined; output = client.pollOutput()) {
      if (output.kind === 'effect') {
        const { change } = output.effect;
        agent.tunnel = change.kind === 'bind' ? change.binding : undefined;
        this.#hasChanged = true;
      } else if (correspondent === undefined || output.kind === 'transmit') this.#outputs.push(output);
      else if (output.kind === 'event') this.#correspondentSaid(correspondent, output.event);
    }
  }

  #correspondentSaid(correspondent: string, event: MobileIpClientEvent): void {
    if (event.type === 'binding-refused') {
      const { access, code, reason } = event;
      this.#report({ type: 'correspondent-refused', correspondent, access, code, reason });
    } else if (event.type === 'home-agent-unreachable')
      this.#report({ type: 'correspondent-unreachable', correspondent, access: event.access });
  }

  /** Says the tunnel's state, and the ways to correspondents, where they have changed. */
  #update(): void {
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    const tunnels = this.#correspondents.map((one) => this.#tunnelOf(one));
    const binding = optimisedBinding(this.#home.tunnel, tunnels);
    const text = binding && JSON.stringify(binding);
    if (text === this.#saidTunnel) return;
    this.#saidTunnel = text;
    const { homeAddress } = this.#options;
    this.#outputs.push({
      kind: 'effect',
      effect: {
        type: 'tunnel',
        change: binding === undefined ? { kind: 'unbind', homeAddress } : { kind: 'bind', binding },
      },
    });
    for (const agent of this.#correspondents) this.#tellWay(agent, binding);
  }

  #tunnelOf({ correspondent, tunnel }: Agent & { readonly correspondent: string }): CorrespondentTunnel {
    const { port = mobileIpPort, encapsulation = 'rfc3519', homeAgent } = this.#options;
    const accepted = [...this.#attached.values()].map((address) => ({
      local: { address, port },
      remote: { address: correspondent, port: homeAgent.port },
      encapsulation,
    }));
    return { correspondentAddress: correspondent, accepted, binding: tunnel };
  }

  #tellWay(agent: Agent & { readonly correspondent: string }, binding: TunnelBinding | undefined): void {
    const { correspondent } = agent;
    const careOfAddress = binding && directEndpoint(binding, correspondent)?.local.address;
    const access = [...this.#attached].find(([, address]) => address === careOfAddress)?.[0];
    if (access === agent.access) return;
    agent.access = access;
    this.#report({
      type: 'correspondent-route-changed',
      correspondent,
      ...(access !== undefined && { access }),
    });
  }

  #report(event: RouteOptimisationEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}
