/**
 * The test bed of MIP–SIP fig. 3 in virtual time: a mobile node with any accesses, the home agent on the home link, and the correspondent as
 * SIP peer and TCP server. The core of the virtual network is all routers; proxy ARP is a route in it.
 */

import { perfectLink } from '../access-network/link-characteristics.ts';
import type { DurationMs } from '../base/instant.ts';
import type { CorrespondentNodeOptions } from '../correspondent-node/correspondent-node.ts';
import { HomeAgent } from '../home-network/home-agent/home-agent.ts';
import type { HomeAgentEffect, HomeAgentEvent } from '../home-network/home-agent/home-agent-options.ts';
import { addressesOf } from '../home-network/home-agent/mobility-record.ts';
import { SipProxyFunction } from '../home-network/home-agent/sip-proxy-function.ts';
import type {
  ForwardingChange,
  SipProxyFunctionEvent,
} from '../home-network/home-agent/sip-proxy-function-options.ts';
import { SipServer } from '../home-network/sip-server/sip-server.ts';
import type { MobileNodeEvent } from '../mobile-node/mobile-node-output.ts';
import type { SecurityAssociation } from '../protocols/mobile-ip/authentication.ts';
import type { VirtualHost } from '../sim/virtual-host.ts';
import type { LinkOptions, VirtualLink } from '../sim/virtual-link.ts';
import { VirtualNetwork } from '../sim/virtual-network.ts';
import type { VirtualProcess } from '../sim/virtual-process.ts';
import { internalAddress, labAddresses } from './lab-addresses.ts';
import {
  correspondentIdentity,
  labDomain,
  mobileIdentity,
  passwordOf,
  privateIdentityOf,
  userOf,
} from './lab-users.ts';
import type { Scenario } from './scenario.ts';
import { selectorOf } from './scenario-selector.ts';
import { VirtualMobileNode } from './virtual-mobile-node.ts';
import {
  identityOf,
  startTerminal,
  type VirtualTerminal,
  type VirtualTestNetwork,
} from './virtual-test-network.ts';

export interface VirtualMipSipLabOptions {
  readonly scenario: Pick<Scenario, 'seed' | 'accesses' | 'mobileIp' | 'policy'>;
  readonly onMobileNodeEvent?: (event: MobileNodeEvent, now: number) => void;
}

/** 2026-09-21 in milliseconds since 1970: what the clocks show at instant 0. */
const timeOfDayOffsetMs = 1_790_000_000_000;
const association: SecurityAssociation = {
  spi: 256,
  algorithm: 'hmac-sha256',
  key: new Uint8Array(32).fill(7),
};
const correspondentAssociation: SecurityAssociation = {
  ...association,
  spi: 512,
  key: new Uint8Array(32).fill(8),
};
const homeAgentAddress = { address: labAddresses.homeAgent, port: 434 } as const;
const sipServer = { address: labAddresses.sipServer, port: 5060 } as const;
const wireOf = (delayMs: DurationMs): LinkOptions => ({
  uplink: { ...perfectLink, delayMs },
  downlink: { ...perfectLink, delayMs },
});
const wireDelayMs = 0.5;

export class VirtualMipSipLab implements VirtualTestNetwork {
  readonly network: VirtualNetwork;
  readonly mobile: VirtualMobileNode;
  readonly correspondentHost: VirtualHost;
  readonly homeAgent: HomeAgent;
  readonly sipServer: SipServer;
  readonly sipServerLink: VirtualLink;
  readonly homeAgentEvents: HomeAgentEvent[] = [];
  readonly mobileNodeEvents: MobileNodeEvent[] = [];
  readonly #options: VirtualMipSipLabOptions;

  constructor(options: VirtualMipSipLabOptions) {
    this.#options = options;
    this.network = new VirtualNetwork(options.scenario.seed);
    this.homeAgent = this.#addHomeAgent();
    [this.sipServer, this.sipServerLink] = this.#addSipServer();
    [this.correspondentHost] = this.#addHost('cn', labAddresses.correspondentNode);
    if (options.scenario.mobileIp.routeOptimisation) this.#addCorrespondentAgent(this.correspondentHost);
    this.mobile = this.#addMobileNode();
  }

  addTerminal(
    where: 'mn' | 'cn',
    name: string,
    sipPort: number,
    options: Pick<CorrespondentNodeOptions, 'media' | 'ringMs'>,
  ): VirtualTerminal {
    const isMobile = where === 'mn';
    return startTerminal(isMobile ? this.mobile.host : this.correspondentHost, name, {
      ...options,
      sip: { address: isMobile ? internalAddress : labAddresses.correspondentNode, port: sipPort },
      identity: identityOf(isMobile ? mobileIdentity : correspondentIdentity),
      expiresSeconds: 600,
      registers: true,
      outboundProxy: isMobile ? { address: internalAddress, port: 5070 } : sipServer,
      withReservation: false,
      random: this.network.newRandomSource(),
    });
  }

