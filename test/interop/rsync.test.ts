/**
 * TCP that nobody here wrote, moved by Mobile IP (MIP–SIP §3): Debian's rsync fetches 100 MB and a terminal session goes on through fifty soft
 * handovers among four accesses. The control run changes rate and delay of one link in place at the same pace and hands nothing over.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KernelNetwork } from '../../src/testbed/kernel-network.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import type { OutputLine } from '../../src/testbed/lab-program.ts';
import { labTopology } from '../../src/testbed/lab-topology.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import { MediaProgram } from '../../src/testbed/media/media-program.ts';
import type { InteractiveReport } from '../../src/testbed/media/media-protocol.ts';
import type { ScenarioAccess } from '../../src/testbed/scenario.ts';
import { skipReason } from '../linux/own-namespace.ts';
import { pause } from './interop-lab.ts';

const fileOctets = 100_000_000;
const moves = 50;
const pauseMs = 900;
const terminalPort = 2222;
const rsync = '/usr/bin/rsync';
const missing = existsSync(rsync) ? undefined : `${rsync} is missing: apt-get install rsync`;
const skip = skipReason ?? missing ?? false;

test(`rsync: ${fileOctets / 1e6} MB and a terminal session through ${moves} soft handovers among four accesses stall no longer than on one link that changes`, {
  skip,
  timeout: 280_000,
}, async (context) => {
  // At once, so that what else the machine does meets both.
  const [control, moved] = await Promise.all([
    transfer(context, 'control', controlAccesses()),
    transfer(context, 'moved', fastAccesses()),
  ]);
  for (const run of [moved, control]) {
    assert.equal(run.status, 0);
    assert.equal(run.checksumReceived, run.checksumSent);
    assert.equal(run.terminal.echoed, run.terminal.keys);
    assert.ok(run.terminal.keys > 200);
    assert.ok(['open', 'finished'].includes(run.terminal.ending));
  }
  assert.deepEqual(
    moved.handovers.map(({ kind }) => kind),
    Array(moves).fill('soft'),
  );
  assert.deepEqual(control.handovers, []);
  // One retransmission timeout, which either run may meet: the slowest access with its queue full (500 ms), and Linux's least (RFC 6298 §2.3).
  const oneTimeoutMs = 130 + 500 + 200;
  assert.ok(moved.stallMs <= control.stallMs + oneTimeoutMs, `${moved.stallMs}, ${control.stallMs} ms`);
  const echoes = [moved, control].map(({ terminal }) => terminal.roundTripMs.most);
  assert.ok(echoes[0]! <= echoes[1]! + oneTimeoutMs, `echo ${echoes[0]}, ${echoes[1]} ms`);
});

/** The four accesses of the paper, with rates of today's networks so that the file arrives in a minute. */
function fastAccesses(): readonly ScenarioAccess[] {
  const megabits: Readonly<Record<string, number>> = { umts: 21, wlan: 25, wimax: 20, cdma: 6 };
  return loadScenario('mip-nat').accesses.map((access) => {
    const rateBitsPerSecond = (megabits[access.name] ?? 1) * 1e6;
    const { uplink, downlink } = access.profile;
    const profile = {
      ...access.profile,
      uplink: { ...uplink, rateBitsPerSecond },
      downlink: { ...downlink, rateBitsPerSecond, queueLimitOctets: rateBitsPerSecond / 16 },
    };
    return { ...access, profile, nat: false, strictSource: false };
  });
}

/** One link that takes the others' places in turn. */
function controlAccesses(): readonly ScenarioAccess[] {
  return fastAccesses().slice(0, 1);
}

interface Transferred {
  readonly status: number | null;
  readonly checksumSent: string;
  readonly checksumReceived: string;
  /** The longest time in which the file did not grow. */
  readonly stallMs: number;
  readonly terminal: InteractiveReport;
  readonly handovers: readonly OutputLine[];
}

