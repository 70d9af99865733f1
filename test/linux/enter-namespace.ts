/**
 * Runs the present program again inside `unshare` (of util-linux), with network and process namespaces of its own, as root of a user
 * namespace where we are not root already. Everything it makes in the kernel ends with it, as do the programs that it started.
 */
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

const MARK = 'TRIMARAN_TEST_NAMESPACE';

/** Returns inside the namespaces only; or, where the machine forbids them, with the reason. */
export function enterOwnNamespace(): string | undefined {
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
      timeout: 600_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, [MARK]: own },
    },
  );
  process.exit(run.status ?? 1);
}
