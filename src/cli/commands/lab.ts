/** `trimaran lab run`: the papers' test network with everything in it, on the real kernel where this machine allows it (TRIM fig. 7 to 9). */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { assessRun, type LabMeasurements } from '../../testbed/assess-run.ts';
import { runKernelLab } from '../../testbed/kernel-lab.ts';
import type { LabProgress } from '../../testbed/lab-progress.ts';
import type { LabResult } from '../../testbed/lab-result.ts';
import { formatSummary } from '../../testbed/lab-summary.ts';
import { detectLabTier, type LabTierReport, tierFor } from '../../testbed/lab-tier.ts';
import { listScenarios, loadScenario } from '../../testbed/load-scenario.ts';
import { writeResultFiles } from '../../testbed/result-files.ts';
import { linkShapers, type Scenario } from '../../testbed/scenario.ts';
import { runInVirtualTime } from '../../testbed/virtual-runner.ts';
import { type Command, type CommandArguments, jsonOption, usageError } from '../command.ts';
import { type ExitCode, exitCode } from '../exit-code.ts';
import { newLabView } from '../lab-view.ts';

export const labCommand: Command = {
  name: 'lab',
  summary: 'run the test network of the papers and measure handovers',
  synopsis: 'run [SCENARIO] [OPTION]…',
  description: [
    'Builds a mobile node with a 3G and a WLAN access, a home network with an IMS core, a TRIM application server and an address translator, and a correspondent node; lets ordinary programs exchange RTP and TCP, moves the mobile node, and measures what was lost. The scenarios mip-… build the test bed of the MIP-SIP paper: four accesses, a home agent and a SIP server.',
    'Every part is a process of its own, in network namespaces that end with the lab: the networking of this machine is not touched. As an ordinary user it runs inside a user namespace; where neither is allowed, the same scenario runs in virtual time.',
    'SCENARIO is the name of one that comes along (default: trim), or a YAML file. The exit status is 0 only when everything went as the scenario expects.',
  ],
  options: [
    { name: 'virtual', description: 'Virtual time, even where the kernel could be used.' },
    {
      name: 'seed',
      value: 'N',
      description: 'Another seed than the scenario says. In virtual time equal seeds give equal bytes.',
    },
    {
      name: 'links',
      value: 'auto|emulator|netem',
      description:
        'Who shapes the access links on the kernel: netem where the kernel has it and can be the link (auto), always our own emulator, or always netem. The result says which it was.',
    },
    {
      name: 'output',
      value: 'DIR',
      description:
        'Where the result, the data of figures 8 and 9, the ladder and the trace go; default results/SCENARIO.',
    },
    {
      name: 'capture',
      description:
        'Write all frames at both ends as pcapng files too, and what headers cost (MIP-SIP Table 1) as table-1.csv; not in virtual time.',
    },
    { name: 'list', description: 'List the scenarios.' },
    jsonOption,
  ],
  operands: { minimum: 1, maximum: 2 },
  examples: [
    ['trimaran lab run', 'A video call, a transfer and a terminal session go 3G, WLAN, 3G.'],
    ['trimaran lab run trim-fifty --json', 'Fifty handovers; the last line is the result as JSON.'],
    ['trimaran lab run trim-ipv6', 'From an access with IPv4 to one with IPv6 alone and back.'],
    ['trimaran lab run trim-tcp --virtual --seed 7', 'TRIM fig. 9 in virtual time.'],
    [
      'trimaran lab run mip-sip',
      'Four accesses, chosen by what is measured; audio and video by SIP, TCP by Mobile IP.',
    ],
  ],
  run: async (args) => {
    if (args.operands[0] !== 'run')
      throw usageError(labCommand, `"${args.operands[0]}" is nothing that the lab can do; it can run`);
    return args.options['list'] === true ? list() : await run(args);
  },
};

function list(): ExitCode {
  for (const { name, title } of listScenarios()) process.stdout.write(`${name.padEnd(16)}${title}\n`);
  return exitCode.ok;
}

async function run({ options, operands }: CommandArguments): Promise<ExitCode> {
  const seeded = withSeed(loadScenario(operands[1] ?? 'trim'), options['seed']);
  const scenario = withLinks(seeded, options['links']);
  const report: LabTierReport =
    options['virtual'] === true
      ? { tier: 'virtual', reason: 'asked for by --virtual', remedy: '' }
      : tierFor(scenario, detectLabTier());
  const folder = typeof options['output'] === 'string' ? options['output'] : join('results', scenario.name);
  const isCaptured = options['capture'] === true && report.tier !== 'virtual';
  if (isCaptured) makeFolder(folder);
  const measured = await measure(scenario, report, isCaptured ? folder : undefined);
  const result = keep(folder, assessRun(scenario, report, measured), measured, scenario, isCaptured);
  process.stdout.write(`\n${formatSummary(result).join('\n')}\n`);
  for (const line of furtherPrograms()) process.stdout.write(`${line}\n`);
  if (options['json'] === true) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok ? exitCode.ok : exitCode.failed;
}

async function measure(
  scenario: Scenario,
  report: LabTierReport,
  captureFolder: string | undefined,
): Promise<LabMeasurements> {
  const { tier } = report;
  const view = newLabView(scenario, report);
  const tell = (progress: LabProgress): void => view.tell(progress);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return tier === 'virtual'
      ? runInVirtualTime({ scenario, tell })
      : await runKernelLab({ tier, scenario, captureFolder, tell, signal: interrupt.signal });
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    view.close();
  }
}

/** For captures, which are written while the lab runs. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new TrimaranError('NO_OUTPUT_FOLDER', `${folder} cannot be made: ${(cause as Error).message}`, {
      cause,
      remedy: 'Name a folder that you may write to with --output.',
    });
  }
}

function withSeed(scenario: Scenario, text: string | boolean | undefined): Scenario {
  if (typeof text !== 'string') return scenario;
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= 0xffff_ffff) return { ...scenario, seed };
  throw usageError(labCommand, `"${text}" is no seed: a whole number from 0 to 4294967295`);
}

function withLinks(scenario: Scenario, text: string | boolean | undefined): Scenario {
  if (typeof text !== 'string') return scenario;
  const links = linkShapers.find((shaper) => shaper === text);
  if (links !== undefined) return { ...scenario, links };
  throw usageError(labCommand, `"${text}" shapes no links: ${linkShapers.join(', ')}`);
}

/** A folder that this user may not write to costs the files, not the run. */
function keep(
  folder: string,
  result: LabResult,
  measured: LabMeasurements,
  { accesses }: Scenario,
  isCaptured: boolean,
): LabResult {
  try {
    return writeResultFiles(folder, result, measured, {
      accesses,
      isCaptured,
    });
  } catch (error) {
    const reason = error instanceof TrimaranError ? error.message : (error as Error).message;
    process.stderr.write(`trimaran: the files of the run are not kept: ${reason}\n`);
    return result;
  }
}

/** Debian packages by a program of theirs: what a person could look at the run with. */
const packages = { nftables: 'nft', iperf3: 'iperf3', 'baresip-core': 'baresip' } as const;

function furtherPrograms(): string[] {
  const missing = Object.entries(packages).filter(([, program]) => !isInstalled(program));
  if (missing.length === 0) return [];
  const names = missing.map(([name]) => name).join(' ');
  return [`With "apt-get install ${names}" foreign programs take part in the tests too.`];
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