  #addHost(name: string, address: string, delayMs: DurationMs = wireDelayMs): [VirtualHost, VirtualLink] {
    const host = this.network.addHost(name);
    const link = host.attach('eth0', wireOf(delayMs));
    host.addAddress(address, link);
    return [host, link];
  }

  #addHomeAgent(): HomeAgent {
    const { encapsulation, homeDelayMs } = this.#options.scenario.mobileIp;
    const [host, homeLink] = this.#addHost('home-agent', labAddresses.homeAgent, wireDelayMs + homeDelayMs);
    const machine = new HomeAgent({
      address: labAddresses.homeAgent,
      mobileNodes: [
        { homeAddress: labAddresses.mobileNodeHome, securityAssociations: [association], encapsulation },
      ],
      timeOfDayOffsetMs,
    });
    const registration = this.#startRegistration(host);
    this.#runAgent(host, machine, homeLink, (event) => {
      this.homeAgentEvents.push(event);
      if (event.type === 'binding-changed') registration?.handleInput({ ...event, kind: 'binding-changed' });
    });
    return machine;
  }

  /** The correspondent's own, for the packets that it sends itself. */
  #addCorrespondentAgent(host: VirtualHost): void {
    const { encapsulation } = this.#options.scenario.mobileIp;
    const address = labAddresses.correspondentNode;
    const homeAddress = labAddresses.mobileNodeHome;
    const mobileNodes = [{ homeAddress, securityAssociations: [correspondentAssociation], encapsulation }];
    const machine = new HomeAgent({ role: 'correspondent', address, mobileNodes, timeOfDayOffsetMs });
    this.#runAgent(host, machine);
  }

  #runAgent(
    host: VirtualHost,
    machine: HomeAgent,
    homeLink?: VirtualLink,
    onEvent: (event: HomeAgentEvent) => void = () => {},
  ): void {
    const tunnel = host.openTunnel(homeLink === undefined ? 'correspondent' : 'home-agent');
    const process = host.run({
      machine,
      name: homeLink === undefined ? 'correspondent' : host.name,
      onEvent,
      onEffect: (effect: HomeAgentEffect) => {
        if (effect.type === 'journal') process.handleInput({ kind: 'effect-completed', id: effect.id });
        else if (effect.type === 'tunnel') tunnel.apply(effect.change);
        else if (effect.type === 'proxy-arp')
          this.network.route(effect.homeAddress, effect.enabled ? homeLink : undefined);
      },
    });
    process.perform((now) => machine.start(now));
  }

  /** The home agent's SIP function, where it registers the mobile node's user. */
  #startRegistration(
    host: VirtualHost,
  ): VirtualProcess<ForwardingChange, SipProxyFunctionEvent, never> | undefined {
    if (this.#options.scenario.mobileIp.registration !== 'home-agent') return undefined;
    const machine = new SipProxyFunction({
      local: { address: labAddresses.homeAgent, port: 5060 },
      registrar: sipServer,
      accounts: [{ homeAddress: labAddresses.mobileNodeHome, identity: identityOf(mobileIdentity) }],
      addressesOf: (homeAddress) => addressesOf(this.homeAgent.record(homeAddress)),
      random: this.network.newRandomSource(),
    });
    const process = host.run<ForwardingChange, SipProxyFunctionEvent, never>({ machine });
    process.perform((now) => machine.start(now));
    return process;
  }

  #addSipServer(): [SipServer, VirtualLink] {
    const [host, link] = this.#addHost('sip-server', sipServer.address);
    const machine = new SipServer({
      listen: (['udp', 'tcp'] as const).map((transport) => ({ transport, ...sipServer })),
      address: sipServer,
      domain: labDomain,
      trustsRegisteredAddresses: true,
      users: [mobileIdentity, correspondentIdentity].map((identity) => ({
        name: userOf(identity),
        authenticationName: privateIdentityOf(identity),
        password: passwordOf(identity),
      })),
      random: this.network.newRandomSource(),
    });
    host.run({ machine }).perform((now) => machine.start(now));
    return [machine, link];
  }

  #addMobileNode(): VirtualMobileNode {
    const { accesses, mobileIp, policy } = this.#options.scenario;
    const { encapsulation, probeIntervalMs, missedProbes, registration, routeOptimisation } = mobileIp;
    const securityAssociation = correspondentAssociation;
    return new VirtualMobileNode({
      network: this.network,
      accesses,
      onEvent: (event, now) => {
        this.mobileNodeEvents.push(event);
        this.#options.onMobileNodeEvent?.(event, now);
      },
      machine: {
        identity: {
          ...identityOf(mobileIdentity),
          instance: 'urn:uuid:00000000-0000-4000-8000-000000000001',
          expiresSeconds: 600,
        },
        proxyOf: () => sipServer,
        selector: selectorOf(policy, accesses),
        withReservation: false,
        registration,
        mobileIp: {
          homeAddress: labAddresses.mobileNodeHome,
          homeAgent: homeAgentAddress,
          securityAssociation: association,
          encapsulation,
          probeIntervalMs,
          missedProbes,
          timeOfDayOffsetMs,
          correspondents: routeOptimisation
            ? [{ address: labAddresses.correspondentNode, securityAssociation }]
            : [],
        },
      },
    });
  }
}