async function transfer(
  context: TestContext,
  name: string,
  accesses: readonly ScenarioAccess[],
): Promise<Transferred> {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-rsync-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const lab = new MobileIpLab(accesses, folder);
  await lab.start();
  const server = startDaemon(lab, folder);
  const terminal = await startTerminal(lab);
  await pause(500);
  const file = join(folder, 'received');
  const startedAt = performance.now();
  const source = `rsync://${labAddresses.correspondentNode}/files/sent`;
  const client = lab.topology.spawn('mn', rsync, ['--inplace', '--whole-file', source, file], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const watch = new GrowthWatch(file);
  const ended = once(client, 'close');
  await (accesses.length === 1 ? changeLink(lab) : lab.handOver());
  const [status] = await ended;
  watch.stop();
  const seconds = (performance.now() - startedAt) / 1000;
  for (const program of terminal) program.stopSending();
  await pause(1500);
  const [typist] = await Promise.all(terminal.map((program) => program.finish()));
  server.kill();
  const handovers = lab.handovers;
  await lab.close();
  const result = {
    status: status as number | null,
    checksumSent: checksumOf(join(folder, 'files', 'sent')),
    checksumReceived: checksumOf(file),
    stallMs: watch.longestMs,
    terminal: typist ?? assert.fail(),
    handovers,
  };
  const { keys, roundTripMs } = result.terminal;
  context.diagnostic(
    `${name}: ${seconds.toFixed(1)} s, longest stall ${watch.longestMs.toFixed(0)} ms, ${keys} keys, echo median ${roundTripMs.median.toFixed(0)} ms, most ${roundTripMs.most.toFixed(0)} ms`,
  );
  rmSync(folder, { recursive: true });
  return result;
}

class MobileIpLab {
  readonly topology: KernelTopology;
  readonly #network: KernelNetwork;
  readonly #events: OutputLine[] = [];
  readonly #names: readonly string[];

  constructor(accesses: readonly ScenarioAccess[], folder: string) {
    this.#names = accesses.map(({ name }) => name);
    this.topology = new KernelTopology(labTopology(accesses, 'mip-sip'), { seed: 1 });
    const scenario = loadScenario('mip-nat');
    this.#network = new KernelNetwork({
      topology: this.topology,
      ims: { ...scenario, accesses, policy: { kind: 'preference', order: this.#names } },
      folder,
      onMessage: () => {},
      onMobileEvent: (event) => this.#events.push(event),
    });
  }

  get handovers(): readonly OutputLine[] {
    return this.#events.filter(({ event, kind }) => event === 'handover-completed' && kind !== 'first');
  }

  async start(): Promise<void> {
    await this.#network.start();
    await this.#network.untilBound(this.#names.length);
    await pause(1000);
  }

  /** From one access to the next, beginning with the second. */
  async handOver(): Promise<void> {
    for (let count = 1; count <= moves; count++) {
      const to = this.#names[count % this.#names.length]!;
      await this.#network.requestHandover(to);
      while (this.handovers.length < count) await pause(10);
      await pause(pauseMs);
    }
  }

  async close(): Promise<void> {
    await this.#network.stop();
    await this.topology.close();
  }
}

async function changeLink(lab: MobileIpLab): Promise<void> {
  const profiles = fastAccesses().map(({ profile }) => profile);
  const [own] = controlAccesses();
  for (let count = 1; count <= moves; count++) {
    lab.topology.link(own?.name ?? '').change(profiles[count % profiles.length]!);
    await pause(pauseMs + 100);
  }
}

function startDaemon(lab: MobileIpLab, folder: string): ChildProcess {
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'files', 'sent'), randomBytes(fileOctets));
  const configuration = join(folder, 'rsyncd.conf');
  const lines = [
    'use chroot = no',
    'uid = 0',
    'gid = 0',
    '[files]',
    `path = ${join(folder, 'files')}`,
    'read only = yes',
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  // With a socket as standard input, as Node's pipes are, it would take itself for a child of inetd.
  return lab.topology.spawn('cn', rsync, ['--daemon', '--no-detach', `--config=${configuration}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** The typist at the mobile node first; it binds nothing, so it gets the home address. */
async function startTerminal(lab: MobileIpLab): Promise<MediaProgram<'interactive'>[]> {
  const remote = { address: labAddresses.correspondentNode, port: terminalPort };
  const start = (
    node: 'mn' | 'cn',
    opening: Parameters<typeof MediaProgram.start<'interactive'>>[2]['opening'],
  ) =>
    MediaProgram.start((...rest) => lab.topology.spawn(node, ...rest), 'interactive', {
      opening,
      role: node === 'mn' ? 'typist' : 'echo',
      seed: 1,
    });
  const echo = await start('cn', { kind: 'listen', local: remote });
  return [await start('mn', { kind: 'connect', remote }), echo];
}

/** Looks at a file that grows, every 20 ms, from its first octets to its last. */
class GrowthWatch {
  longestMs = 0;
  readonly #timer: NodeJS.Timeout;
  #octets = 0;
  #grewAt = 0;

  constructor(file: string) {
    this.#timer = setInterval(() => this.#look(file), 20);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(file: string): void {
    const octets = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (octets === this.#octets || this.#octets === fileOctets) return;
    const now = performance.now();
    if (this.#octets > 0) this.longestMs = Math.max(this.longestMs, now - this.#grewAt);
    this.#octets = octets;
    this.#grewAt = now;
  }
}

function checksumOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
