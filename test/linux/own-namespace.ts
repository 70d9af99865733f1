/**
 * Kernel tests live in network and process namespaces of their own. Importing this file runs the importing test file again inside
 * `unshare` (of util-linux), as root of a user namespace where we are not root already; what the test reports goes to the test
 * runner unchanged, and everything it makes in the kernel ends with it, as do the programs that it started. Where the machine forbids that, the tests are skipped
 * with the reason.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';

const MARK = 'TRIMARAN_TEST_NAMESPACE';

// A test that failed half-way leaves sockets and threads open; the run goes on all the same.
after(() => void setTimeout(() => process.exit(), 1000).unref());

/** Why no kernel test can run here; undefined when they can. */
export const skipReason: string | undefined = enterOwnNamespace();

/** `test`, skipped with the reason where the kernel may not be touched, or something that the test needs is missing. */
export function kernelTest(
  name: string,
  body: () => void | Promise<void>,
  needs: KernelTestNeeds = {},
): void {
  void test(name, { skip: skipReason ?? missingOf(needs) ?? false, timeout: 60_000 }, body);
}

export interface KernelTestNeeds {
  /** Debian packages, with a program of each. */
  readonly packages?: Readonly<Record<string, string>>;
  /** Other users too, as only root has: a user namespace has one. */
  readonly manyUsers?: boolean;
}

function missingOf({ packages = {}, manyUsers }: KernelTestNeeds): string | undefined {
  for (const [name, program] of Object.entries(packages))
    if (!existsSync(program)) return `${program} is missing: apt-get install ${name}`;
  const [, , users] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return manyUsers && users === '1' ? 'it needs root, not a user namespace' : undefined;
}

function enterOwnNamespace(): string | undefined {
  const own = readlinkSync('/proc/self/ns/net');
  const parent = process.env[MARK];
  if (parent !== undefined && parent !== own) return undefined;
  const options = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  if (process.getuid?.() !== 0) options.push('--user', '--map-root-user');
  const trial = spawnSync('unshare', [...options, 'true'], { encoding: 'utf8' });
  if (trial.status !== 0) return `no network namespace: ${trial.error?.message ?? trial.stderr.trim()}`;
  const run = spawnSync(
    'unshare',
    [...options, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    {
      stdio: 'inherit',
      // A system call that never returns keeps the runner from ending the test: then the file ends as a whole.
      timeout: 300_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, [MARK]: own },
    },
  );
  process.exit(run.status ?? 1);
}
