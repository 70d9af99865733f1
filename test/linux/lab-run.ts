/** Runs `trimaran lab run` as a user would, for the acceptance tests: the result is the last line of its output. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { LabResult } from '../../src/testbed/lab-result.ts';
import { detectLabTier, tierFor } from '../../src/testbed/lab-tier.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import type { Scenario } from '../../src/testbed/scenario.ts';

const binary = new URL('../../src/cli/main.js', import.meta.url).pathname;
const { tier, reason } = detectLabTier();

/** Of tests that need the kernel: why they are skipped here, or false. */
export const skip: string | false = tier === 'virtual' ? reason : false;

/** The same for the MIP-SIP paper's network. */
export const skipTunnels: string | false = skipOf(loadScenario('mip-sip'));
/** The same where an access has IPv6. */
export const skipVersions: string | false = skipOf(loadScenario('trim-ipv6'));

function skipOf(scenario: Scenario): string | false {
  const possible = tierFor(scenario, { tier, reason, remedy: '' });
  return possible.tier === 'virtual' ? possible.reason : false;
}

export interface FinishedRun {
  readonly status: number | null;
  readonly result: LabResult;
  readonly output: string;
  /** The files that the run wrote, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** The longest time for which the machine let a process wait that has nothing else to do than to look at the clock. */
  readonly standstillMs: number;
}

const clockLookedAtEveryMs = 5;

/**
 * Whether the machine kept a process waiting for half as long as TCP waits at the least for an acknowledgement (Linux, TCP_RTO_MIN), which passes
 * several of them: then timeouts are its own.
 */
export function stoodStill({ standstillMs }: FinishedRun): boolean {
  return standstillMs >= 100;
}

/** `prefix` is put before the command, such as `setpriv …`; `results` is where its files stay. */
export async function runLab(
  args: readonly string[],
  prefix: readonly string[] = [],
  results?: string,
): Promise<FinishedRun> {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-acceptance-'));
  chmodSync(folder, 0o777);
  const [command = '', ...rest] = [
    ...prefix,
    process.execPath,
    binary,
    'lab',
    'run',
    ...args,
    '--json',
    '--output',
    results ?? join(folder, 'results'),
  ];
  const delays = monitorEventLoopDelay({ resolution: clockLookedAtEveryMs });
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  delays.enable();
  let output = '';
  child.stdout.on('data', (octets) => {
    output += octets;
  });
  const [status] = await once(child, 'close');
  delays.disable();
  const standstillMs = Math.max(0, delays.max / 1e6 - clockLookedAtEveryMs);
  const lastLine = output.trimEnd().split('\n').at(-1) ?? '';
  const result = JSON.parse(lastLine) as LabResult;
  const files = new Map(
    Object.values(result.files).map((path) => [
      path.slice(path.lastIndexOf('/') + 1),
      readFileSync(path, 'utf8'),
    ]),
  );
  rmSync(folder, { recursive: true });
  return { status: status as number | null, result, output, files, standstillMs };
}

/** Starts the lab and resolves when its traffic flows, with every process that belongs to it. */
export async function startLab(
  args: readonly string[],
): Promise<{ readonly outside: ChildProcess; readonly processes: readonly number[] }> {
  const outside = spawn(process.execPath, [binary, 'lab', 'run', ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface(outside.stdout);
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line === 'traffic flows') resolve();
    });
    lines.on('close', () => reject(new Error('the lab ended before its traffic began')));
  });
  const processes = descendantsOf(outside.pid ?? assert.fail());
  return { outside, processes };
}

/** Nothing of a lab that was started by that process is left: no process, no folder. Polls; the test's time limit ends what never comes. */
export async function untilNothingIsLeft(pid: number, processes: readonly number[]): Promise<void> {
  const isLeft = (): boolean =>
    processes.some((one) => existsSync(`/proc/${one}`)) ||
    readdirSync(tmpdir()).some((name) => name.startsWith(`trimaran-lab-${pid}-`));
  while (isLeft()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function descendantsOf(pid: number): number[] {
  const parents = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), parentOf(name)]),
  );
  const children = (parent: number): number[] =>
    [...parents].flatMap(([one, its]) => (its === parent ? [one, ...children(one)] : []));
  return children(pid);
}

/** Processes end while they are looked at. */
function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
