/**
 * An unmodified measuring program (iperf3 of Debian) in a TRIM session: its control and its data connection stay while the mobile node moves
 * between WLAN and 3G, whichever side opens them, and every byte that was sent arrives.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { correspondentIdentity } from '../../src/testbed/lab-users.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { type CapturedFrame, flowsOf } from './captured-frames.ts';
import { InteropLab, pause } from './interop-lab.ts';

const port = 5201;
const udpPort = 40_000;
const seconds = 7;
const handovers = 6;
const needs = { packages: { iperf3: '/usr/bin/iperf3' } } as const;
const trimaran = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** What `iperf3 --json` tells, of all that it tells. */
interface Report {
  readonly start: {
    readonly connected: readonly { readonly remote_host: string; readonly remote_port: number }[];
  };
  readonly end: {
    readonly sum_sent: { readonly bytes: number };
    readonly sum_received: { readonly bytes: number };
    /** Of UDP. */
    readonly sum?: { readonly packets: number; readonly lost_packets: number };
  };
  readonly error?: string;
}

for (const [direction, options] of [
  ['to the correspondent', []],
  ['to the mobile node', ['--reverse']],
] as const)
  kernelTest(
    `iperf3: on the mobile node, through "trimaran run", sends ${direction} through ${handovers} handovers`,
    async () => {
      const lab = await InteropLab.start({
        correspondentMedia: [{ media: 'application', transport: 'tcp', port, setup: 'passive' }],
      });
      const server = startServer(lab, 'cn', labAddresses.correspondentNode);
      const capture = await lab.capture('cn', ['eth0']);
      const client = lab.topology.spawn('mn', process.execPath, [
        ...[trimaran, 'run', '--to', correspondentIdentity, 'tcp:connect', '--'],
        ...['iperf3', '-c', '{address}', '-p', '{port}', '--json', ...limits, ...options],
      ]);
      await moveDuring(lab, client, server);
      assertOneRemote(await capture());
      await lab.close();
    },
    needs,
  );

kernelTest(
  `iperf3: a server on the mobile node serves a client at the correspondent through ${handovers} handovers`,
  async () => {
    const lab = await InteropLab.start({
      correspondentMedia: [{ media: 'application', transport: 'tcp', port: 9, setup: 'active' }],
    });
    const server = lab.topology.spawn('mn', process.execPath, [
      ...[trimaran, 'run', '--to', correspondentIdentity, `tcp:listen:${port}`, '--'],
      ...['iperf3', '-s', '-1', '-p', String(port), '--json'],
    ]);
    while (lab.network.correspondentCalls().length === 0) await pause(20);
    const medium = lab.network.correspondentCalls()[0]?.[0];
    await pause(300);
    const capture = await lab.capture('cn', ['eth0']);
    const client = lab.topology.spawn('cn', 'iperf3', [
      ...['-c', medium?.address ?? '', '-p', String(medium?.port), '--json', ...limits],
    ]);
    await moveDuring(lab, client, server);
    assertOneRemote(await capture());
    await lab.close();
  },
  needs,
);

kernelTest(
  `iperf3: UDP beside its control connection, through ${handovers} handovers, without a loss`,
  async () => {
    const lab = await InteropLab.start({
      correspondentMedia: [
        { media: 'application', transport: 'tcp', port, setup: 'passive' },
        { media: 'application', transport: 'udp', port },
      ],
    });
    const server = startServer(lab, 'cn', labAddresses.correspondentNode);
    // iperf3 uses one port number for both protocols; the first session of a translator gets the same for both.
    const client = lab.topology.spawn('mn', process.execPath, [
      ...[trimaran, 'run', '--to', correspondentIdentity, 'tcp:connect', `udp:${udpPort}`, '--'],
      ...['iperf3', '-c', '{address}', '-p', '{port.2}', '--udp', '--cport', String(udpPort), '--json'],
      ...limits,
    ]);
    const { end } = await moveDuring(lab, client, server);
    assert.ok((end.sum?.packets ?? 0) > 1000);
    assert.equal(end.sum?.lost_packets, 0);
    await lab.close();
  },
  needs,
);

/** Well below what 3G carries: what is measured is whether it lives, not how fast it is. */
const limits = ['-t', String(seconds), '--bitrate', '2M'] as const;

function startServer(lab: InteropLab, node: 'mn' | 'cn', address: string): ChildProcess {
  return lab.topology.spawn(node, 'iperf3', ['-s', '-1', '-B', address, '-p', String(port), '--json']);
}

/** Six handovers while it runs; then both ends must have ended in order. The report is the client's. */
async function moveDuring(lab: InteropLab, client: ChildProcess, server: ChildProcess): Promise<Report> {
  const reports = Promise.all([reportOf(client), reportOf(server)]);
  await lab.untilMobileEvent(({ event }) => event === 'session-established');
  await pause(1000);
  await lab.handOver(handovers, 500);
  assert.equal(client.exitCode, null, 'the handovers happen while it runs');
  const [ofClient, ofServer] = await reports;
  assert.deepEqual([ofClient.error, ofServer.error], [undefined, undefined]);
  const { sum_sent: sent, sum_received: received } = ofClient.end;
  assert.ok(sent.bytes > 1_500_000, `${sent.bytes} bytes`);
  assert.ok(received.bytes > 0.95 * sent.bytes && received.bytes <= sent.bytes);
  return ofClient;
}

async function reportOf(child: ChildProcess): Promise<Report> {
  let [output, lastWords] = ['', ''];
  child.stdout?.on('data', (octets) => {
    output += String(octets);
  });
  child.stderr?.on('data', (octets) => {
    lastWords += String(octets);
  });
  const [status] = await once(child, 'close');
  assert.equal(status, 0, `${lastWords}${output}`);
  return JSON.parse(output) as Report;
}

/** Control and data: two connections from first to last, to or from one address and port. */
function assertOneRemote(frames: readonly CapturedFrame[]): void {
  const connections = flowsOf(frames, 'tcp').filter(({ source, destination }) =>
    [source, destination].every((end) => !end.startsWith(`${labAddresses.proxyCscf}:`)),
  );
  const ends = connections.flatMap(({ source, destination }) => [source, destination]);
  const remotes = [...new Set(ends)].filter((end) => !end.startsWith(`${labAddresses.correspondentNode}:`));
  assert.equal(new Set(remotes.map((end) => end.split(':')[0])).size, 1, remotes.join());
  // Each connection seen in both directions.
  assert.equal(connections.length, 4, JSON.stringify(connections));
}
