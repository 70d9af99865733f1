/** `trimaran doctor`: what this machine can do, and the one command that unlocks more. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NftablesTranslator } from '../../drivers/linux/nftables-translator.ts';
import { tunObstacle } from '../../drivers/linux/tun-device.ts';
import { isKamailioInstalled, kamailioPackages } from '../../testbed/kamailio/kamailio-cscf.ts';
import { detectLabTier, type LabTierReport, unshareCommand } from '../../testbed/lab-tier.ts';
import { type Command, jsonOption, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';
import { doctorIms, doctorImsDescription } from './doctor-ims.ts';

interface Finding {
  readonly name: string;
  readonly isPresent: boolean;
  readonly meaning: string;
  /** What would mend it; empty when nothing needs to be done. */
  readonly remedy: string;
}

const tierMeanings: Readonly<Record<LabTierReport['tier'], string>> = {
  root: 'everything runs on the real kernel, on the own interfaces of this machine too',
  'user-namespace': 'the lab runs on the real kernel, inside a user namespace',
  virtual: 'the lab runs in virtual time',
};

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'say what this machine can do, and what would unlock more',
  synopsis: '[ims -c FILE] [--json]',
  description: [
    'Tries, rather than guesses: whether network namespaces can be made, as root or inside a user namespace, whether the kernel takes the translation rules, whether there is a TUN device, and whether the programs are installed that the lab can use beside its own.',
    'Nothing is changed: what is tried is tried in namespaces that end with it.',
    ...doctorImsDescription,
  ],
  operands: { minimum: 0, maximum: 1 },
  options: [
    { name: 'config', short: 'c', value: 'FILE', description: 'With ims: its configuration file, YAML.' },
    jsonOption,
    {
      name: 'inside',
      description:
        'Try the kernel functions in the present namespaces; doctor runs itself so, inside new ones.',
    },
  ],
  examples: [
    ['trimaran doctor', 'A table, and the next thing to do.'],
    ['trimaran doctor ims -c doctor-ims.yaml', 'Why the core does not call the application server.'],
  ],
  run: async ({ options, operands }) => {
    const [subject] = operands;
    if (subject === 'ims') return doctorIms(doctorCommand, options);
    if (subject !== undefined)
      throw usageError(doctorCommand, `there is no "${subject}" to look at, only ims`);
    if (options['inside'] === true) {
      NftablesTranslator.open({ placement: 'home', addresses: ['192.0.2.1'], instance: 'doctor' }).close();
      return exitCode.ok;
    }
    const tier = detectLabTier();
    const findings = [
      nodeFinding(),
      kernelFinding(tier),
      tunFinding(),
      ...programFindings(),
      kamailioFinding(),
    ];
    const next = tier.remedy || findings.find(({ isPresent }) => !isPresent)?.remedy || '';
    process.stdout.write(
      options['json'] === true
        ? `${JSON.stringify({ tier: tier.tier, reason: tier.reason, findings, next })}\n`
        : formatFindings(tier, findings, next),
    );
    return exitCode.ok;
  },
};

function formatFindings(tier: LabTierReport, findings: readonly Finding[], next: string): string {
  const lines = findings.map(
    ({ name, isPresent, meaning }) => `  ${isPresent ? 'yes' : 'no '}  ${name.padEnd(18)} ${meaning}`,
  );
  const last = next === '' ? 'Nothing is missing.' : `Next: ${next}`;
  return `Tier: ${tier.tier} (${tier.reason}): ${tierMeanings[tier.tier]}.\n${lines.join('\n')}\n${last}\n`;
}

function nodeFinding(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isPresent = major > 20 || (major === 20 && minor >= 19);
  const remedy = isPresent ? '' : 'Install Node 20.19 or newer.';
  return { name: 'node >= 20.19', isPresent, meaning: `this is ${process.versions.node}`, remedy };
}

function kernelFinding(tier: LabTierReport): Finding {
  const meaning = 'translation by nftables maps in the kernel';
  if (tier.tier === 'virtual') return { name: 'nftables (kernel)', isPresent: false, meaning, remedy: '' };
  const [program, ...options] = unshareCommand(tier.tier);
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const trial = spawnSync(program, [...options, process.execPath, main, 'doctor', '--inside'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  const isPresent = trial.status === 0;
  const reason = isPresent ? meaning : (trial.stderr.split('\n')[0] ?? '');
  return {
    name: 'nftables (kernel)',
    isPresent,
    meaning: reason,
    remedy: isPresent ? '' : 'Load the kernel module nf_tables: sudo modprobe nf_tables',
  };
}

function tunFinding(): Finding {
  const { reason: meaning, remedy } = tunObstacle() ?? {
    reason: 'tunnels of Mobile IP, sessions between IPv4 and IPv6',
    remedy: '',
  };
  return { name: '/dev/net/tun', isPresent: remedy === '', meaning, remedy };
}

/** Debian packages that unlock more of the lab. */
const programs = [
  {
    program: 'nft',
    debianPackage: 'nftables',
    meaning: 'shows the rules (nft list ruleset); not needed to run',
  },
  {
    program: 'iperf3',
    debianPackage: 'iperf3',
    meaning: 'TCP flows of a program that knows nothing of mobility',
  },
  { program: 'baresip', debianPackage: 'baresip-core', meaning: 'calls between unmodified softphones' },
  { program: 'unshare', debianPackage: 'util-linux', meaning: 'namespaces for the lab' },
];

function programFindings(): Finding[] {
  return programs.map(({ program, debianPackage, meaning }) => {
    const isPresent = isInstalled(program);
    const remedy = isPresent ? '' : `sudo apt-get install ${debianPackage}`;
    return { name: program, isPresent, meaning, remedy };
  });
}

function kamailioFinding(): Finding {
  const isPresent = isKamailioInstalled();
  const remedy = isPresent ? '' : `sudo apt-get install ${kamailioPackages}`;
  return { name: 'kamailio (IMS)', isPresent, meaning: 'CSCFs in place of ours in the lab', remedy };
}

/** System folders too: an ordinary user's PATH often lacks them. */
function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => isAccessible(join(folder, program), constants.X_OK));
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
