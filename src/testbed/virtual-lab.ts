/**
 * The test network of TRIM fig. 7 in virtual time: the same network functions as in the kernel lab on virtual hosts, each named as in the
 * figures. A run is a function of its seed. Scenarios and the figures' tests drive it; the core is our own (ims-core).
 */

import { perfectLink } from '../access-network/link-characteristics.ts';
import type { DnsRecord, TransportAddress } from '../base/network.ts';
import type { TraceEntry } from '../base/trace.ts';
import type { CorrespondentNodeOptions } from '../correspondent-node/correspondent-node.ts';
import {
  AddressTranslator,
  type AddressTranslatorEffect,
} from '../home-network/address-translator/address-translator.ts';
import { TrimApplicationServer } from '../home-network/trim-as/trim-application-server.ts';
import type { TrimEvent } from '../home-network/trim-as/trim-event.ts';
import { HomeSubscriberServer } from '../ims-core/hss/home-subscriber-server.ts';
import { type Subscriber, trimFilterCriteria } from '../ims-core/hss/subscriber.ts';
import { InterrogatingCscf } from '../ims-core/i-cscf/interrogating-cscf.ts';
import { ProxyCscf } from '../ims-core/p-cscf/proxy-cscf.ts';
import { ServingCscf } from '../ims-core/s-cscf/serving-cscf.ts';
import type { ServingCscfOptions } from '../ims-core/s-cscf/serving-cscf-options.ts';
import { PreferenceOrder } from '../mobile-node/access-selection/preference-order.ts';
import type { MobileNodeEvent } from '../mobile-node/mobile-node-output.ts';
import { sipUri } from '../protocols/sip/message/sip-uri.ts';
import type { Faults } from '../sim/fault-injector.ts';
import type { VirtualHost } from '../sim/virtual-host.ts';
import { VirtualNetwork } from '../sim/virtual-network.ts';
import { hasIpv6, internalAddress, labAddresses, proxyCscfOf } from './lab-addresses.ts';
import { type LabAccess, trimAccesses } from './lab-topology.ts';
import { correspondentIdentity, labDomain, mobileIdentity, privateIdentityOf } from './lab-users.ts';
import { VirtualMobileNode } from './virtual-mobile-node.ts';
import {
  identityOf,
  startTerminal,
  type VirtualTerminal,
  type VirtualTestNetwork,
} from './virtual-test-network.ts';

export interface VirtualLabOptions {
  readonly seed: number;
  /** 3G with HSPA, and WLAN, by default. Where one has IPv6, the P-CSCFs and the translator have both versions. */
  readonly accesses?: readonly LabAccess[];
  /** Sessions reserve resources on both sides and after each handover (TRIM fig. 4 and 6 as printed). */
  readonly withReservation: boolean;
  /** One P-CSCF for both accesses, or one each: then a handover needs INVITE with Replaces. */
  readonly proxyCscfs: 'shared' | 'per-access';
  /** The mobile node's SIP goes to its P-CSCFs over the connections of TLS; their encryption is not simulated. */
  readonly isSecured?: boolean;
  /** The mobile node knows its P-CSCFs by their names, pcscf-1.ims.test and pcscf-2.ims.test, and the DNS knows this of them. */
  readonly zone?: ReadonlyMap<string, readonly DnsRecord[]>;
  /** Of signalling, on the mobile node's access links. */
  readonly faults?: Faults;
  /** All the same a translator that has IPv4 addresses alone. */
  readonly isTranslatorIpv4Only?: boolean;
  /** Whether the mobile node translates between IPv4 and IPv6; it does by default. */
  readonly joinsVersions?: boolean;
  /** Most preferred first; WLAN, then 3G by default. */
  readonly preference?: readonly string[];
  readonly onMobileNodeEvent?: (event: MobileNodeEvent, now: number) => void;
  readonly translatorPorts?: { readonly first: number; readonly last: number };
  /** A second address translator, which the application server may choose too. */
  readonly hasSecondTranslator?: boolean;
  /** In place of the one that the HSS knows. */
  readonly mobileNodePassword?: string;
  /** Of the S-CSCF: real cores differ in what a second contact does to the first. */
  readonly registration?: ServingCscfOptions['registration'];
}

