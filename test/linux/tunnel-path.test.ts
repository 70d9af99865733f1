import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  bindSocket,
  closeDescriptor,
  connectSocket,
  getSocketOption,
  openSocket,
  SOCK_DGRAM,
  send,
  setSocketOption,
} from '../../src/drivers/linux/system-calls.ts';
import { Tunnel } from '../../src/drivers/linux/tunnel.ts';
import type { TunnelBinding } from '../../src/protocols/mobile-ip/tunnel-state.ts';
import { PacketSink } from './packet-flow.ts';
import { transferOverTcp } from './tcp-transfer.ts';
import {
  bindOver,
  correspondent,
  homeAddress,
  openTunnelNetwork,
  type TunnelNetwork,
} from './tunnel-network.ts';
import { tunnelTest } from './tunnel-test.ts';
import { until } from './until.ts';

tunnelTest(
  'Tunnel: the smallest access decides what fits; senders with DF are told, others are fragmented',
  async () => {
    const network = openTunnelNetwork();
    bindOver(network, 'umts');
    const assertMtus = async (expected: number): Promise<void> => {
      assert.equal(await discoveredMtu(network, 'cn', homeAddress, expected), expected);
      assert.equal(await discoveredMtu(network, 'mn', correspondent, expected), expected);
    };
    await assertMtus(1468);
    // The other access becomes narrower: both ends of its link, and the home agent's idea of the path.
    network.topology.configure('mn', (rtnetlink) => rtnetlink.changeLink('to-wlan', { mtu: 1300 }));
    network.topology.configure('wlan', (rtnetlink) => rtnetlink.changeLink('to-mn', { mtu: 1300 }));
    bindOver(network, 'wlan');
    await assertMtus(1268);
    assert.ok(routeMtuIs(network, 1268));
    bindOver(network, 'umts');
    await assertMtus(1268);
    const directions = [
      ['cn', 'mn'],
      ['mn', 'cn'],
    ] as const;
    for (const [from, to] of directions) {
      const sink = new PacketSink(network.topology.namespaceOf(to), 6000);
      sendWithout(network, from, to === 'mn' ? homeAddress : correspondent, 3000);
      let arrived = 0;
      await until(() => {
        arrived += sink.drain().length;
        return arrived === 1;
      });
      assert.equal(arrived, 1, `3,000 octets from ${from}`);
      sink.close();
    }
    // What was sent before those datagrams, too long or not, has been dealt with before them.
    const { unsent: tooLongBefore } = network.ha.counters();
    const endOf = (name: 'cn' | 'mn', address: string) => ({
      namespaceFd: network.topology.namespaceOf(name).fd,
      local: { address, port: 5001 },
    });
    const ends = { cn: endOf('cn', correspondent), mn: endOf('mn', homeAddress) };
    for (const [from, to] of directions) {
      const { sent, received } = await transferOverTcp(ends[from], ends[to], 1_000_001);
      assert.equal(received.digest, sent.digest);
    }
    assert.equal(network.ha.counters().unsent, tooLongBefore, 'who has been told sends nothing too long');
    await network.close();
  },
);

