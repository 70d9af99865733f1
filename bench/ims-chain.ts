/**
 * A home network for the call benchmarks: SIPp's telephones at a P-CSCF, an S-CSCF that calls the TRIM AS, each function a process of its
 * own, in a network namespace of its own with the addresses of the lab. The CSCFs are ours or Kamailio's; all else is the same.
 */
import type { ChildProcess } from 'node:child_process';
import { KamailioCscf, kamailioCscfs } from '../src/testbed/kamailio/kamailio-cscf.ts';
import { KernelTopology } from '../src/testbed/kernel-topology.ts';
import { labAddresses } from '../src/testbed/lab-addresses.ts';
import type { Spawn } from '../src/testbed/media/media-program.ts';
import { cscfs, type ImsCoreMakers } from '../src/testbed/scenario.ts';
import { type CallKind, CallLoad, type CallServer, cpuMsOfFamily } from './call-load.ts';

export type CoreMaker = ImsCoreMakers[keyof ImsCoreMakers];

const {
  proxyCscf,
  interrogatingCscf,
  servingCscf,
  homeSubscriberServer,
  trimApplicationServer,
  translator,
  translatorTowardsPeers,
} = labAddresses;
const addressOf = {
  'p-cscf': proxyCscf,
  'i-cscf': interrogatingCscf,
  's-cscf': servingCscf,
  hss: homeSubscriberServer,
} as const;
const node = 'home';

export class ImsChain {
  readonly load: CallLoad;
  /** By the name of the function. */
  readonly servers: Map<string, CallServer> = new Map();
  readonly #topology: KernelTopology;
  readonly #spawn: Spawn;
  readonly #kamailio: KamailioCscf[] = [];

  /** With one call made when it resolves. */
  static async start(maker: CoreMaker, kind: CallKind): Promise<ImsChain> {
    const chain = new ImsChain();
    try {
      await chain.#start(maker, kind);
      return chain;
    } catch (error) {
      await chain.close();
      throw error;
    }
  }

  private constructor() {
    const addresses = [...Object.values(addressOf), trimApplicationServer, translator];
    const loopbackAddresses = addresses.map((address) => `${address}/32`);
    this.#topology = new KernelTopology(
      { nodes: [{ name: node, loopbackAddresses }], links: [] },
      { seed: 1 },
    );
    this.#spawn = (...rest) => this.#topology.spawn(node, ...rest);
    this.load = new CallLoad({ spawn: this.#spawn, serviceRoute: `<sip:orig@${servingCscf}:5060;lr>` });
  }

  async #start(maker: CoreMaker, kind: CallKind): Promise<void> {
    await this.#startOurs('hss');
    if (maker === 'kamailio') await this.#startKamailio();
    else for (const name of cscfs) await this.#startOurs(name);
    const peer = { address: translator, port: 3868 };
    const pool = translatorTowardsPeers;
    this.servers.set('translator', await this.load.startNode({ kind: 'translator', local: peer, pool }));
    const local = { address: trimApplicationServer, port: 5060 };
    this.servers.set('TRIM AS', await this.load.startNode({ kind: 'trim-as', local, translators: [peer] }));
    await this.load.register(proxyCscf, kind);
    await this.load.startCallees([kind]);
  }

  async #startOurs(name: keyof typeof addressOf): Promise<void> {
    const local = { address: addressOf[name], port: 5060 };
    this.servers.set(name, await this.load.startNode({ kind: 'ims-core', local, function: name }));
  }

  async #startKamailio(): Promise<void> {
    const core = { 'p-cscf': 'kamailio', 'i-cscf': 'kamailio', 's-cscf': 'kamailio' } as const;
    for (const place of kamailioCscfs({ core, proxyCscfs: 'shared', authentication: 'md5' })) {
      let child: ChildProcess | undefined;
      const cscf = await KamailioCscf.start({
        ...place,
        spawn: (...rest) => {
          child = this.#spawn(...rest);
          return child;
        },
        namespace: this.#topology.namespaceOf(node),
        folder: this.load.folder,
        memoryMebibytes: 1024,
      });
      this.#kamailio.push(cscf);
      const { address, kind } = place;
      this.servers.set(kind, { address, cpuMs: () => Promise.resolve(cpuMsOfFamily(child!)) });
    }
  }

  /** Makes so many calls; what each function took of the processor for one of them, microseconds. */
  async measure(kind: CallKind, calls: number): Promise<Readonly<Record<string, number>>> {
    const before = await this.#cpuMs();
    await this.load.call({ address: proxyCscf }, kind, calls);
    const after = await this.#cpuMs();
    return Object.fromEntries(
      [...after].map(([name, cpuMs]) => [name, ((cpuMs - before.get(name)!) / calls) * 1000]),
    );
  }

  async #cpuMs(): Promise<ReadonlyMap<string, number>> {
    const used = new Map<string, number>();
    for (const [name, server] of this.servers) used.set(name, await server.cpuMs());
    return used;
  }

  async close(): Promise<void> {
    for (const cscf of this.#kamailio) await cscf.stop();
    await this.load.close();
    await this.#topology.close();
  }
}
