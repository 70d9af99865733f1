/**
 * Entry of the lab inside its namespaces (kernel-lab.ts starts it): runs the scenario given as JSON, tells its progress and its measurements
 * over Node's channel. Its end, by whatever cause, ends everything in the lab.
 */
import { rmSync } from 'node:fs';
import type { KernelLabMessage } from './kernel-lab.ts';
import { runInKernel } from './kernel-runner.ts';
import { endWithParent } from './lab-process.ts';
import type { Scenario } from './scenario.ts';

const [scenario = '', folder = '', captureFolder] = process.argv.slice(2);
// Whoever started the lab was perhaps killed, and cannot remove it any more.
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
endWithParent();
// From a terminal the signal reaches everybody; the process outside decides what becomes of the run.
process.on('SIGINT', () => {});

const tell = (message: KernelLabMessage): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });

try {
  const measured = await runInKernel({
    scenario: JSON.parse(scenario) as Scenario,
    folder,
    captureFolder,
    tell: (progress) => void tell({ kind: 'progress', progress }),
  });
  await tell({ kind: 'measured', measured });
  process.exit(0);
} catch (error) {
  const { code = 'LAB_FAILED', remedy = '' } = error as { readonly code?: string; readonly remedy?: string };
  await tell({ kind: 'failed', code, message: (error as Error).message, remedy });
  process.exit(1);
}
