import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Looks every millisecond until it is done. A loaded machine may take seconds for what takes a millisecond on an idle one, so it gives up
 * only after twenty: what did not come shows in the assertion that follows.
 */
export async function until(isDone: () => boolean): Promise<void> {
  for (const giveUpAt = performance.now() + patienceMs; !isDone() && performance.now() < giveUpAt; )
    await sleep(1);
}

/** Less than a test may last, so that its own assertions can speak. */
export const patienceMs = 20_000;
