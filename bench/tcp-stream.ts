/** A thread at one end of a TCP connection: sends until told to stop, or receives to the end and reports the octets per second. */
import { parentPort, workerData } from 'node:worker_threads';
import { closeDescriptor, receive, send } from '../src/drivers/linux/system-calls.ts';

export interface StreamEnd {
  readonly fd: number;
  readonly role: 'send' | 'receive';
  readonly stop: Int32Array;
}

const { fd, role, stop } = workerData as StreamEnd;
const buffer = new Uint8Array(256 * 1024);
let octets = 0;
const start = performance.now();
if (role === 'send') while (Atomics.load(stop, 0) === 0) send(fd, buffer);
else for (let length = receive(fd, buffer); length; length = receive(fd, buffer)) octets += length;
closeDescriptor(fd);
parentPort?.postMessage((octets * 1000) / (performance.now() - start));
