/** Runs a codec in a thread of its own, so that a codec that never comes back can be told from one that is busy, and be ended. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type RunReport, type RunSettings, runTarget } from './fuzz-run.ts';
import { type Growth, measureGrowth } from './growth.ts';
import { fuzzTargets } from './targets/index.ts';

export type FuzzTask =
  | ({ readonly kind: 'inputs' } & RunSettings)
  /** How often each size of each family is measured. */
  | { readonly kind: 'growth'; readonly tries: number };

/** What the thread says when it is done: a report, or families and their growth. */
export type FuzzResult<Task extends FuzzTask> = Task extends { kind: 'inputs' }
  ? RunReport
  : readonly Growth[];

/** Rejects when one input keeps the codec busy for longer than `deadlineMs`. */
export async function runInThread<Task extends FuzzTask>(
  codec: string,
  task: Task,
  deadlineMs: number,
): Promise<FuzzResult<Task>> {
  const progress = new Int32Array(new SharedArrayBuffer(4)).fill(-1);
  const worker = new Worker(new URL(import.meta.url), { workerData: { codec, task, progress } });
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      let [seen, since] = [-1, Date.now()];
      const watch = setInterval(() => {
        const now = Atomics.load(progress, 0);
        if (now !== seen) [seen, since] = [now, Date.now()];
        // Before the first input the thread only starts, which on a busy machine takes what it takes.
        else if (now >= 0 && Date.now() - since > deadlineMs)
          reject(
            new Error(`${codec}: no end of input ${now} of ${JSON.stringify(task)} within ${deadlineMs} ms`),
          );
      }, 200);
      worker.once('exit', () => clearInterval(watch));
    });
  } finally {
    await worker.terminate();
  }
}

function work(): void {
  const { codec, task, progress } = workerData as { codec: string; task: FuzzTask; progress: Int32Array };
  const target = fuzzTargets.find(({ name }) => name === codec)!;
  const onInput = (index: number): void => {
    Atomics.store(progress, 0, index);
  };
  const result =
    task.kind === 'inputs' ? runTarget(target, task, onInput) : measureGrowth(target, task.tries, onInput);
  parentPort!.postMessage(result);
}

if (!isMainThread) work();
