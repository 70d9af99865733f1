import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AccessProfile, accessProfiles } from '../../src/access-network/access-profiles.ts';
import { perfectLink } from '../../src/access-network/link-characteristics.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { MediaProgram, type Spawn } from '../../src/testbed/media/media-program.ts';
import { kernelTest } from './own-namespace.ts';

const terminal = '10.1.0.2';
const server = '10.1.0.1';

kernelTest(
  'RtpProgram: voice and video cross a changing link in both directions, counted to the packet',
  async () => {
    const { topology, onTerminal, onServer } = lab(accessProfiles.hspa);
    const call = async (stream: 'voice' | 'video', port: number) => {
      const near = { address: terminal, port };
      const far = { address: server, port };
      return [
        await MediaProgram.start(onTerminal, 'rtp', { local: near, remote: far, stream, seed: 1 }),
        await MediaProgram.start(onServer, 'rtp', { local: far, remote: near, stream, seed: 2 }),
      ] as const;
    };
    const programs = [...(await call('voice', 40_000)), ...(await call('video', 40_002))];
    for (const program of programs) program.startSending();
    await pause(250);
    topology.link('radio').change(accessProfiles.wlan);
    await pause(250);
    for (const program of programs) program.stopSending();
    await until(() =>
      programs.every((program, index) => receivedBy(program) === sentBy(programs[index ^ 1])),
    );
    const reports = await Promise.all(programs.map((program) => program.finish()));

    reports.forEach((report, index) => {
      const other = reports[index ^ 1];
      const [stream] = report.received;
      assert.equal(report.received.length, 1);
      assert.deepEqual([stream?.lost, stream?.duplicated, stream?.reordered], [0, 0, 0]);
      assert.ok(stream !== undefined && stream.unique > 0);
      assert.equal(stream.unique, other?.sent);
      assert.ok(stream.delayMs.least >= 0.5 && stream.delayMs.most >= 27);
      assert.deepEqual(report.remotes, [
        `${index % 2 === 0 ? server : terminal}:${index < 2 ? 40_000 : 40_002}`,
      ]);
      assert.equal(sum(report.series.packets), stream.received);
    });
    await topology.close();
  },
);

kernelTest('RtpProgram: packets that the link loses are reported as lost', async () => {
  const lossy = { ...perfectLink, loss: { kind: 'independent', probability: 0.2 } } as const;
  const { topology, onTerminal, onServer } = lab({ ...accessProfiles.wire, uplink: lossy });
  const settings = { local: { address: server, port: 40_000 }, remote: { address: terminal, port: 40_000 } };
  const receiver = await MediaProgram.start(onServer, 'rtp', { ...settings, stream: 'voice', seed: 2 });
  const sender = await MediaProgram.start(onTerminal, 'rtp', {
    local: settings.remote,
    remote: settings.local,
    stream: 'video',
    seed: 1,
  });
  sender.startSending();
  await pause(500);
  sender.stopSending();
  const dropped = (): number => topology.link('radio').counters().uplink.lost;
  await until(() => receivedBy(receiver) + dropped() === sentBy(sender));
  const [sent, received] = [await sender.finish(), await receiver.finish()];
  assert.ok(dropped() > 0);
  assert.equal(received.received[0]?.unique, sent.sent - dropped());
  await topology.close();
});

kernelTest('BulkProgram: checksums agree over a link that changes, limited and unlimited', async () => {
  const { topology, ...nodes } = lab(accessProfiles.hspa);
  for (const rateBitsPerSecond of [500_000, undefined]) {
    const transfer = await startTransfer(nodes, rateBitsPerSecond);
    await pause(150);
    topology.link('radio').change(accessProfiles.wlan);
    await pause(150);
    const { sent, received } = await endTransfer(transfer);
    assert.ok(received.octets > 10_000);
    assert.deepEqual([received.octets, received.checksum], [sent.octets, sent.checksum]);
    assert.deepEqual([sent.ending, received.ending], ['finished', 'finished']);
    assert.equal(sum(received.series.octets), received.octets);
    assert.deepEqual([sent.remote, sent.local], [received.local, received.remote]);
    assert.equal(sent.retransmissionTimeouts, 0);
  }
  await topology.close();
});

