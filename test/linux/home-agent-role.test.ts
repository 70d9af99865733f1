/**
 * The role `home-agent` as a process in a network namespace of its own; this process is the mobile nodes, on a link to it.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { Malformed } from '../../src/base/malformed.ts';
import { randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { hasIpFamily, presentSysctls, sysctlsOf, writeSysctl } from '../../src/drivers/linux/sysctl.ts';
import type { SecurityAssociation } from '../../src/protocols/mobile-ip/authentication.ts';
import { decodeMessage, encodeMessage } from '../../src/protocols/mobile-ip/message.ts';
import { ntpTimestamp } from '../../src/protocols/mobile-ip/timestamp.ts';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import { tunnelTest } from './tunnel-test.ts';

tunnelTest('trimaran home-agent: leaves the kernel as it was when it ends', async () => {
  const network = prepare();
  const agent = startAgent(network);
  await agent.event('started');
  const node = await MobileNode.open(homeAddresses[0]!);
  assert.equal(await node.register('10.9.0.2'), 0);
  const client = await ControlClient.connect(join(network.folder, 'control.sock'));
  const status = (await client.request('status')) as Status;
  assert.deepEqual(
    status.mobileNodes.map(({ homeAddress, forwardsTo }) => [homeAddress, forwardsTo]),
    [[homeAddresses[0], '10.9.0.2']],
  );
  assert.notDeepEqual(network.namespace.run(stateOf), network.before);
  await assert.rejects(
    client.request('revoke', { 'home-address': homeAddresses[1] }),
    /198\.51\.100\.11 has no such binding now/,
  );
  await client.request('revoke', { 'home-address': homeAddresses[0] });
  await agent.event('binding-removed');
  client.close();
  agent.process.kill('SIGTERM');
  assert.deepEqual(await once(agent.process, 'exit'), [0, null]);
  assert.deepEqual(network.namespace.run(stateOf), network.before);
  node.close();
  rmSync(network.folder, { recursive: true });
});

tunnelTest(
  'trimaran home-agent: no binding that it confirmed is lost by kill -9 at any instant',
  async () => {
    const seed = Date.now() % 100_000;
    console.log(`seed ${seed}`);
    const random = new SeededRandomSource(seed);
    const network = prepare();
    const nodes = await Promise.all(homeAddresses.map((address) => MobileNode.open(address)));
    let confirmations = 0;
    for (let round = 0; round < 6; round++) {
      const agent = startAgent(network);
      await agent.event('started');
      const restored = await boundTo(network.folder);
      for (const node of nodes) node.assertKept(restored.get(node.homeAddress));
      const routes = network.namespace.run(stateOf).routes.join();
      for (const homeAddress of restored.keys()) assert.match(routes, new RegExp(`"${homeAddress}/32"`));
      let isDying = false;
      // Its threads take a while to begin.
      const onConfirmed = (): void => {
        if (!isDying) setTimeout(() => agent.process.kill('SIGKILL'), 150 * randomFraction(random));
        isDying = true;
      };
      await Promise.all(nodes.map((node) => node.registerUntil(once(agent.process, 'exit'), onConfirmed)));
      confirmations = nodes.reduce((sum, node) => sum + node.confirmations, 0);
    }
    console.log(`${confirmations} registrations confirmed`);
    assert.ok(confirmations >= 6);
    const agent = startAgent(network);
    await agent.event('started');
    agent.process.kill('SIGTERM');
    await once(agent.process, 'exit');
    // The parameters too, which the killed ones had changed.
    assert.deepEqual(network.namespace.run(stateOf), network.before);
    for (const node of nodes) node.close();
    rmSync(network.folder, { recursive: true });
  },
);

const homeAddresses = Array.from({ length: 8 }, (_, index) => `198.51.100.${10 + index}`);
const association: SecurityAssociation = {
  spi: 256,
  algorithm: 'hmac-sha256',
  key: Buffer.from('00112233445566778899aabbccddeeff', 'hex'),
};

interface Status {
  readonly mobileNodes: readonly { readonly homeAddress: string; readonly forwardsTo: string }[];
}

/** Registers itself at ever new care-of addresses, as behind address translation, and remembers what was confirmed. */
class MobileNode {
  readonly homeAddress: string;
  confirmations = 0;
  readonly #socket: Socket;
  #confirmed: string | undefined;
  readonly #askedSince = new Set<string>();
  #number = 0;

  private constructor(homeAddress: string, socket: Socket) {
    this.homeAddress = homeAddress;
    this.#socket = socket;
  }

  static async open(homeAddress: string): Promise<MobileNode> {
    const socket = createSocket('udp4');
    socket.bind(0, '10.9.0.2');
    await once(socket, 'listening');
    // Refused while no agent listens.
    socket.on('error', () => {});
    return new MobileNode(homeAddress, socket);
  }

