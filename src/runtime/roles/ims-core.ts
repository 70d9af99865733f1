/**
 * The role `ims-core` (TRIM fig. 1): P-CSCFs, I-CSCF, S-CSCF and HSS in one process, each on sockets of its own. They reach one another by
 * SIP and Diameter only, as they would on machines of their own.
 */
import type { TransportAddress } from '../../base/network.ts';
import { HomeSubscriberServer } from '../../ims-core/hss/home-subscriber-server.ts';
import { InterrogatingCscf } from '../../ims-core/i-cscf/interrogating-cscf.ts';
import { ProxyCscf } from '../../ims-core/p-cscf/proxy-cscf.ts';
import { ServingCscf } from '../../ims-core/s-cscf/serving-cscf.ts';
import type { SipListener } from '../../protocols/sip/transport/sip-transport.ts';
import { type ImsCoreConfiguration, imsCoreSchema } from '../configuration/ims-core.ts';
import { toSubscriber } from '../configuration/subscribers.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const imsCoreRole: Role<ImsCoreConfiguration> = {
  name: 'ims-core',
  schema: imsCoreSchema,
  start: (configuration, host) => new ImsCore(configuration, host).start(),
};

class ImsCore {
  readonly #configuration: ImsCoreConfiguration;
  readonly #host: RoleHost;
  readonly #hosts: ReadonlyMap<string, TransportAddress>;

  constructor(configuration: ImsCoreConfiguration, host: RoleHost) {
    this.#configuration = configuration;
    this.#host = host;
    this.#hosts = new Map([...configuration.hosts, [configuration.domain, configuration['i-cscf']]]);
  }

  start(): RunningRole {
    const { functions } = this.#configuration;
    if (functions.includes('hss')) this.#startSubscriberServer();
    if (functions.includes('s-cscf')) this.#startServingCscf();
    if (functions.includes('i-cscf')) this.#startInterrogatingCscf();
    if (functions.includes('p-cscf')) this.#startProxyCscfs();
    return {};
  }

  #startSubscriberServer(): void {
    const { domain, hss, subscribers } = this.#configuration;
    const machine = new HomeSubscriberServer({
      diameter: {
        ...this.#diameterIdentity('hss'),
        listen: [hss],
        peers: [{ host: `icscf.${domain}` }, { host: `scscf.${domain}` }],
        random: this.#host.random,
      },
      subscribers: subscribers.map(toSubscriber),
      digestRealm: domain,
    });
    this.#host.run({
      name: 'hss',
      machine,
      start: (now) => machine.start(now),
      sayGoodbye: (now) => machine.stop(now),
    });
  }

  #startServingCscf(): void {
    const { domain, 's-cscf': address } = this.#configuration;
    const machine = new ServingCscf({
      ...sipAt(address),
      name: this.#servingCscfName(),
      realm: domain,
      hosts: this.#hosts,
      diameter: this.#cxClient('scscf'),
      random: this.#host.random,
    });
    this.#host.run({
      name: 's-cscf',
      machine,
      start: (now) => machine.start(now),
      sayGoodbye: (now) => machine.stop(now),
    });
  }

  #startInterrogatingCscf(): void {
    const { domain, 'i-cscf': address } = this.#configuration;
    const machine = new InterrogatingCscf({
      ...sipAt(address),
      domains: [domain],
      servers: [{ name: this.#servingCscfName(), capabilities: [] }],
      hosts: this.#hosts,
      diameter: this.#cxClient('icscf'),
      random: this.#host.random,
    });
    this.#host.run<never, never, never>({
      name: 'i-cscf',
      machine,
      start: (now) => machine.start(now),
      sayGoodbye: (now) => machine.stop(now),
    });
  }

  #startProxyCscfs(): void {
    const { 'p-cscf': addresses } = this.#configuration;
    addresses.forEach((address, index) => {
      this.#startProxyCscf(addresses.length === 1 ? 'p-cscf' : `p-cscf-${index + 1}`, address);
    });
  }

  #startProxyCscf(name: string, address: TransportAddress): void {
    const machine = new ProxyCscf({
      ...sipAt(address),
      visitedNetwork: this.#configuration.domain,
      hosts: this.#hosts,
      unregisteredInDialog: this.#configuration['unregistered-in-dialog'],
      random: this.#host.random,
    });
    this.#host.run({ name, machine, start: (now) => machine.start(now) });
  }

  #servingCscfName(): string {
    const { address, port } = this.#configuration['s-cscf'];
    return `sip:${address.includes(':') ? `[${address}]` : address}:${port}`;
  }

  #cxClient(name: string) {
    const { domain, hss } = this.#configuration;
    return { ...this.#diameterIdentity(name), peers: [{ host: `hss.${domain}`, address: hss }] };
  }

  #diameterIdentity(name: string) {
    const { domain } = this.#configuration;
    // Seconds since 1970 grow from one start to the next (RFC 6733 §8.16).
    const originStateId = Math.floor(Date.now() / 1000);
    return { originHost: `${name}.${domain}`, originRealm: domain, originStateId };
  }
}

function sipAt(address: TransportAddress): {
  readonly address: TransportAddress;
  readonly listen: readonly SipListener[];
} {
  return { address, listen: (['udp', 'tcp'] as const).map((transport) => ({ transport, ...address })) };
}
