import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import { writeSysctl } from '../../src/drivers/linux/sysctl.ts';
import {
  AF_INET,
  closeDescriptor,
  openSocket,
  receive,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  send,
} from '../../src/drivers/linux/system-calls.ts';
import { checksumOf, onesComplementSum } from '../../src/protocols/ip/internet-checksum.ts';
import { ipProtocol } from '../../src/protocols/ip/ip-packet.ts';
import { encodeTunnelledEcho } from '../../src/protocols/mobile-ip/tunnel-data.ts';
import { type Arrival, PacketFlow, PacketSink } from './packet-flow.ts';
import { buildPacket } from './packet-probe.ts';
import { transferOverTcp } from './tcp-transfer.ts';
import {
  type Access,
  accesses,
  bindingOf,
  bindOver,
  careOf,
  correspondent,
  endpointOf,
  homeAddress,
  homeAgent,
  openTunnelNetwork,
  type TunnelNetwork,
} from './tunnel-network.ts';
import { tunnelTest } from './tunnel-test.ts';
import { until } from './until.ts';

for (const encapsulation of ['rfc3519', 'plain'] as const)
  tunnelTest(`Tunnel: ping, UDP and TCP pass whole in both directions, ${encapsulation}`, async () => {
    const network = openTunnelNetwork();
    bindOver(network, 'umts', encapsulation);
    assert.deepEqual(await ping(network, 'mn', correspondent, 5), [1, 2, 3, 4, 5]);
    assert.deepEqual(await ping(network, 'cn', homeAddress, 5), [1, 2, 3, 4, 5]);
    for (const [from, to] of [
      ['mn', 'cn'],
      ['cn', 'mn'],
    ] as const) {
      for (const length of [29, 160, 1001, 1468, 3000])
        assert.equal(await lostOf(network, from, to, length, 20), 0, `${length} octets from ${from}`);
      const octets = 20_000_003;
      const { sent, received } = await transferOverTcp(
        end(network, from, 5001),
        end(network, to, 5001),
        octets,
      );
      assert.deepEqual([received.octets, received.digest], [octets, sent.digest]);
    }
    const counters = network.ha.counters();
    assert.deepEqual(
      [counters.unsent, counters.spoofed, counters.malformed, counters.undelivered],
      [0, 0, 0, 0],
    );
    await network.close();
  });

tunnelTest(
  'Tunnel: switches between live accesses under 20,000 packets/s lose and double nothing',
  async () => {
    const network = openTunnelNetwork();
    bindOver(network, 'umts');
    for (const [from, to] of [
      ['cn', 'mn'],
      ['mn', 'cn'],
    ] as const) {
      const sink = new PacketSink(network.topology.namespaceOf(to), 6000);
      const flow = await PacketFlow.start({
        namespaceFd: network.topology.namespaceOf(from).fd,
        local: { address: addressOf(from), port: 6001 },
        remote: { address: addressOf(to), port: 6000 },
        packetsPerSecond: 20_000,
        length: 160,
        window: 500,
      });
      const arrivals: Arrival[] = [];
      const untilArrived = (count: number) =>
        until(() => {
          arrivals.push(...sink.drain());
          flow.confirm(arrivals.length);
          return arrivals.length >= count;
        });
      for (let handover = 0; handover < 40; handover++) {
        await untilArrived(arrivals.length + 400);
        bindOver(network, handover % 2 === 0 ? 'wlan' : 'umts');
      }
      const { sent } = await flow.stop();
      await untilArrived(sent);
      assert.equal(new Set(arrivals.map(({ sequence }) => sequence)).size, sent, 'lost');
      assert.equal(arrivals.length, sent, 'doubled');
      sink.close();
    }
    const [umts, wlan] = await Promise.all(accesses.map((access) => octetsOver(network, access)));
    assert.ok(Math.min(umts ?? 0, wlan ?? 0) > 100_000, `${umts} and ${wlan} octets`);
    await network.close();
  },
);

