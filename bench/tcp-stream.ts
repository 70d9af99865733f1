/** A thread at one end of a TCP connection: sends until told to stop, or receives to the end and reports how much, in what time. */
import { parentPort, workerData } from 'node:worker_threads';
import { closeDescriptor, receive, send } from '../src/drivers/linux/system-calls.ts';

export interface StreamEnd {
  readonly fd: number;
  readonly role: 'send' | 'receive';
  readonly stop: Int32Array;
}

export interface StreamReport {
  readonly octets: number;
  readonly elapsedMs: number;
}

const { fd, role, stop } = workerData as StreamEnd;
const buffer = new Uint8Array(256 * 1024);
let octets = 0;
if (role === 'send') while (Atomics.load(stop, 0) === 0) send(fd, buffer);
// The clock starts with the first octets: until then the other thread was starting.
else receive(fd, buffer);
const start = performance.now();
if (role === 'receive')
  for (let length = receive(fd, buffer); length; length = receive(fd, buffer)) octets += length;
closeDescriptor(fd);
const report: StreamReport = { octets, elapsedMs: performance.now() - start };
parentPort?.postMessage(report);