kernelTest(
  'BulkProgram: half a second without link shows as a stall and a retransmission timeout',
  async () => {
    const { topology, ...nodes } = lab(accessProfiles.wlan);
    const transfer = await startTransfer(nodes, 500_000);
    await pause(200);
    topology.link('radio').setUp(false);
    await pause(500);
    topology.link('radio').setUp(true);
    await pause(600);
    const { sent, received } = await endTransfer(transfer);
    assert.equal(received.checksum, sent.checksum);
    assert.ok(received.longestStallMs >= 500 && sent.longestStallMs >= 400);
    assert.ok(sent.retransmissionTimeouts >= 1 && sent.retransmittedSegments >= 1);
    await topology.close();
  },
);

kernelTest('AccessLink: without a rate, TCP passes in offloaded pieces and arrives intact', async () => {
  const { topology, ...nodes } = lab({ ...accessProfiles.wire, uplink: perfectLink, downlink: perfectLink });
  const transfer = await startTransfer(nodes);
  await pause(200);
  const { sent, received } = await endTransfer(transfer);
  assert.equal(received.checksum, sent.checksum);
  const { delivered, deliveredOctets } = topology.link('radio').counters().downlink;
  assert.ok(deliveredOctets / delivered > 3000, `${deliveredOctets / delivered} octets a packet`);
  await topology.close();
});

kernelTest('InteractiveProgram: every key comes back, no sooner than the link allows', async () => {
  const delayed = { ...perfectLink, delayMs: 15 };
  const { topology, onTerminal, onServer } = lab({
    ...accessProfiles.wire,
    uplink: delayed,
    downlink: delayed,
  });
  const echo = await MediaProgram.start(onServer, 'interactive', {
    opening: { kind: 'listen', local: { address: server, port: 2222 } },
    role: 'echo',
    seed: 1,
  });
  const typist = await MediaProgram.start(onTerminal, 'interactive', {
    opening: { kind: 'connect', remote: { address: server, port: 2222 } },
    role: 'typist',
    seed: 2,
  });
  await pause(700);
  typist.stopSending();
  await until(() => typist.progress !== undefined && typist.progress.echoed === typist.progress.keys);
  const report = await typist.finish();
  assert.ok(report.keys >= 3);
  assert.equal(report.echoed, report.keys);
  assert.ok(report.roundTripMs.median >= 30);
  assert.equal(report.remote, `${server}:2222`);
  await echo.finish();
  await topology.close();
});

kernelTest(
  'CaptureProgram: names each flow once with its packets, and writes what Wireshark reads',
  async () => {
    const { topology, onTerminal, onServer } = lab(accessProfiles.wlan);
    const file = join(tmpdir(), `trimaran-${process.pid}.pcapng`);
    const capture = await MediaProgram.start(onServer, 'capture', { interfaces: ['radio'], file });
    const ends = [
      { address: server, port: 40_000 },
      { address: terminal, port: 40_010 },
    ] as const;
    const near = await MediaProgram.start(onServer, 'rtp', {
      local: ends[0],
      remote: ends[1],
      stream: 'voice',
      seed: 1,
    });
    const far = await MediaProgram.start(onTerminal, 'rtp', {
      local: ends[1],
      remote: ends[0],
      stream: 'voice',
      seed: 2,
    });
    for (const program of [near, far]) program.startSending();
    await pause(300);
    for (const program of [near, far]) program.stopSending();
    await until(
      () => sum(capture.progress?.flows.map(({ packets }) => packets) ?? []) === sentBy(near) + sentBy(far),
    );
    const [sent] = [await near.finish(), await far.finish()];
    const { flows, missed } = await capture.finish();

    assert.deepEqual(
      flows.map(({ source, destination }) => `${source} > ${destination}`).sort(),
      [`${server}:40000 > ${terminal}:40010`, `${terminal}:40010 > ${server}:40000`].sort(),
    );
    const outgoing = flows.find(({ source }) => source.startsWith(server));
    assert.deepEqual(
      [outgoing?.packets, outgoing?.octets, missed],
      [sent.sent, sent.sent * (14 + 28 + 172), 0],
    );
    const octets = readFileSync(file);
    assert.equal(octets.readUInt32LE(0), 0x0a0d0d0a);
    assert.equal(countUdpFrames(octets), sum(flows.map(({ packets }) => packets)));
    rmSync(file);
    await topology.close();
  },
);