tunnelTest('Tunnel: tunnel data that is not a binding’s own is dropped and counted', async () => {
  const network = openTunnelNetwork();
  bindOver(network, 'umts');
  const inner = (source: string, destination: string): Uint8Array =>
    buildPacket({
      protocol: 'udp',
      source,
      destination,
      sourcePort: 1,
      destinationPort: 6000,
      payload: new Uint8Array(20),
    });
  const right = inner(homeAddress, correspondent);
  const header = Uint8Array.of(4, 4, 0, 0);
  const sink = new PacketSink(network.topology.namespaceOf('cn'), 6000);
  const raw = (from: 'mn' | 'core', local: string, port: number, octets: Uint8Array): void => {
    const outer = {
      protocol: 'udp',
      source: local,
      destination: homeAgent.address,
      sourcePort: port,
      destinationPort: 434,
    } as const;
    const fd = network.topology.namespaceOf(from).run(() => openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW));
    send(
      fd,
      buildPacket({ ...outer, payload: octets }),
      socketAddress({ address: homeAgent.address, port: 0 }),
    );
    closeDescriptor(fd);
  };
  const { address, port } = careOf.umts;
  const spoofed: readonly [string, number, Uint8Array][] = [
    ['203.0.113.66', port, Uint8Array.of(...header, ...right)],
    [address, port + 1, Uint8Array.of(...header, ...right)],
    [address, port, Uint8Array.of(...header, ...inner('198.51.100.98', correspondent))],
    [address, port, right],
  ];
  const malformed = [
    Uint8Array.of(4, 47, 0, 0, ...right),
    header,
    Uint8Array.of(...header, ...right.subarray(0, 19)),
    Uint8Array.of(...header, ...right.subarray(0, right.length - 1)),
    Uint8Array.of(...header, 0x44, ...right.subarray(1)),
    Uint8Array.of(...header, 0x65, ...right.subarray(1)),
  ];
  for (const [local, localPort, octets] of spoofed) raw('core', local, localPort, octets);
  for (const octets of malformed) raw('core', address, port, octets);
  raw('core', address, port, Uint8Array.of(...header, ...right));
  await until(() => network.ha.counters().packetsReceived === 1);
  const counters = network.ha.counters();
  assert.deepEqual([counters.spoofed, counters.malformed], [spoofed.length, malformed.length]);
  await until(() => sink.drain().length === 1);
  assert.deepEqual(network.heard.ha, []);
  sink.close();
  await network.close();
});

tunnelTest('Tunnel: hands up what is no tunnel data, and echo probes between its ends', async () => {
  const network = openTunnelNetwork();
  bindOver(network, 'umts');
  const registration = Uint8Array.of(1, 2, 3);
  assert.ok(network.mn.send(careOf.wlan, homeAgent, registration));
  await until(() => network.heard.ha.length === 1);
  assert.deepEqual(network.heard.ha[0], { local: homeAgent, remote: careOf.wlan, payload: registration });
  const request = Uint8Array.of(4, 4, 0, 0, ...echoPacket(8, homeAddress, homeAgent.address));
  assert.ok(network.mn.send(careOf.wlan, homeAgent, request));
  await until(() => network.heard.ha.length === 2);
  assert.deepEqual(network.heard.ha[1], { local: homeAgent, remote: careOf.wlan, payload: request });
  const reply = Uint8Array.of(4, 4, 0, 0, ...echoPacket(0, homeAgent.address, homeAddress));
  assert.ok(network.ha.send(homeAgent, careOf.wlan, reply));
  await until(() => network.heard.mn.length === 1);
  assert.deepEqual(network.heard.mn[0], { local: careOf.wlan, remote: homeAgent, payload: reply });
  await network.close();
});