const addresses = {
  ...labAddresses,
  secondTranslator: '10.20.0.3',
  secondTranslatorPool: ['198.51.100.11', '192.0.2.11'],
} as const;
const diameterHosts = {
  interrogatingCscf: `icscf.${labDomain}`,
  servingCscf: `scscf.${labDomain}`,
  homeSubscriberServer: `hss.${labDomain}`,
  trimApplicationServer: `trim-as.${labDomain}`,
  translator: `translator.${labDomain}`,
  secondTranslator: `translator-2.${labDomain}`,
} as const;
const port = { sip: 5060, diameter: 3868 } as const;

const translatorNames = ['translator', 'translator-2'] as const;
export type TranslatorName = (typeof translatorNames)[number];
const translatorPlaces = {
  translator: {
    host: diameterHosts.translator,
    address: addresses.translator,
    pool: addresses.translatorTowardsPeers,
  },
  'translator-2': {
    host: diameterHosts.secondTranslator,
    address: addresses.secondTranslator,
    pool: addresses.secondTranslatorPool,
  },
} as const;

export class VirtualLab implements VirtualTestNetwork {
  readonly network: VirtualNetwork;
  readonly mobileNodeEvents: MobileNodeEvent[] = [];
  readonly trimEvents: TrimEvent[] = [];
  readonly mobile: VirtualMobileNode;
  readonly correspondentHost: VirtualHost;
  readonly trimApplicationServer: TrimApplicationServer;
  readonly #options: VirtualLabOptions;
  readonly #accesses: readonly LabAccess[];
  readonly #hosts = new Map<string, VirtualHost>();
  readonly #translators = new Map<TranslatorName, AddressTranslator>();
  #translatorStarts = 0;
  /** The HSS ends a user's registration (RTR, TS 29.228 §6.1.3), with that Reason-Code. */
  readonly terminateRegistration: TerminateRegistration;
  /** How long a translator's kernel takes for a change; its answer waits for it. */
  translationDelayMs: number = 0;

  constructor(options: VirtualLabOptions) {
    this.#options = options;
    this.#accesses = options.accesses ?? trimAccesses;
    this.network = new VirtualNetwork(options.seed);
    this.terminateRegistration = this.#addCore();
    this.trimApplicationServer = this.#addApplicationServer();
    this.startTranslator('translator');
    if (options.hasSecondTranslator) this.startTranslator('translator-2');
    this.correspondentHost = this.#addHost('cn', [addresses.correspondentNode]);
    this.mobile = this.#addMobileNode();
  }

  /** A node of the network by its name in ladders, such as "hss": to be killed, for example. */
  host(name: string): VirtualHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  addressTranslator(name: TranslatorName = 'translator'): AddressTranslator | undefined {
    return this.#translators.get(name);
  }

  get trace(): readonly TraceEntry[] {
    return this.network.trace;
  }

  /** A terminal on the mobile node's internal address, or the correspondent node. `name` stands in ladders. */
  addTerminal(
    where: 'mn' | 'cn',
    name: string,
    sipPort: number,
    options: Pick<CorrespondentNodeOptions, 'media' | 'ringMs'>,
  ): VirtualTerminal {
    const isMobile = where === 'mn';
    const user = isMobile ? mobileIdentity : correspondentIdentity;
    return startTerminal(isMobile ? this.mobile.host : this.correspondentHost, name, {
      ...options,
      sip: { address: isMobile ? internalAddress : addresses.correspondentNode, port: sipPort },
      identity: identityOf(user),
      expiresSeconds: 600,
      registers: true,
      outboundProxy: isMobile ? { address: internalAddress, port: 5070 } : at(addresses.proxyCscf),
      withReservation: this.#options.withReservation,
      random: this.network.newRandomSource(),
    });
  }

