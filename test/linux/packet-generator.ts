/** The thread behind PacketFlow: sends numbered datagrams at a steady rate until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  allocateMemory,
  bindSocket,
  CLONE_NEWNET,
  closeDescriptor,
  enterNamespace,
  openSocket,
  SOCK_DGRAM,
  sendMessages,
} from '../../src/drivers/linux/system-calls.ts';
import { type FlowControl, type FlowOptions, type FlowReport, portsPerAddress } from './packet-flow.ts';

const {
  namespaceFd,
  local,
  remote,
  packetsPerSecond,
  length,
  destinations = 1,
  window,
  control,
} = workerData as FlowOptions & { readonly control: FlowControl };
/** A paced sender sends what is due, singly as a rule; a flood sends as much per call as pays. */
const BATCH = 64;
const [VECTORS, NAMES, DATA] = [BATCH * 64, BATCH * 80, BATCH * 112];
const slot = Math.max(64, length);
const memory = allocateMemory(DATA + BATCH * slot);

const firstHost = socketAddress(remote)[7] ?? 0;
enterNamespace(namespaceFd, CLONE_NEWNET);
const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
bindSocket(fd, socketAddress(local));
for (let i = 0; i < BATCH; i++) describe(i);
parentPort?.postMessage('started');
const start = process.hrtime.bigint();
const cpuAtStart = process.cpuUsage();
let sent = 0;
while (Atomics.load(control, 0) === 0) {
  const due = packetsPerSecond === 0 ? BATCH : dueNow();
  const arrived = Atomics.load(control, 1);
  const count = Math.min(due, BATCH, (window ?? Number.POSITIVE_INFINITY) - (sent - arrived));
  if (count > 0) sendBatch(count);
  // Who sleeps is woken before those who compute; without a window, every microsecond of the rate counts.
  else if (window !== undefined) Atomics.wait(control, 1, arrived, 1);
}
const used = process.cpuUsage(cpuAtStart);
closeDescriptor(fd);
const report: FlowReport = { sent, cpuSeconds: (used.user + used.system) / 1e6 };
parentPort?.postMessage(report);

function dueNow(): number {
  const elapsedNs = Number(process.hrtime.bigint() - start);
  return Math.floor((elapsedNs * packetsPerSecond) / 1e9) - sent;
}

function sendBatch(count: number): void {
  const now = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    memory.view.setUint32(DATA + i * slot, sent + i, true);
    memory.view.setBigUint64(DATA + i * slot + 8, now, true);
    if (destinations > 1) aim(NAMES + i * 32, (sent + i) % destinations);
  }
  sent += sendMessages(fd, memory.address, count) ?? 0;
}

/** Destinations are the ports of the remote address from the first on, then those of the next address. */
function aim(name: number, destination: number): void {
  memory.view.setUint16(name + 2, remote.port + (destination % portsPerAddress));
  memory.view.setUint8(name + 7, firstHost + Math.floor(destination / portsPerAddress));
}

/** struct mmsghdr with its iovec and address. */
function describe(index: number): void {
  const { view, octets, address } = memory;
  const [header, vector, name] = [index * 64, VECTORS + index * 16, NAMES + index * 32];
  octets.set(socketAddress(remote), name);
  view.setBigUint64(header, address + BigInt(name), true);
  view.setUint32(header + 8, 16, true);
  view.setBigUint64(header + 16, address + BigInt(vector), true);
  view.setBigUint64(header + 24, 1n, true);
  view.setBigUint64(vector, address + BigInt(DATA + index * slot), true);
  // Less the headers of IPv4 and UDP.
  view.setBigUint64(vector + 8, BigInt(length - 28), true);
}