tunnelTest(
  'Tunnel: that of a correspondent passes what it and the mobile node have for each other, and nothing else',
  async () => {
    const network = openTunnelNetwork();
    const { address: correspondentAddress } = homeAgent;
    for (const side of ['ha', 'mn'] as const) {
      const endpoint = { ...endpointOf(side, 'umts'), correspondentAddress };
      const binding = bindingOf([endpoint], [{ selector: {}, endpoints: [endpoint] }]);
      network[side].apply({ kind: 'bind', binding });
    }
    assert.deepEqual(await ping(network, 'mn', correspondentAddress, 2), [1, 2]);
    assert.deepEqual(network.heard.ha, [], 'pings with data are people’s, and the kernel answers them');
    const echo = { isReply: false, source: homeAddress, destination: correspondentAddress };
    const probe = encodeTunnelledEcho({ ...echo, identifier: 1, sequenceNumber: 1 }, 'rfc3519');
    assert.ok(network.mn.send(careOf.umts, homeAgent, probe));
    await until(() => network.heard.ha.length === 1);
    assert.deepEqual(network.heard.ha[0], { local: homeAgent, remote: careOf.umts, payload: probe });
    sendDatagrams(network, 'cn', homeAddress, 6000, 160, 5);
    sendDatagrams(network, 'mn', correspondent, 6000, 160, 5);
    await until(() => network.mn.counters().spoofed + network.ha.counters().spoofed === 10);
    assert.deepEqual([network.mn.counters().spoofed, network.ha.counters().spoofed], [5, 5]);
    await network.close();
  },
);

tunnelTest(
  'Tunnel: works through NAT with connection tracking and strict source filtering on the access routers',
  async () => {
    const network = openTunnelNetwork();
    for (const access of accesses) {
      const router = network.topology.namespaceOf(access);
      router.run(() => {
        for (const link of ['all', 'to-mn', 'to-core'])
          writeSysctl({ name: `ipv4/conf/${link}/rp_filter`, value: '1' });
      });
      const rules = `table ip nat { chain out { type nat hook postrouting priority 100
      oifname "to-core" meta l4proto udp masquerade to :50000-50100
    }
    }`;
      const nft = network.topology.spawn(access, 'nft', [rules], { stdio: 'inherit' });
      assert.deepEqual(await once(nft, 'close'), [0, null]);
    }
    const observed = [];
    for (const access of accesses) {
      assert.ok(network.mn.send(careOf[access], homeAgent, Uint8Array.of(1)));
      await until(() => network.heard.ha.length === observed.length + 1);
      observed.push(network.heard.ha.at(-1)!.remote);
    }
    assert.deepEqual(
      observed.map(({ address }) => address),
      ['192.0.2.6', '192.0.2.10'],
    );
    assert.ok(observed.every(({ port }) => port >= 50_000 && port <= 50_100));
    const [umts, wlan] = observed.map((remote, index) =>
      endpointOf('ha', accesses[index]!, 'rfc3519', remote),
    );
    for (const [index, access] of accesses.entries()) {
      bindOver(network, access);
      const endpoint = index === 0 ? umts! : wlan!;
      network.ha.apply({
        kind: 'bind',
        binding: bindingOf([umts!, wlan!], [{ selector: {}, endpoints: [endpoint] }]),
      });
      assert.deepEqual(await ping(network, 'cn', homeAddress, 3), [1, 2, 3]);
      const { sent, received } = await transferOverTcp(
        end(network, 'cn', 5001),
        end(network, 'mn', 5001),
        2_000_000,
      );
      assert.equal(received.digest, sent.digest);
    }
    await network.close();
  },
);

tunnelTest('Tunnel: rules send classes over accesses of their own, and copies over several', async () => {
  const network = openTunnelNetwork();
  bindOver(network, 'umts');
  const [umts, wlan] = accesses.map((access) => endpointOf('ha', access));
  const rules = [
    { selector: { protocol: ipProtocol.udp, homePorts: [6000, 6000] as const }, endpoints: [umts!] },
    { selector: { protocol: ipProtocol.udp, homePorts: [6001, 6001] as const }, endpoints: [umts!, wlan!] },
    { selector: { protocol: ipProtocol.udp, homePorts: [6002, 6002] as const }, endpoints: [] },
    { selector: {}, endpoints: [wlan!] },
  ];
  network.ha.apply({ kind: 'bind', binding: bindingOf([umts!, wlan!], rules) });
  const expected = [
    [6000, true, false, 10],
    [6001, true, true, 20],
    [6002, false, false, 0],
    [6003, false, true, 10],
  ] as const;
  for (const [port, overUmts, overWlan, arriving] of expected) {
    const before = await Promise.all(accesses.map((access) => octetsOver(network, access)));
    const sink = new PacketSink(network.topology.namespaceOf('mn'), port);
    sendDatagrams(network, 'cn', homeAddress, port, 160, 10);
    let arrived = 0;
    await until(() => {
      arrived += sink.drain().length;
      return arrived >= arriving;
    });
    await sleep(20);
    const after = await Promise.all(accesses.map((access) => octetsOver(network, access)));
    assert.deepEqual(
      after.map((octets, index) => octets - before[index]! > 10 * 160),
      [overUmts, overWlan],
      `port ${port}`,
    );
    assert.equal(arrived + sink.drain().length, arriving);
    sink.close();
  }
  assert.equal(network.ha.counters().unbound, 10);
  await network.close();
});

