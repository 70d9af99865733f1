/**
 * The Mobile IP tunnel beside the same path without one, and beside OpenVPN (without encryption, as the tunnel) and wireguard-go (which
 * always encrypts) where they are installed: TCP throughput from the correspondent to the mobile node, and processor time per small
 * packet. Sender, both tunnel ends and receiver share the machine's cores (the aim: 5 Gbit/s on two idle ones).
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KernelTopology } from '../src/testbed/kernel-topology.ts';
import { PacketFlow, PacketSink } from '../test/linux/packet-flow.ts';
import {
  careOf,
  correspondent,
  homeAddress,
  homeAgent,
  openTunnelTopology,
} from '../test/linux/tunnel-network.ts';
import type { Benchmark, Variant } from './harness.ts';

interface Path {
  readonly topology: KernelTopology;
  /** Where the correspondent reaches the mobile node. */
  readonly address: string;
  /** The tunnel's two ends. */
  readonly ends: readonly ChildProcess[];
}

const SECONDS = 1;
const PACKETS_PER_SECOND = 20_000;
const paths = new Map<string, Promise<Path>>();

const openings: Readonly<Record<string, () => Promise<Path>>> = {
  'no tunnel': async () => ({ topology: openTunnelTopology(), address: careOf.umts.address, ends: [] }),
  'Mobile IP tunnel': openMobileIpTunnel,
  ...(hasProgram('openvpn') && { 'OpenVPN, no encryption': openOpenVpn }),
  ...(hasProgram('wireguard-go') && { 'wireguard-go': openWireGuard }),
};
const names = Object.keys(openings);

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'tunnel: one TCP connection from correspondent to mobile node',
    unit: 'Gbit/s',
    rounds: 3,
    variants: names.map(
      (name): Variant => ({ name, sample: async () => throughput(await path(name), false) }),
    ),
    requirements: [
      {
        text: '5 Gbit/s through the tunnel',
        kind: 'goal',
        isMet: (median) => median('Mobile IP tunnel') >= 5,
      },
      ...names.slice(2).map((name) => ({
        text: `faster than ${name}`,
        kind: 'must' as const,
        isMet: (median: (variant: string) => number) => median('Mobile IP tunnel') > median(name),
      })),
    ],
    unavailable,
  },
  {
    name: 'tunnel: one TCP connection from mobile node to correspondent',
    unit: 'Gbit/s',
    rounds: 3,
    variants: names.map(
      (name): Variant => ({ name, sample: async () => throughput(await path(name), true) }),
    ),
    requirements: [
      {
        text: '5 Gbit/s through the tunnel',
        kind: 'goal',
        isMet: (median) => median('Mobile IP tunnel') >= 5,
      },
    ],
    unavailable,
  },
  {
    name: 'tunnel: processor time of both ends per gigabit of TCP',
    unit: 'CPU ms/Gbit',
    rounds: 3,
    variants: names
      .slice(1)
      .map((name): Variant => ({ name, sample: async () => cpuPerGigabit(await path(name)) })),
    requirements: [],
    unavailable,
  },
  {
    name: `tunnel: processor time of sender and tunnel ends per 160-octet packet, ${PACKETS_PER_SECOND} packets/s`,
    unit: 'CPU us/packet',
    rounds: 3,
    variants: names.map((name): Variant => ({ name, sample: async () => cpuPerPacket(await path(name)) })),
    requirements: [],
    unavailable,
    tearDown: async () => {
      for (const opened of paths.values()) {
        const { topology, ends } = await opened;
        for (const end of ends) end.kill('SIGKILL');
        await topology.close();
      }
    },
  },
];

function unavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root (or: unshare -Urn)';
  return hasProgram('iperf3') ? undefined : 'iperf3 is not installed';
}

function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

function path(name: string): Promise<Path> {
  const known = paths.get(name);
  if (known !== undefined) return known;
  const opened = openings[name]!();
  paths.set(name, opened);
  return opened;
}