  #addCore(): TerminateRegistration {
    const hosts = new Map([[labDomain, at(addresses.interrogatingCscf)]]);
    const hss = this.#hssPeer();
    const { isSecured, proxyCscfs } = this.#options;
    const proxies = proxyCscfs === 'shared' ? ['p-cscf'] : ['p-cscf', 'p-cscf-2'];
    proxies.forEach((name, index) => {
      const address = proxyCscfOf(4, index > 0);
      const own = hasIpv6(this.#accesses) ? [address, proxyCscfOf(6, index > 0)] : [address];
      const common = {
        ...sipAt(address),
        listen: own.flatMap((one) => [...sipAt(one).listen, ...(isSecured ? [byTls(one)] : [])]),
        visitedNetwork: labDomain,
        unregisteredInDialog: 'refuse',
        hosts,
      } as const;
      this.#start(name, own, new ProxyCscf({ ...common, random: this.network.newRandomSource() }));
    });
    this.#start(
      'i-cscf',
      addresses.interrogatingCscf,
      new InterrogatingCscf({
        ...sipAt(addresses.interrogatingCscf),
        domains: [labDomain],
        servers: [{ name: `sip:${addresses.servingCscf}:${port.sip}`, capabilities: [] }],
        hosts,
        diameter: { ...identityAt(diameterHosts.interrogatingCscf), peers: [hss] },
        random: this.network.newRandomSource(),
      }),
    );
    this.#start(
      's-cscf',
      addresses.servingCscf,
      new ServingCscf({
        ...sipAt(addresses.servingCscf),
        name: `sip:${addresses.servingCscf}:${port.sip}`,
        realm: labDomain,
        hosts,
        diameter: { ...identityAt(diameterHosts.servingCscf), peers: [hss] },
        ...(this.#options.registration && { registration: this.#options.registration }),
        random: this.network.newRandomSource(),
      }),
    );
    const subscriberServer = new HomeSubscriberServer({
      diameter: {
        ...identityAt(diameterHosts.homeSubscriberServer),
        listen: [{ address: addresses.homeSubscriberServer, port: port.diameter }],
        peers: [{ host: diameterHosts.interrogatingCscf }, { host: diameterHosts.servingCscf }],
        random: this.network.newRandomSource(),
      },
      subscribers: subscribers(),
      digestRealm: labDomain,
    });
    const process = this.#start('hss', addresses.homeSubscriberServer, subscriberServer);
    return (identity, reason) =>
      process.perform((now) => subscriberServer.terminate(privateIdentityOf(identity), reason, now));
  }

  #hssPeer(): { host: string; address: TransportAddress } {
    return {
      host: diameterHosts.homeSubscriberServer,
      address: { address: addresses.homeSubscriberServer, port: port.diameter },
    };
  }

  #addApplicationServer(): TrimApplicationServer {
    const names = this.#options.hasSecondTranslator ? translatorNames : translatorNames.slice(0, 1);
    const translators = names.map((name) => translatorPlaces[name]);
    const machine = new TrimApplicationServer({
      ...sipAt(addresses.trimApplicationServer),
      diameter: {
        ...identityAt(diameterHosts.trimApplicationServer),
        peers: translators.map(({ host, address }) => ({ host, address: { address, port: port.diameter } })),
      },
      translators: translators.map(({ host }) => ({ host })),
      graceMs: 32_000,
      maximumSessions: 1000,
      random: this.network.newRandomSource(),
    });
    const host = this.#addHost('trim-as', [addresses.trimApplicationServer]);
    const process = host.run<never, TrimEvent, never>({
      machine,
      onEvent: (event) => this.trimEvents.push(event),
    });
    process.perform((now) => machine.start(now));
    return machine;
  }

  /** On a machine of its own without any memory: also in place of one that was killed. */
  startTranslator(name: TranslatorName): void {
    const { host: originHost, address, pool: ipv4Pool } = translatorPlaces[name];
    const hasBoth = hasIpv6(this.#accesses) && !this.#options.isTranslatorIpv4Only;
    const pool = hasBoth ? [...ipv4Pool, addresses.ipv6.translatorTowardsMobileNodes] : ipv4Pool;
    const { first, last } = this.#options.translatorPorts ?? { first: 20_000, last: 29_999 };
    const machine = new AddressTranslator({
      diameter: {
        ...identityAt(originHost),
        originStateId: ++this.#translatorStarts,
        listen: [{ address, port: port.diameter }],
        peers: [{ host: diameterHosts.trimApplicationServer }],
        random: this.network.newRandomSource(),
      },
      pool: { addresses: [...pool], firstPort: first, lastPort: last },
    });
    this.#translators.set(name, machine);
    const host = this.network.addHost(name);
    this.#hosts.set(name, host);
    const link = host.attach('eth0', wire);
    host.addAddress(address, link);
    for (const own of pool) host.addTranslatedAddress(own, link);
    const process = host.run({
      machine,
      onEffect: (effect: AddressTranslatorEffect) => {
        if (effect.type !== 'translate') return;
        this.network.simulation.schedule(this.translationDelayMs, () => {
          host.translate(effect.operations);
          process.handleInput({ kind: 'effect-completed', id: effect.id });
        });
      },
    });
    process.perform((now) => machine.start(now));
  }

  #addMobileNode(): VirtualMobileNode {
    const { preference, faults, mobileNodePassword, proxyCscfs } = this.#options;
    const { onMobileNodeEvent, isSecured, joinsVersions, zone } = this.#options;
    const accesses = this.#accesses;
    if (zone !== undefined) this.network.zone = zone;
    const isShared = proxyCscfs === 'shared';
    return new VirtualMobileNode({
      network: this.network,
      accesses,
      ...(faults && { faults }),
      onEvent: (event, now) => {
        this.mobileNodeEvents.push(event);
        onMobileNodeEvent?.(event, now);
      },
      machine: {
        identity: {
          ...identityOf(mobileIdentity),
          ...(mobileNodePassword && { password: mobileNodePassword }),
          instance: 'urn:uuid:00000000-0000-4000-8000-000000000001',
          expiresSeconds: 600,
        },
        proxyOf: (index) => {
          const isFirst = isShared || index === 0;
          if (zone !== undefined) return sipUri({ host: `pcscf-${isFirst ? 1 : 2}.${labDomain}` });
          const address = proxyCscfOf(accesses[index]?.family, !isFirst);
          return isSecured ? byTls(address) : at(address);
        },
        ...(isSecured && { tls: { port: byTls('').port, serverName: labDomain } }),
        selector: new PreferenceOrder(preference ?? ['wlan', '3g']),
        withReservation: this.#options.withReservation,
        ...(joinsVersions !== undefined && { joinsVersions }),
      },
    });
  }

  #addHost(name: string, own: readonly string[]): VirtualHost {
    const host = this.network.addHost(name);
    this.#hosts.set(name, host);
    const link = host.attach('eth0', wire);
    for (const address of own) host.addAddress(address, link);
    return host;
  }

  #start(name: string, own: string | readonly string[], machine: Startable): Pick<RoleProcess, 'perform'> {
    const process = this.#addHost(name, [own].flat()).run({ machine });
    process.perform((now) => machine.start(now));
    return process;
  }
}