function addressOf(node: 'mn' | 'cn'): string {
  return node === 'mn' ? homeAddress : correspondent;
}

function end(network: TunnelNetwork, node: 'mn' | 'cn', port: number) {
  const namespaceFd = network.topology.namespaceOf(node).fd;
  return { namespaceFd, local: { address: addressOf(node), port } };
}

/** Octets that the mobile node has received over an access; packets that the kernel has not cut up yet count as one. */
async function octetsOver(network: TunnelNetwork, access: Access): Promise<number> {
  const cat = network.topology.spawn('mn', 'cat', ['/proc/net/dev']);
  let text = '';
  cat.stdout?.on('data', (part) => {
    text += part;
  });
  await once(cat, 'close');
  return Number(new RegExp(`to-${access}: *(\\d+)`).exec(text)?.[1]);
}

async function lostOf(
  network: TunnelNetwork,
  from: 'mn' | 'cn',
  to: 'mn' | 'cn',
  length: number,
  count: number,
): Promise<number> {
  const sink = new PacketSink(network.topology.namespaceOf(to), 6000);
  sendDatagrams(network, from, addressOf(to), 6000, length, count);
  let arrived = 0;
  await until(() => {
    arrived += sink.drain().length;
    return arrived >= count;
  });
  sink.close();
  return count - arrived;
}

function sendDatagrams(
  network: TunnelNetwork,
  from: 'mn' | 'cn',
  to: string,
  port: number,
  length: number,
  count: number,
): void {
  const fd = network.topology.namespaceOf(from).run(() => openSocket(AF_INET, SOCK_DGRAM, 0));
  for (let sent = 0; sent < count; sent++)
    send(fd, new Uint8Array(length - 28).fill(sent), socketAddress({ address: to, port }));
  closeDescriptor(fd);
}

/** Sequence numbers of the echo replies that came. */
async function ping(network: TunnelNetwork, from: 'mn' | 'cn', to: string, count: number): Promise<number[]> {
  const fd = network.topology
    .namespaceOf(from)
    .run(() => openSocket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, ipProtocol.icmp));
  const replies: number[] = [];
  const buffer = new Uint8Array(1500);
  for (let sequence = 1; sequence <= count; sequence++) {
    send(fd, icmpEcho(8, sequence), socketAddress({ address: to, port: 0 }));
    await until(() => {
      for (let length = receive(fd, buffer); length !== undefined; length = receive(fd, buffer))
        if (buffer[20] === 0) replies.push(buffer[27] ?? 0);
      return replies.includes(sequence);
    });
  }
  closeDescriptor(fd);
  return replies;
}

function icmpEcho(type: number, sequence: number): Uint8Array {
  const message = Uint8Array.of(type, 0, 0, 0, 0x12, 0x34, 0, sequence, ...new Uint8Array(48).fill(7));
  new DataView(message.buffer).setUint16(2, checksumOf(onesComplementSum(message)));
  return message;
}

function echoPacket(type: number, source: string, destination: string): Uint8Array {
  const message = icmpEcho(type, 1);
  const header = buildPacket({
    protocol: 'udp',
    source,
    destination,
    sourcePort: 0,
    destinationPort: 0,
    payload: new Uint8Array(message.length - 8),
  }).subarray(0, 20);
  header[9] = ipProtocol.icmp;
  header.set([0, 0], 10);
  new DataView(header.buffer).setUint16(10, checksumOf(onesComplementSum(header)));
  return Uint8Array.of(...header, ...message);
}

const IPPROTO_RAW = 255;