  /** The code of the reply; undefined when none comes before `end`. */
  async register(careOfAddress: string, end?: Promise<unknown>): Promise<number | undefined> {
    this.#askedSince.add(careOfAddress);
    const payload = encodeMessage(
      {
        kind: 'registration-request',
        simultaneousBindings: false,
        broadcasts: false,
        decapsulationByMobileNode: true,
        minimalEncapsulation: false,
        genericRoutingEncapsulation: false,
        reverseTunnel: true,
        lifetimeSeconds: 300,
        homeAddress: this.homeAddress,
        homeAgent: '10.9.0.1',
        careOfAddress,
        identification: ntpTimestamp(performance.timeOrigin + performance.now()),
        extensions: [
          { kind: 'udp-tunnel-request', forced: true, throughForeignAgent: false, encapsulation: 4 },
        ],
      },
      association,
    );
    const reply = once(this.#socket, 'message').then(([octets]) => octets as Buffer);
    this.#socket.send(payload, 434, '10.9.0.1');
    const answer = await Promise.race(end === undefined ? [reply] : [reply, end.then(() => undefined)]);
    if (answer === undefined) return undefined;
    const received = decodeMessage(answer);
    assert.ok(!(received instanceof Malformed) && received.message.kind === 'registration-reply');
    if (received.message.code === 0) {
      this.#confirmed = careOfAddress;
      this.#askedSince.clear();
      this.confirmations += 1;
    }
    return received.message.code;
  }

  async registerUntil(end: Promise<unknown>, onConfirmed: () => void): Promise<void> {
    for (;;) {
      this.#number += 1;
      const code = await this.register(`192.0.${this.#number >> 8}.${this.#number & 255}`, end);
      if (code === undefined) return;
      assert.equal(code, 0);
      onConfirmed();
    }
  }

  /** What was asked for later may have been in force already when the agent died before it answered. */
  assertKept(careOfAddress: string | undefined): void {
    if (this.#confirmed === undefined) return;
    assert.ok(
      careOfAddress === this.#confirmed || this.#askedSince.has(careOfAddress ?? ''),
      `${this.homeAddress}: confirmed at ${this.#confirmed}, is at ${careOfAddress}`,
    );
  }

  close(): void {
    this.#socket.close();
  }
}

interface Network {
  readonly namespace: NetworkNamespace;
  readonly folder: string;
  readonly before: ReturnType<typeof stateOf>;
}

/** The home agent's namespace, with a home link that leads nowhere and a link to this process. */
function prepare(): Network {
  const namespace = NetworkNamespace.create();
  const rtnetlink = new Rtnetlink();
  rtnetlink.changeLink('lo', { up: true });
  if (rtnetlink.links().some(({ name }) => name === 'to-agent')) rtnetlink.deleteLink('to-agent');
  rtnetlink.createVethPair(
    { name: 'to-agent', index: 51 },
    { name: 'to-nodes', index: 52, namespaceFd: namespace.fd },
  );
  rtnetlink.changeLink('to-agent', { up: true });
  rtnetlink.addAddress('to-agent', '10.9.0.2/24');
  rtnetlink.close();
  namespace.run(() => {
    // Addresses that the kernel gives itself after a while are none of this test's.
    if (hasIpFamily(6)) writeSysctl({ name: 'ipv6/conf/default/disable_ipv6', value: '1' });
    if (hasIpFamily(6)) writeSysctl({ name: 'ipv6/conf/all/disable_ipv6', value: '1' });
    const inside = new Rtnetlink();
    inside.createVethPair({ name: 'home', index: 53 }, { name: 'home-peer', index: 54 });
    for (const link of ['lo', 'to-nodes', 'home', 'home-peer']) inside.changeLink(link, { up: true });
    inside.addAddress('to-nodes', '10.9.0.1/24');
    inside.addAddress('home', '198.51.100.1/24');
    inside.close();
  });
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-home-agent-'));
  const configuration = {
    address: '10.9.0.1',
    'home-link': { interface: 'home', prefix: '198.51.100.0/24' },
    'mobile-nodes': homeAddresses.map((homeAddress) => ({
      'home-address': homeAddress,
      'security-associations': [{ spi: 256, key: '00112233445566778899aabbccddeeff' }],
    })),
    journal: join(folder, 'journal'),
    control: join(folder, 'control.sock'),
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'home-agent.yaml'), JSON.stringify(configuration));
  return { namespace, folder, before: namespace.run(stateOf) };
}

/** Of the calling thread's namespace. */
function stateOf() {
  const rtnetlink = new Rtnetlink();
  const proxied = rtnetlink.proxyNeighbours();
  rtnetlink.close();
  const parameters = sysctlsOf('home', [4]).concat({ name: 'ipv4/neigh/home/proxy_delay', value: '' });
  const { links, ...state } = readKernelState();
  // A link's carrier comes when it likes.
  const names = links.map((link) => JSON.parse(link).name);
  return { ...state, names, proxied, parameters: presentSysctls(parameters) };
}

const started: ChildProcess[] = [];

after(() => {
  for (const agent of started) agent.kill('SIGKILL');
});

function startAgent({ namespace, folder }: Network) {
  const args = ['--netns', namespace.path, 'home-agent', '-c', join(folder, 'home-agent.yaml'), '--json'];
  const agent = spawn(process.execPath, ['dist/src/cli/main.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  started.push(agent);
  const seen: string[] = [];
  const lines = createInterface({ input: agent.stdout! });
  lines.on('line', (line) => seen.push(JSON.parse(line).event));
  const event = async (name: string): Promise<void> => {
    while (!seen.includes(name)) await once(lines, 'line');
  };
  return { process: agent, event };
}

async function boundTo(folder: string): Promise<ReadonlyMap<string, string>> {
  const client = await ControlClient.connect(join(folder, 'control.sock'));
  const { mobileNodes } = (await client.request('status')) as Status;
  client.close();
  return new Map(mobileNodes.map(({ homeAddress, forwardsTo }) => [homeAddress, forwardsTo]));
}
