/**
 * The kernel lab seen from outside: makes its private folder, starts it inside new namespaces (lab-process.ts) and hands on what it tells.
 * Nothing of it outlives this process, nor an interrupt: namespaces and processes end with the channel, the folder goes with whoever is last.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { LabMeasurements } from './assess-run.ts';
import { startLabProcess } from './lab-process.ts';
import type { LabProgress } from './lab-progress.ts';
import type { LabTier } from './lab-tier.ts';
import type { Scenario } from './scenario.ts';

/** From the lab inside to the process outside. */
export type KernelLabMessage =
  | { readonly kind: 'progress'; readonly progress: LabProgress }
  | { readonly kind: 'measured'; readonly measured: LabMeasurements }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly remedy: string };

export interface KernelLabOptions {
  readonly tier: Exclude<LabTier, 'virtual'>;
  readonly scenario: Scenario;
  /** Where to write pcapng files of both ends; none are written when absent. */
  readonly captureFolder: string | undefined;
  readonly tell: (progress: LabProgress) => void;
  /** Ends the lab at once, with everything in it. */
  readonly signal: AbortSignal;
}

/** Throws what the lab threw, LAB_INTERRUPTED, or LAB_FAILED when it ended without a word. */
export async function runKernelLab(options: KernelLabOptions): Promise<LabMeasurements> {
  const { tier, scenario, captureFolder, tell, signal } = options;
  removeLeftovers();
  if (captureFolder !== undefined) mkdirSync(captureFolder, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), `${folderPrefix}${process.pid}-`));
  try {
    const script = fileURLToPath(new URL('./kernel-lab-main.js', import.meta.url));
    const child = startLabProcess(tier, script, [
      JSON.stringify(scenario),
      folder,
      ...(captureFolder === undefined ? [] : [captureFolder]),
    ]);
    signal.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
    return await new Promise((resolve, reject) => {
      let ending: () => void = () =>
        reject(
          signal.aborted
            ? new TrimaranError('LAB_INTERRUPTED', 'interrupted; everything the lab made is gone')
            : new TrimaranError('LAB_FAILED', 'the lab ended without a result'),
        );
      child.on('message', (message: KernelLabMessage) => {
        if (message.kind === 'progress') tell(message.progress);
        else if (message.kind === 'measured') ending = () => resolve(message.measured);
        else {
          const { code, remedy } = message;
          ending = () => reject(new TrimaranError(code, message.message, { remedy }));
        }
      });
      child.on('error', reject);
      child.on('exit', () => ending());
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const folderPrefix = 'trimaran-lab-';

/** Folders of labs that were killed, inside and outside at once. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${folderPrefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's: the next lab of that user removes it.
    }
  }
}

/** A process of somebody else is alive too, though it may not be signalled. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