async function throughput(opened: Path, isUp: boolean): Promise<number> {
  const { topology, address } = opened;
  const server = topology.spawn('mn', 'iperf3', ['-s', '-1', '--forceflush', '-B', address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(server.stdout!, 'data');
  const direction = isUp ? ['-R'] : [];
  const client = topology.spawn('cn', 'iperf3', ['-c', address, '-t', String(SECONDS), '-J', ...direction]);
  const ended = once(server, 'close');
  let json = '';
  client.stdout?.on('data', (part) => {
    json += part;
  });
  await once(client, 'close');
  await ended;
  return JSON.parse(json).end.sum_received.bits_per_second / 1e9;
}

async function cpuPerGigabit(opened: Path): Promise<number> {
  const before = cpuSecondsOf(opened.ends);
  const gigabits = (await throughput(opened, false)) * SECONDS;
  return ((cpuSecondsOf(opened.ends) - before) * 1000) / gigabits;
}

async function cpuPerPacket({ topology, address, ends }: Path): Promise<number> {
  const sink = new PacketSink(topology.namespaceOf('mn'), 6000);
  const before = cpuSecondsOf(ends);
  const flow = await PacketFlow.start({
    namespaceFd: topology.namespaceOf('cn').fd,
    local: { address: correspondent, port: 6001 },
    remote: { address, port: 6000 },
    packetsPerSecond: PACKETS_PER_SECOND,
    length: 160,
  });
  await sleep(1000 * SECONDS);
  const { sent, cpuSeconds } = await flow.stop();
  const used = cpuSeconds + cpuSecondsOf(ends) - before;
  await sleep(100);
  const arrived = sink.drain().length;
  sink.close();
  if (arrived < sent * 0.9) console.log(`  (only ${arrived} of ${sent} packets arrived at ${address})`);
  return (used * 1e6) / sent;
}

/** User and system time of the processes (proc(5), clock ticks of 10 ms). */
function cpuSecondsOf(processes: readonly ChildProcess[]): number {
  let ticks = 0;
  for (const { pid } of processes) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}

async function openMobileIpTunnel(): Promise<Path> {
  const topology = openTunnelTopology();
  const program = new URL('./tunnel-end.js', import.meta.url).pathname;
  const ends = ['ha', 'mn'].map((end) =>
    topology.spawn(end, process.execPath, [program, end], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  for (const end of ends) await once(end.stdout!, 'data');
  return settled({ topology, address: homeAddress, ends });
}

const inside = { ha: '10.8.0.1', mn: '10.8.0.2' } as const;

async function openOpenVpn(): Promise<Path> {
  const topology = openTunnelTopology();
  const end = (node: 'ha' | 'mn', local: string, remote: string): ChildProcess => {
    const [own, other] = node === 'ha' ? [inside.ha, inside.mn] : [inside.mn, inside.ha];
    const link = [
      '--dev',
      'vpn0',
      '--dev-type',
      'tun',
      '--ifconfig',
      own,
      other,
      '--tun-mtu',
      '1468',
      '--mssfix',
      '0',
    ];
    const peers = ['--proto', 'udp', '--local', local, '--remote', remote, '--port', '1194', '--disable-dco'];
    const plain = ['--cipher', 'none', '--auth', 'none', '--sndbuf', '4000000', '--rcvbuf', '4000000'];
    return topology.spawn(node, 'openvpn', [...link, ...peers, ...plain], { stdio: 'ignore' });
  };
  const ends = [
    end('ha', homeAgent.address, careOf.umts.address),
    end('mn', careOf.umts.address, homeAgent.address),
  ];
  return routed({ topology, address: inside.mn, ends });
}

async function openWireGuard(): Promise<Path> {
  const topology = openTunnelTopology();
  const keys = { ha: newKeys(), mn: newKeys() };
  const ends: ChildProcess[] = [];
  for (const node of ['ha', 'mn'] as const) {
    const device = `vpn${node}${process.pid}`;
    const environment = { ...process.env, WG_PROCESS_FOREGROUND: '1' };
    ends.push(topology.spawn(node, 'wireguard-go', [device], { stdio: 'ignore', env: environment }));
    await sleep(500);
    const [other, address] =
      node === 'ha' ? (['mn', careOf.umts.address] as const) : (['ha', homeAgent.address] as const);
    const configuration = [
      'set=1',
      `private_key=${keys[node].secret}`,
      'listen_port=51820',
      `public_key=${keys[other].shared}`,
      `endpoint=${address}:51820`,
      'allowed_ip=0.0.0.0/0',
    ];
    const socket = connect(`/var/run/wireguard/${device}.sock`);
    socket.end(`${configuration.join('\n')}\n\n`);
    await once(socket.resume(), 'close');
    topology.configure(node, (rtnetlink) => {
      rtnetlink.changeLink(device, { up: true, mtu: 1420 });
      rtnetlink.addAddress(device, `${inside[node]}/30`);
    });
  }
  return routed({ topology, address: inside.mn, ends });
}

/** The mobile node answers through the tunnel. */
async function routed(opened: Path): Promise<Path> {
  await sleep(1000);
  opened.topology.configure('mn', (rtnetlink) => {
    rtnetlink.replaceRoute({ destination: `${correspondent}/32`, gateway: inside.ha });
  });
  return settled(opened);
}

async function settled(opened: Path): Promise<Path> {
  await sleep(500);
  return opened;
}

/** X25519, in hexadecimal. */
function newKeys(): { readonly secret: string; readonly shared: string } {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const last32 = (octets: Buffer): string => octets.subarray(-32).toString('hex');
  return {
    secret: last32(privateKey.export({ type: 'pkcs8', format: 'der' })),
    shared: last32(publicKey.export({ type: 'spki', format: 'der' })),
  };
}
