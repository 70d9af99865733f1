/**
 * The roles `mobile-node` and `home-agent` as processes, each in a network namespace of its own, with a correspondent on the home link and two
 * accesses between them (tunnel-network.ts). The programs on the mobile node know nothing of any of it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import type { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { LabProgram } from '../../src/testbed/lab-program.ts';
import { transferOverTcp } from './tcp-transfer.ts';
import { accesses, correspondent, homeAddress, homeAgent, openTunnelTopology } from './tunnel-network.ts';
import { tunnelTest } from './tunnel-test.ts';

tunnelTest(
  'trimaran mobile-node: TCP of a program that binds nothing has the home address, and survives ten handovers',
  async () => {
    const lab = await Lab.open();
    const transfer = transferOverTcp(
      { namespaceFd: lab.topology.namespaceOf('mn').fd, local: { address: '0.0.0.0', port: 0 } },
      { namespaceFd: lab.topology.namespaceOf('cn').fd, local: { address: correspondent, port: 5201 } },
      200 * 65_536,
      20,
    );
    const client = await ControlClient.connect(lab.control);
    for (let count = 1; count <= 10; count++) {
      await client.request('handover', { to: accesses[count % 2] });
      await lab.handovers(count + 1);
    }
    const { sent, received } = await transfer;
    assert.equal(received.digest, sent.digest);
    assert.equal(received.remoteAddress, homeAddress);
    const status = (await client.request('status')) as { accesses: { name: string; isCurrent: boolean }[] };
    assert.equal(status.accesses.find(({ isCurrent }) => isCurrent)?.name, 'umts');
    client.close();
    const why = ['dist/src/cli/main.js', 'why', '--control', lab.control];
    const { stdout } = spawnSync(process.execPath, why, { encoding: 'utf8' });
    assert.match(
      stdout,
      /^Now: on umts\.\n {2}access verdict\n.*\n\d+\.\d s ago: wlan → umts\.\n.*a person's wish/s,
    );
    await lab.close();
  },
);

tunnelTest('trimaran mobile-node: a connection from outside reaches the home address', async () => {
  const lab = await Lab.open();
  const { sent, received } = await transferOverTcp(
    { namespaceFd: lab.topology.namespaceOf('cn').fd, local: { address: correspondent, port: 0 } },
    { namespaceFd: lab.topology.namespaceOf('mn').fd, local: { address: homeAddress, port: 22 } },
    1_000_000,
  );
  assert.equal(received.digest, sent.digest);
  assert.equal(received.remoteAddress, correspondent);
  await lab.close();
});

tunnelTest(
  'trimaran mobile-node: leaves the kernel as it was, also what one that was killed had left',
  async () => {
    const lab = await Lab.open();
    assert.notDeepEqual(lab.stateOfNode(), lab.before);
    await lab.node.kill();
    await lab.startNode();
    await lab.stopNode();
    assert.deepEqual(lab.stateOfNode(), lab.before);
    await lab.close();
  },
);

// The last one: no TUN device is there any more afterwards.
tunnelTest('trimaran mobile-node: says so and what would help where there is no TUN device', async () => {
  const lab = await Lab.open();
  await lab.stopNode();
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'none', '/dev/net']).status, 0);
  const entry = 'dist/src/cli/main.js';
  const args = [
    '--netns',
    lab.topology.namespaceOf('mn').path,
    'mobile-node',
    '-c',
    lab.configuration,
    '--json',
  ];
  const { status, stderr } = spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8' });
  const { error } = JSON.parse(stderr);
  assert.deepEqual([status, error.code], [1, 'NO_TUN_DEVICE']);
  assert.match(error.remedy, /modprobe tun/);
  assert.deepEqual(lab.stateOfNode(), lab.before);
  const doctor = JSON.parse(
    spawnSync(process.execPath, [entry, 'doctor', '--json'], { encoding: 'utf8' }).stdout,
  );
  const finding = doctor.findings.find(({ name }: { name: string }) => name === '/dev/net/tun');
  assert.deepEqual(
    [finding.isPresent, finding.remedy],
    [false, 'Load the kernel module tun: sudo modprobe tun'],
  );
  await lab.close();
});

const association = { spi: 256, key: '00112233445566778899aabbccddeeff' };

class Lab {
  readonly topology: KernelTopology;
  readonly before: ReturnType<typeof stateOf>;
  readonly control: string;
  readonly configuration: string;
  readonly #folder: string;
  #node: LabProgram | undefined;
  #agent: LabProgram | undefined;

  private constructor() {
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
      },
      accesses: accesses.map((name) => ({ name, interface: `to-${name}` })),
      control: this.control,
    });
  }

  /** Both accesses are bound. */
  static async open(): Promise<Lab> {
    const lab = new Lab();
    const file = lab.#write('agent', {
      address: homeAgent.address,
      'home-link': { interface: 'to-cn', prefix: '198.51.100.0/24' },
      'mobile-nodes': [{ 'home-address': homeAddress, 'security-associations': [association] }],
      journal: join(lab.#folder, 'journal'),
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

  stateOfNode(): ReturnType<typeof stateOf> {
    return this.topology.namespaceOf('mn').run(stateOf);
  }

  async close(): Promise<void> {
    await this.#node?.stop();
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
function stateOf() {
  const { links, ...state } = readKernelState();
  return { ...state, links: links.map((link) => JSON.parse(link).name) };
}