type TerminateRegistration = (identity: string, reasonCode: number) => void;
type RoleProcess = ReturnType<VirtualHost['run']>;
type Startable = Parameters<VirtualHost['run']>[0]['machine'] & { start(now: number): void };

const wire = { uplink: { ...perfectLink, delayMs: 0.5 }, downlink: { ...perfectLink, delayMs: 0.5 } };

function at(address: string): TransportAddress {
  return { address, port: port.sip };
}

function sipAt(address: string) {
  const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, address, port: port.sip }));
  return { listen, address: at(address) };
}

function byTls(address: string) {
  return { transport: 'tls' as const, address, port: 5061 };
}

function identityAt(originHost: string) {
  return { originHost, originRealm: labDomain, originStateId: 1 };
}

/** The mobile user has TRIM; the correspondent is a user of the same home network without it. */
function subscribers(): Subscriber[] {
  return [mobileIdentity, correspondentIdentity].map((user) => {
    const { privateIdentity, password } = identityOf(user);
    const serverName = `sip:${addresses.trimApplicationServer}:${port.sip}`;
    return {
      privateIdentity,
      publicIdentities: [{ identity: user }],
      credentials: { password },
      initialFilterCriteria: user === mobileIdentity ? trimFilterCriteria(serverName) : [],
    };
  });
}
