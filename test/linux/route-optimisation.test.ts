/**
 * Route optimisation with the roles as processes, each in a network namespace of its own: packets between the mobile node and a server that
 * keeps bindings do not see the home agent, and find back to it when the server's program is gone.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { MobileIpLab } from './mobile-ip-lab.ts';
import { type Arrival, PacketFlow, PacketSink } from './packet-flow.ts';
import { transferOverTcp } from './tcp-transfer.ts';
import { accesses, homeAddress, server } from './tunnel-network.ts';
import { tunnelTest } from './tunnel-test.ts';
import { until } from './until.ts';

tunnelTest(
  'trimaran home-agent, role correspondent: UDP both ways and TCP go directly, and lose nothing in four handovers',
  async () => {
    const lab = await MobileIpLab.open({ routeOptimisation: true });
    await lab.startCorrespondent();
    await untilRoute(lab, 'umts');
    const before = await lab.counters('agent');
    const transfer = transferOverTcp(
      end(lab, 'mn', '0.0.0.0', 0),
      end(lab, 'server', server, 5201),
      6_553_600,
      20,
    );
    const flows = await Promise.all([flow(lab, 'mn', 'server'), flow(lab, 'server', 'mn')]);
    const client = await ControlClient.connect(lab.control);
    for (let count = 1; count <= 4; count++) {
      await client.request('handover', { to: accesses[count % 2] });
      await untilRoute(lab, accesses[count % 2]);
      await sleep(200);
    }
    client.close();
    for (const { sent, arrived } of await Promise.all(flows.map((one) => one.stop()))) {
      assert.ok(sent > 100);
      assert.deepEqual(arrived, [sent, sent], 'each once');
    }
    const { sent, received } = await transfer;
    assert.equal(received.digest, sent.digest);
    assert.equal(received.remoteAddress, homeAddress);
    const after = await lab.counters('agent');
    assert.equal(after.packetsSent, before.packetsSent, 'the home agent forwarded nothing');
    const probes = after.packetsReceived - before.packetsReceived;
    assert.equal(after.octetsReceived - before.octetsReceived, 28 * probes, 'and got echoes only');
    const { spoofed, unbound, unsent } = await lab.counters('server');
    assert.deepEqual([spoofed, unbound, unsent], [0, 0, 0]);
    await lab.close();
  },
);

tunnelTest(
  'trimaran home-agent, role correspondent: a connection outlives the program, and the kernel is left as it was',
  async () => {
    const lab = await MobileIpLab.open({ routeOptimisation: true });
    const before = lab.stateOfServer();
    const first = await lab.startCorrespondent();
    await untilRoute(lab, 'umts');
    const transfer = transferOverTcp(
      end(lab, 'server', server, 0),
      end(lab, 'mn', homeAddress, 22),
      4_000_000,
      10,
    );
    await sleep(300);
    await first.kill();
    await untilRoute(lab, undefined);
    const { sent, received } = await transfer;
    assert.equal(received.digest, sent.digest);
    assert.notDeepEqual(lab.stateOfServer(), before, 'rules of one that was killed');
    const second = await lab.startCorrespondent();
    await second.stop();
    assert.deepEqual(lab.stateOfServer(), before);
    await lab.close();
  },
);

/** Until what goes to the server leaves directly over this access; undefined: by the home agent. */
async function untilRoute(lab: MobileIpLab, access: string | undefined): Promise<void> {
  const isThere = (): boolean => {
    const changes = lab.node.lines.filter(({ event }) => event === 'correspondent-route-changed');
    return changes.length > 0 && changes.at(-1)?.['access'] === access;
  };
  await lab.node.until(isThere, `the way to the server over ${access}`);
}

function end(lab: MobileIpLab, node: 'mn' | 'server', address: string, port: number) {
  return { namespaceFd: lab.topology.namespaceOf(node).fd, local: { address, port } };
}

async function flow(lab: MobileIpLab, from: 'mn' | 'server', to: 'mn' | 'server') {
  const sink = new PacketSink(lab.topology.namespaceOf(to), 6000);
  const addressOf = (node: 'mn' | 'server'): string => (node === 'mn' ? homeAddress : server);
  const stream = await PacketFlow.start({
    ...end(lab, from, addressOf(from), 6001),
    remote: { address: addressOf(to), port: 6000 },
    packetsPerSecond: 1000,
    length: 160,
  });
  return {
    stop: async () => {
      const { sent } = await stream.stop();
      const arrivals: Arrival[] = [];
      await until(() => {
        arrivals.push(...sink.drain());
        return arrivals.length >= sent;
      });
      sink.close();
      return { sent, arrived: [new Set(arrivals.map(({ sequence }) => sequence)).size, arrivals.length] };
    },
  };
}
