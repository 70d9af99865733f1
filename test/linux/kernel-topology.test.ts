import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type AccessProfile, accessProfiles } from '../../src/access-network/access-profiles.ts';
import { perfectLink } from '../../src/access-network/link-characteristics.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import type { TopologyDescription } from '../../src/testbed/topology.ts';
import { kernelTest } from './own-namespace.ts';

kernelTest(
  'KernelTopology: packets cross access link, router and wire, and the link counts them',
  async () => {
    const topology = new KernelTopology(terminalRouterServer(accessProfiles.wire), { seed: 1 });
    const terminal = openSocket(topology, 'terminal', '10.1.0.2');
    const server = openSocket(topology, 'server', '203.0.113.2');

    const sizes = [10, 1000, 1472];
    for (const size of sizes) {
      terminal.send(new Uint8Array(size).fill(size), server.address().port, '203.0.113.2');
      const [payload, remote] = await once(server, 'message');
      assert.equal(payload.length, size);
      assert.deepEqual([remote.address, remote.port], ['10.1.0.2', terminal.address().port]);
    }

    const { delivered, deliveredOctets } = topology.link('radio').counters().uplink;
    assert.equal(delivered, sizes.length);
    assert.equal(
      deliveredOctets,
      sizes.reduce((sum, size) => sum + size + 28, 0),
    );
    await end(topology, terminal, server);
  },
);

kernelTest('AccessLink: delays packets by what is asked, also when that changes while it runs', async () => {
  const delayed = (delayMs: number): AccessProfile => profileOf({ ...perfectLink, delayMs });
  const topology = new KernelTopology(terminalRouterServer(delayed(30)), { seed: 1 });
  const terminal = openSocket(topology, 'terminal', '10.1.0.2');
  const server = openSocket(topology, 'server', '203.0.113.2');
  server.on('message', (payload, { port, address }) => server.send(payload, port, address));

  const before = await roundTripMs(terminal, server);
  topology.link('radio').change(delayed(5));
  const after = await roundTripMs(terminal, server);

  // Never earlier than the two delays; how much later depends on the machine.
  assert.ok(before >= 60, `${before} ms`);
  assert.ok(after >= 10 && after < before, `${after} ms after ${before} ms`);
  await end(topology, terminal, server);
});

kernelTest('AccessLink: a slow line drops what its queue cannot hold, counted to the packet', async () => {
  // Eight packets of 1,000 octets fit the queue, and the line needs an hour for the first of them.
  const slow = { ...perfectLink, rateBitsPerSecond: 2, queueLimitOctets: 8000 };
  const topology = new KernelTopology(terminalRouterServer(profileOf(slow)), { seed: 1 });
  const terminal = openSocket(topology, 'terminal', '10.1.0.2');
  for (let packet = 0; packet < 20; packet++) terminal.send(new Uint8Array(972), 9, '203.0.113.2');
  await until(() => topology.link('radio').counters().uplink['queue-full'] === 12);

  topology.link('radio').setUp(false);
  await until(() => topology.link('radio').counters().uplink['link-down'] === 8);
  assert.equal(topology.link('radio').counters().uplink.delivered, 0);
  await end(topology, terminal);
});

kernelTest(
  'AccessLink: down and up again is seen as carrier by both nodes and carries packets again',
  async () => {
    const topology = new KernelTopology(terminalRouterServer(profileOf(perfectLink)), { seed: 1 });
    const terminal = openSocket(topology, 'terminal', '10.1.0.2');
    const server = openSocket(topology, 'server', '203.0.113.2');
    topology.link('radio').setUp(false);
    await until(() => !carrierOf(topology, 'terminal', 'wlan0') && !carrierOf(topology, 'router', 'radio'));
    topology.link('radio').setUp(true);
    await until(() => carrierOf(topology, 'terminal', 'wlan0') && carrierOf(topology, 'router', 'radio'));
    terminal.send('again', server.address().port, '203.0.113.2');
    const [payload] = await once(server, 'message');
    assert.equal(String(payload), 'again');
    await end(topology, terminal, server);
  },
);

function terminalRouterServer(profile: AccessProfile): TopologyDescription {
  return {
    nodes: [
      { name: 'terminal', routes: [{ destination: '0.0.0.0/0', gateway: '10.1.0.1' }] },
      { name: 'router', isRouter: true },
      { name: 'server', routes: [{ destination: '0.0.0.0/0', gateway: '203.0.113.1' }] },
    ],
    links: [
      {
        name: 'radio',
        profile,
        ends: [
          { node: 'terminal', interface: 'wlan0', addresses: ['10.1.0.2/24'] },
          { node: 'router', interface: 'radio', addresses: ['10.1.0.1/24'] },
        ],
      },
      {
        name: 'wire',
        ends: [
          { node: 'router', interface: 'wire', addresses: ['203.0.113.1/24'] },
          { node: 'server', interface: 'eth0', addresses: ['203.0.113.2/24'] },
        ],
      },
    ],
  };
}

function profileOf(both: AccessProfile['uplink']): AccessProfile {
  return { ...accessProfiles.wire, uplink: both, downlink: both };
}

/** A UDP socket on a node: the look-up answers within the call, so that Node binds in that node's namespace. */
function openSocket(topology: KernelTopology, node: string, address: string): Socket {
  const socket = createSocket({
    type: 'udp4',
    lookup: (name, _options, callback) => callback(null, name, 4),
  });
  topology.namespaceOf(node).run(() => socket.bind({ address, port: 0 }));
  return socket;
}

async function roundTripMs(from: Socket, to: Socket): Promise<number> {
  const sentAt = performance.now();
  from.send('x', to.address().port, to.address().address);
  await once(from, 'message');
  return performance.now() - sentAt;
}

function carrierOf(topology: KernelTopology, node: string, name: string): boolean {
  let hasCarrier = false;
  topology.configure(node, (rtnetlink) => {
    hasCarrier = rtnetlink.links().find((link) => link.name === name)?.hasCarrier ?? false;
  });
  return hasCarrier;
}

/** Polls; the test runner ends what never comes. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function end(topology: KernelTopology, ...sockets: Socket[]): Promise<void> {
  for (const socket of sockets) socket.close();
  await topology.close();
}
