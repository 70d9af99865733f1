/**
 * The process inside the lab's namespaces. Its end, by whatever cause, ends everything in there: it is the first process of its
 * process namespace. It ends by itself when the one outside does, even when that was killed: the channel between them closes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type LabTier, unshareCommand } from './lab-tier.ts';

/** Runs a script of the project inside new namespaces; the script must call `endWithParent`. Standard streams are this process's. */
export function startLabProcess(
  tier: Exclude<LabTier, 'virtual'>,
  script: string,
  args: readonly string[],
): ChildProcess {
  const [program, ...options] = unshareCommand(tier);
  return spawn(program, [...options, process.execPath, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
}

/** To be called first inside. The channel alone does not keep the process alive. */
export function endWithParent(): void {
  if (!process.connected) process.exit(1);
  process.on('disconnect', () => process.exit(1));
  process.channel?.unref();
}
