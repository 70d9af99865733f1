/**
 * What this machine lets the lab do: namespaces as root, namespaces as an ordinary user inside a user namespace, or
 * neither, which leaves virtual time. It is tried, not guessed: a container may forbid root what another machine allows anybody.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { hasIpFamily } from '../drivers/linux/sysctl.ts';
import { tunObstacle } from '../drivers/linux/tun-device.ts';
import { hasIpv6 } from './lab-addresses.ts';
import type { Scenario } from './scenario.ts';

export type LabTier = 'root' | 'user-namespace' | 'virtual';

export interface LabTierReport {
  readonly tier: LabTier;
  /** Why this one, in words for a person. */
  readonly reason: string;
  /** What would unlock a better one; empty when there is none, or nothing is known to help. */
  readonly remedy: string;
}

/** `unshare` and its arguments for a tier; the command to run inside follows. Whatever is made inside ends with that command. */
export function unshareCommand(tier: Exclude<LabTier, 'virtual'>): readonly [string, ...string[]] {
  const user = tier === 'user-namespace' ? ['--user', '--map-root-user'] : [];
  return ['unshare', ...user, '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
}

/** Takes some milliseconds: starts `true` inside. */
export function detectLabTier(): LabTierReport {
  if (process.platform !== 'linux')
    return {
      tier: 'virtual',
      reason: `network namespaces need Linux, and this is ${process.platform}`,
      remedy: '',
    };
  const isRoot = process.getuid?.() === 0;
  const rootRefusal = isRoot ? refusalOf('root') : 'not root';
  if (rootRefusal === undefined) return { tier: 'root', reason: 'running as root', remedy: '' };
  const userRefusal = refusalOf('user-namespace');
  if (userRefusal === undefined)
    return { tier: 'user-namespace', reason: `${rootRefusal}; user namespaces are allowed`, remedy: '' };
  return { tier: 'virtual', ...explain(rootRefusal, userRefusal) };
}

/** What the scenario's network needs beyond namespaces: tunnels, in the MIP-SIP paper's; the change between IPv4 and IPv6, where it has both. */
export function tierFor(
  { architecture, accesses }: Pick<Scenario, 'architecture' | 'accesses'>,
  report: LabTierReport,
): LabTierReport {
  const isOfBothVersions = hasIpv6(accesses);
  if ((architecture === 'trim' && !isOfBothVersions) || report.tier === 'virtual') return report;
  if (isOfBothVersions && !hasIpFamily(6))
    return { tier: 'virtual', reason: 'the kernel has no IPv6', remedy: 'Boot without ipv6.disable=1.' };
  const obstacle = tunObstacle();
  if (obstacle === undefined) return report;
  const need = isOfBothVersions ? 'the change between IPv4 and IPv6 needs' : 'tunnels need';
  return { tier: 'virtual', reason: `${obstacle.reason}, which ${need}`, remedy: obstacle.remedy };
}

function refusalOf(tier: 'root' | 'user-namespace'): string | undefined {
  const [program, ...options] = unshareCommand(tier);
  const trial = spawnSync(program, [...options, 'true'], { encoding: 'utf8', timeout: 10_000 });
  if (trial.status === 0) return undefined;
  const error = trial.error as NodeJS.ErrnoException | undefined;
  return error?.code === 'ENOENT'
    ? 'the program unshare is missing'
    : (error?.message ?? trial.stderr.trim());
}

/** The switches by which distributions forbid user namespaces, and what sets them right. */
const switches = [
  { name: 'kernel.unprivileged_userns_clone', forbids: '0', allow: '1' },
  { name: 'kernel.apparmor_restrict_unprivileged_userns', forbids: '1', allow: '0' },
  { name: 'user.max_user_namespaces', forbids: '0', allow: '10000' },
  { name: 'user.max_net_namespaces', forbids: '0', allow: '10000' },
] as const;

function explain(rootRefusal: string, userRefusal: string): { reason: string; remedy: string } {
  if (userRefusal.includes('missing'))
    return { reason: userRefusal, remedy: 'Install util-linux (apt-get install util-linux).' };
  const forbidding = switches.find(({ name, forbids }) => kernelParameter(name) === forbids);
  if (forbidding === undefined)
    return {
      reason: `${rootRefusal}; ${userRefusal}`,
      remedy: 'Run as root; in a container, with --cap-add=SYS_ADMIN,NET_ADMIN or --privileged.',
    };
  return {
    reason: `${rootRefusal}; ${forbidding.name} = ${forbidding.forbids} forbids user namespaces`,
    remedy: `Run as root, or: sudo sysctl -w ${forbidding.name}=${forbidding.allow}`,
  };
}

function kernelParameter(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
