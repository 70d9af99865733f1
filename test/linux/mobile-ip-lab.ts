/**
 * The roles `mobile-node` and `home-agent`, and on demand a correspondent that keeps bindings, as processes in the namespaces of
 * tunnel-network.ts: two accesses between them, a correspondent on the home link and a server elsewhere.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TunnelCounters } from '../../src/drivers/linux/tunnel-loop.ts';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import type { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { LabProgram } from '../../src/testbed/lab-program.ts';
import { accesses, homeAddress, homeAgent, openTunnelTopology, server } from './tunnel-network.ts';

const association = { spi: 256, key: '00112233445566778899aabbccddeeff' };
const serverAssociation = { spi: 512, key: 'ffeeddccbbaa99887766554433221100' };

type NodeState = Omit<ReturnType<typeof readKernelState>, 'links'> & { readonly links: readonly string[] };

export interface MobileIpLabOptions {
  /** The mobile node registers with the server too. */
  readonly routeOptimisation?: boolean;
}

export class MobileIpLab {
  readonly topology: KernelTopology;
  readonly before: NodeState;
  readonly control: string;
  readonly configuration: string;
  readonly #folder: string;
  #node: LabProgram | undefined;
  #agent: LabProgram | undefined;
  #server: LabProgram | undefined;

  private constructor({ routeOptimisation = false }: MobileIpLabOptions) {
    this.topology = openTunnelTopology();
    this.#folder = mkdtempSync(join(tmpdir(), 'trimaran-mobile-node-'));
    this.control = join(this.#folder, 'node.sock');
    // As DHCP would leave it; the rules of the tests without roles are not wanted.
    this.topology.configure('mn', (rtnetlink) => {
      for (const rule of rtnetlink.rules())
        if (rule.table === 100 || rule.table === 101) rtnetlink.deleteRule(rule);
      accesses.forEach((access, index) => {
        rtnetlink.replaceRoute({
          destination: '0.0.0.0/0',
          gateway: `10.${index + 1}.0.1`,
          link: `to-${access}`,
          metric: 100 + index,
        });
      });
    });
    this.before = this.stateOfNode();
    this.configuration = this.#write('node', {
      'mobile-ip': {
        'home-address': homeAddress,
        'home-agent': homeAgent.address,
        'security-association': association,
        ...(routeOptimisation && {
          correspondents: [{ address: server, 'security-association': serverAssociation }],
        }),
      },
      accesses: accesses.map((name) => ({ name, interface: `to-${name}` })),
      control: this.control,
    });
  }

  /** Both accesses are bound. */
  static async open(options: MobileIpLabOptions = {}): Promise<MobileIpLab> {
    const lab = new MobileIpLab(options);
    const file = lab.#write('agent', {
      address: homeAgent.address,
      'home-link': { interface: 'to-cn', prefix: '198.51.100.0/24' },
      'mobile-nodes': [{ 'home-address': homeAddress, 'security-associations': [association] }],
      journal: join(lab.#folder, 'journal'),
      control: join(lab.#folder, 'agent.sock'),
    });
    lab.#agent = lab.#start('ha', ['home-agent', '-c', file]);
    await lab.#agent.untilEvent('started');
    await lab.startNode();
    return lab;
  }

  get node(): LabProgram {
    assert.ok(this.#node);
    return this.#node;
  }

  async startNode(): Promise<void> {
    const node = this.#start('mn', ['mobile-node', '-c', this.configuration]);
    this.#node = node;
    const bound = (): unknown[] =>
      node.lines.filter(({ event }) => event === 'binding-accepted').map(({ access }) => access);
    await node.until(() => new Set(bound()).size === accesses.length, 'the binding of both accesses');
    await this.handovers(1);
  }

  async stopNode(): Promise<void> {
    await this.node.stop();
  }

  async handovers(count: number): Promise<void> {
    const isDone = (): boolean =>
      this.node.lines.filter(({ event }) => event === 'handover-completed').length >= count;
    await this.node.until(isDone, `handover ${count}`);
  }

  stateOfNode(): NodeState {
    return this.topology.namespaceOf('mn').run(stateOf);
  }

  /** The server keeps bindings from now on. */
  async startCorrespondent(): Promise<LabProgram> {
    const file = this.#write('server', {
      role: 'correspondent',
      address: server,
      'mobile-nodes': [{ 'home-address': homeAddress, 'security-associations': [serverAssociation] }],
      journal: join(this.#folder, 'server-journal'),
      control: join(this.#folder, 'server.sock'),
    });
    const program = this.#start('server', ['home-agent', '-c', file]);
    this.#server = program;
    await program.untilEvent('started');
    return program;
  }

  stateOfServer(): NodeState {
    return this.topology.namespaceOf('server').run(stateOf);
  }

  /** What has passed the tunnels of one of the agents. */
  async counters(agent: 'agent' | 'server'): Promise<TunnelCounters> {
    const client = await ControlClient.connect(join(this.#folder, `${agent}.sock`));
    const { tunnel } = (await client.request('status')) as { readonly tunnel: TunnelCounters };
    client.close();
    return tunnel;
  }

  async close(): Promise<void> {
    await this.#node?.stop();
    await this.#server?.stop();
    await this.#agent?.stop();
    await this.topology.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** JSON is YAML. */
  #write(name: string, configuration: object): string {
    const file = join(this.#folder, `${name}.yaml`);
    writeFileSync(file, JSON.stringify(configuration));
    return file;
  }

  #start(node: string, args: readonly string[]): LabProgram {
    return new LabProgram({
      name: node,
      args,
      spawn: (command, list, options) => this.topology.spawn(node, command, list, options),
    });
  }
}

/** Of the calling thread's namespace. A link's carrier comes when it likes, so links are named only. */
function stateOf(): NodeState {
  const { links, ...state } = readKernelState();
  return { ...state, links: links.map((link) => JSON.parse(link).name) };
}