tunnelTest('Tunnel: leaves nothing behind, after close nor after a SIGKILL', async () => {
  const rtnetlink = new Rtnetlink();
  rtnetlink.changeLink('lo', { up: true });
  const before = kernelState(rtnetlink);
  for (const placement of ['home-agent', 'correspondent', 'mobile-node'] as const) {
    const tunnel = new Tunnel({
      placement,
      device: 'life0',
      destinations: ['0.0.0.0/0'],
      onDatagram: () => {},
    });
    tunnel.listen(local);
    tunnel.apply({ kind: 'bind', binding });
    assert.notDeepEqual(kernelState(rtnetlink), before);
    await tunnel.close();
    assert.deepEqual(kernelState(rtnetlink), before);
  }
  const script = `
    const { Tunnel } = await import('${modulePath}');
    const tunnel = new Tunnel({ placement: 'home-agent', device: 'life0', onDatagram: () => {} });
    tunnel.listen(${JSON.stringify(local)});
    tunnel.apply({ kind: 'bind', binding: ${JSON.stringify(binding)} });
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(run.signal, 'SIGKILL', run.stderr);
  // Parameters stay, as a tunnel end needs them: the next one finds them so.
  await until(() => rtnetlink.links().length === 1);
  assert.deepEqual(kernelState(rtnetlink).routes, before.routes);
  rtnetlink.close();
});

tunnelTest(
  'Tunnel: a socket that is listened on later, or no more, changes what the binding uses',
  async () => {
    const network = openTunnelNetwork();
    bindOver(network, 'umts');
    const careOf = { address: '10.1.0.2', port: 43_401 };
    const { namespaceFd, local: cn } = {
      namespaceFd: network.topology.namespaceOf('cn').fd,
      local: { address: correspondent, port: 5001 },
    };
    const mn = {
      namespaceFd: network.topology.namespaceOf('mn').fd,
      local: { address: homeAddress, port: 5001 },
    };
    network.mn.stopListening(careOf);
    sendWithout(network, 'mn', correspondent, 100);
    await until(() => network.mn.counters().unbound > 0);
    assert.equal(network.mn.send(careOf, { address: '198.51.100.1', port: 434 }, Uint8Array.of(1)), false);
    network.mn.listen(careOf);
    const { sent, received } = await transferOverTcp(mn, { namespaceFd, local: cn }, 100_000);
    assert.equal(received.digest, sent.digest);
    const before = network.mn.counters().unbound;
    network.mn.apply({ kind: 'unbind', homeAddress });
    network.ha.apply({ kind: 'unbind', homeAddress });
    // The connection's last packets may still be on their way when the binding goes.
    assert.ok(network.mn.counters().unbound >= before);
    network.topology.configure('mn', (rtnetlink) => {
      assert.ok(!rtnetlink.addresses().some(({ address }) => address === `${homeAddress}/32`));
    });
    await network.close();
  },
);

tunnelTest('Tunnel: needs no rights but those of a user namespace', () => {
  const script = `
    const { Tunnel } = await import('${modulePath}');
    const tunnel = new Tunnel({ placement: 'home-agent', device: 'life0', onDatagram: () => {} });
    tunnel.listen(${JSON.stringify(local)});
    tunnel.apply({ kind: 'bind', binding: ${JSON.stringify(binding)} });
    console.log(tunnel.mtuOf('198.51.100.99'));
    await tunnel.close();
  `;
  const program = [
    '--user',
    '--map-root-user',
    '--net',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ];
  const run = spawnSync('unshare', program, { encoding: 'utf8', timeout: 20_000 });
  assert.equal(run.stdout.trim(), '1468', run.stderr);
});

const modulePath = new URL('../../src/drivers/linux/tunnel.js', import.meta.url);
const local = { address: '127.0.0.1', port: 434 };
const endpoint = { local, remote: { address: '127.0.0.2', port: 50_000 }, encapsulation: 'rfc3519' } as const;
const binding: TunnelBinding = {
  homeAddress: '198.51.100.99',
  homeAgent: '127.0.0.1',
  endpoints: [endpoint],
  rules: [{ selector: {}, endpoints: [endpoint] }],
};

function linksAndRoutes(rtnetlink: Rtnetlink): string {
  return JSON.stringify([rtnetlink.links().map(({ name }) => name), rtnetlink.routes()]);
}

function kernelState(rtnetlink: Rtnetlink): {
  readonly routes: string;
  readonly parameters: readonly string[];
} {
  const parameters = readdirSync('/proc/sys/net/ipv4', { recursive: true, encoding: 'utf8' })
    .filter((name) => /rp_filter|send_redirects|accept_local|forward/.test(name))
    .map((name) => `${name} ${readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8')}`);
  return { routes: linksAndRoutes(rtnetlink), parameters };
}

/** What a sender with DF finds out: it sends what it thinks to fit until it knows better. */
async function discoveredMtu(
  network: TunnelNetwork,
  from: 'mn' | 'cn',
  to: string,
  expected: number,
): Promise<number> {
  const fd = network.topology.namespaceOf(from).run(() => openSocket(AF_INET, SOCK_DGRAM, 0));
  bindSocket(fd, socketAddress({ address: from === 'mn' ? homeAddress : correspondent, port: 0 }));
  setSocketOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  network.topology.namespaceOf(from).run(() => connectTo(fd, to));
  const mtu = (): number =>
    new DataView(getSocketOption(fd, IPPROTO_IP, IP_MTU, 4).slice().buffer).getUint32(0, true);
  await until(() => {
    try {
      send(fd, new Uint8Array(mtu() - 28));
    } catch {
      // The error of the datagram before, which the kernel keeps for the next call.
    }
    return mtu() === expected;
  });
  const found = mtu();
  closeDescriptor(fd);
  return found;
}

function connectTo(fd: number, address: string): void {
  connectSocket(fd, socketAddress({ address, port: 9 }));
}

function sendWithout(network: TunnelNetwork, from: 'mn' | 'cn', to: string, length: number): void {
  const fd = network.topology.namespaceOf(from).run(() => openSocket(AF_INET, SOCK_DGRAM, 0));
  setSocketOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, 0);
  send(fd, new Uint8Array(length - 28), socketAddress({ address: to, port: 6000 }));
  closeDescriptor(fd);
}

function routeMtuIs(network: TunnelNetwork, mtu: number): boolean {
  return network.ha.mtuOf(homeAddress) === mtu;
}

const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const IP_MTU = 14;