kernelTest('MediaProgram: a program that cannot start says why', async () => {
  const { topology, onTerminal } = lab(accessProfiles.wlan);
  const settings = { local: { address: '192.0.2.99', port: 1 }, remote: { address: server, port: 1 } };
  await assert.rejects(MediaProgram.start(onTerminal, 'rtp', { ...settings, stream: 'voice', seed: 1 }), {
    code: 'MEDIA_PROGRAM_FAILED',
    message: /EADDRNOTAVAIL/,
  });
  await topology.close();
});

/** In the end, by its news since it stopped; −1 before. */
function sentBy(program: MediaProgram<'rtp'> | undefined): number {
  return program?.hasStopped ? (program.progress?.sent ?? -1) : -1;
}

function receivedBy(program: MediaProgram<'rtp'>): number {
  return program.progress?.received[0]?.unique ?? 0;
}

interface Transfer {
  readonly sender: MediaProgram<'bulk'>;
  readonly receiver: MediaProgram<'bulk'>;
}

/** From the server to the terminal, opened by the server. */
async function startTransfer(
  nodes: Pick<Lab, 'onTerminal' | 'onServer'>,
  rateBitsPerSecond?: number,
): Promise<Transfer> {
  const receiver = await MediaProgram.start(nodes.onTerminal, 'bulk', {
    opening: { kind: 'listen', local: { address: terminal, port: 0 } },
    role: 'receiver',
    seed: 1,
  });
  const sender = await MediaProgram.start(nodes.onServer, 'bulk', {
    opening: { kind: 'connect', remote: receiver.local ?? assert.fail() },
    role: 'sender',
    ...(rateBitsPerSecond !== undefined && { rateBitsPerSecond }),
    seed: 2,
  });
  return { sender, receiver };
}

async function endTransfer({ sender, receiver }: Transfer) {
  sender.stopSending();
  await until(() => receiver.progress?.ending === 'finished');
  return { sent: await sender.finish(), received: await receiver.finish() };
}

interface Lab {
  readonly topology: KernelTopology;
  readonly onTerminal: Spawn;
  readonly onServer: Spawn;
}

function lab(profile: AccessProfile): Lab {
  const topology = new KernelTopology(
    {
      nodes: [{ name: 'terminal' }, { name: 'server' }],
      links: [
        {
          name: 'radio',
          profile,
          ends: [
            { node: 'terminal', interface: 'wlan0', addresses: [`${terminal}/24`] },
            { node: 'server', interface: 'radio', addresses: [`${server}/24`] },
          ],
        },
      ],
    },
    { seed: 1 },
  );
  const on =
    (node: string): Spawn =>
    (...rest) =>
      topology.spawn(node, ...rest);
  return { topology, onTerminal: on('terminal'), onServer: on('server') };
}

/** Enhanced packet blocks of a pcapng file whose frame is UDP in IPv4. */
function countUdpFrames(octets: Buffer): number {
  let count = 0;
  for (let at = 0; at < octets.length; at += octets.readUInt32LE(at + 4))
    if (octets.readUInt32LE(at) === 6 && octets[at + 28 + 14 + 9] === 17) count++;
  return count;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Polls; the time limit of the test ends what never comes. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(20);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
