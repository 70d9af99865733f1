/** What the heap holds after a collection, in whatever way the process was started. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Octets in use, those of buffers with them. */
export function heapOctets(): number {
  // The octets of a buffer are let go only after the buffer itself.
  for (let count = 0; count < 3; count++) collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
