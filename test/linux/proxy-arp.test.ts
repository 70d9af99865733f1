import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { ProxyArp } from '../../src/drivers/linux/proxy-arp.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { writeSysctl } from '../../src/drivers/linux/sysctl.ts';
import {
  closeDescriptor,
  openSocket,
  receive,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  send,
} from '../../src/drivers/linux/system-calls.ts';
import { TunDevice } from '../../src/drivers/linux/tun-device.ts';
import { tunnelTest } from './tunnel-test.ts';

const homeAddress = [198, 51, 100, 99];
const agentMac = [2, 0, 0, 0, 0, 1];
const hostMac = [2, 0, 0, 0, 0, 2];
const modulePath = new URL('../../src/drivers/linux/proxy-arp.js', import.meta.url);

tunnelTest(
  'ProxyArp: announces the address, answers for it at once, and falls silent when it is removed',
  async () => {
    const link = openHomeLink();
    const proxyArp = new ProxyArp('home');
    proxyArp.add(homeAddress.join('.'));
    proxyArp.announce(homeAddress.join('.'));
    assert.deepEqual(await link.next(), [
      ...etherIpv4,
      0,
      1,
      ...agentMac,
      ...homeAddress,
      0,
      0,
      0,
      0,
      0,
      0,
      ...homeAddress,
    ]);
    // Otherwise the kernel waits a random time of up to 0.8 s.
    assert.equal(proxyDelay(), '0');
    for (let question = 0; question < 5; question++) {
      link.ask(homeAddress);
      assert.deepEqual(await link.next(), [
        ...etherIpv4,
        0,
        2,
        ...agentMac,
        ...homeAddress,
        ...hostMac,
        ...hostAddress,
      ]);
    }
    link.ask([198, 51, 100, 98]);
    proxyArp.remove(homeAddress.join('.'));
    link.ask(homeAddress);
    assert.equal(await link.next(100), undefined);
    proxyArp.close();
    link.close();
  },
);

tunnelTest(
  'ProxyArp: leaves nothing after close, and after a SIGKILL the next one takes away the rest',
  () => {
    const link = openHomeLink();
    const rtnetlink = new Rtnetlink();
    const before = proxyDelay();
    rtnetlink.replaceProxyNeighbour({ link: 'home', address: '198.51.100.7', owner: 4 });
    const foreign = rtnetlink.proxyNeighbours();
    const proxyArp = new ProxyArp('home');
    proxyArp.add('198.51.100.99');
    assert.equal(rtnetlink.proxyNeighbours().length, 2);
    proxyArp.close();
    assert.deepEqual(rtnetlink.proxyNeighbours(), foreign);
    assert.equal(proxyDelay(), before);
    const script = `
    const { ProxyArp } = await import('${modulePath}');
    new ProxyArp('home').add('198.51.100.99');
    process.kill(process.pid, 'SIGKILL');
  `;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal(run.signal, 'SIGKILL', run.stderr);
    assert.equal(rtnetlink.proxyNeighbours().length, 2);
    assert.notEqual(proxyDelay(), before);
    new ProxyArp('home').close();
    assert.deepEqual(rtnetlink.proxyNeighbours(), foreign);
    assert.equal(proxyDelay(), before);
    rtnetlink.deleteProxyNeighbour({ link: 'home', address: '198.51.100.7', owner: 4 });
    rtnetlink.close();
    link.close();
  },
);

const hostAddress = [198, 51, 100, 2];
const etherIpv4 = [0, 1, 8, 0, 6, 4];
const AF_PACKET = 17;
const ETH_P_ARP = 0x0806;

/** A home agent's link here, and a host on it that speaks ARP octet by octet. */
function openHomeLink() {
  const host = NetworkNamespace.create();
  const rtnetlink = new Rtnetlink();
  const [agentEnd, hostEnd] = [
    { name: 'home', index: 31, macAddress: formatMac(agentMac) },
    { name: 'eth0', index: 32, macAddress: formatMac(hostMac), namespaceFd: host.fd },
  ];
  rtnetlink.createVethPair(agentEnd, hostEnd);
  rtnetlink.changeLink('home', { up: true });
  rtnetlink.addAddress('home', '198.51.100.1/24');
  writeSysctl({ name: 'ipv4/ip_forward', value: '1' });
  const tun = new TunDevice('home0');
  rtnetlink.replaceRoute({ destination: '198.51.100.96/29', link: 'home0' });
  const fd = host.run(() => {
    const inside = new Rtnetlink();
    inside.changeLink('eth0', { up: true });
    inside.close();
    return openSocket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, ((ETH_P_ARP & 255) << 8) | (ETH_P_ARP >> 8));
  });
  const buffer = new Uint8Array(64);
  const destination = new DataView(new ArrayBuffer(20));
  destination.setUint16(0, AF_PACKET, true);
  destination.setUint16(2, ETH_P_ARP);
  destination.setInt32(4, 32, true);
  destination.setUint8(11, 6);
  new Uint8Array(destination.buffer).fill(0xff, 12, 18);
  return {
    ask(address: readonly number[]): void {
      const question = [...etherIpv4, 0, 1, ...hostMac, ...hostAddress, 0, 0, 0, 0, 0, 0, ...address];
      send(fd, Uint8Array.from(question), new Uint8Array(destination.buffer));
    },
    /** What the host hears next from the agent. */
    async next(withinMs = 1000): Promise<number[] | undefined> {
      for (const deadline = performance.now() + withinMs; performance.now() < deadline; await sleep(1)) {
        const length = receive(fd, buffer);
        if (length !== undefined && buffer[13] === agentMac[5]) return [...buffer.subarray(0, length)];
      }
      return undefined;
    },
    close(): void {
      closeDescriptor(fd);
      rtnetlink.deleteLink('home');
      rtnetlink.close();
      tun.close();
      host.close();
    },
  };
}

function proxyDelay(): string {
  return readFileSync('/proc/sys/net/ipv4/neigh/home/proxy_delay', 'utf8').trim();
}

function formatMac(octets: readonly number[]): string {
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}
