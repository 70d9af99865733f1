/**
 * One TCP connection that carries a known number of octets, with a digest at both ends: for tests and benchmarks that ask whether bytes
 * arrive as they were sent. Each end is a thread of its own in the network namespace given.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { TransportAddress } from '../../src/base/network.ts';
import { CLONE_NEWNET, enterNamespace } from '../../src/drivers/linux/system-calls.ts';

export interface TransferEnd {
  readonly namespaceFd: number;
  readonly local: TransportAddress;
}

export interface TransferReport {
  readonly octets: number;
  readonly digest: string;
  /** From the first octet to the last. */
  readonly elapsedMs: number;
  /** As this end sees the other. */
  readonly remoteAddress: string | undefined;
}

interface EndSettings extends TransferEnd {
  readonly remote?: TransportAddress;
  readonly octets: number;
  readonly pauseMs?: number;
}

/** Sends `octets` from client to server, as fast as it goes or with a pause after every 64 KiB; resolves with what was sent and received. */
export async function transferOverTcp(
  client: TransferEnd,
  server: TransferEnd,
  octets: number,
  pauseMs = 0,
): Promise<{ readonly sent: TransferReport; readonly received: TransferReport }> {
  const receiver = start({ ...server, octets });
  await once(receiver, 'message');
  const received = once(receiver, 'message');
  const sender = start({ ...client, remote: server.local, octets, pauseMs });
  const sent = once(sender, 'message');
  return { sent: (await sent)[0], received: (await received)[0] };
}

function start(transferEnd: EndSettings): Worker {
  return new Worker(new URL(import.meta.url), { workerData: { transferEnd } });
}

async function send({ local, remote, octets, pauseMs = 0 }: EndSettings): Promise<TransferReport> {
  const socket = connect({
    host: remote?.address ?? '',
    port: remote?.port ?? 0,
    localAddress: local.address,
  });
  await once(socket, 'connect');
  const hash = createHash('sha256');
  const startedAt = performance.now();
  const chunk = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < octets; sent += chunk.length) {
    // Every chunk is another, so that a chunk lost or doubled shows.
    chunk.fill(String(sent));
    const part = chunk.subarray(0, Math.min(chunk.length, octets - sent));
    hash.update(part);
    if (!socket.write(Buffer.from(part))) await once(socket, 'drain');
    if (pauseMs > 0) await setTimeout(pauseMs);
  }
  const { remoteAddress } = socket;
  socket.end();
  await once(socket, 'close');
  return { octets, digest: hash.digest('hex'), elapsedMs: performance.now() - startedAt, remoteAddress };
}

async function receive({ local }: EndSettings, onListening: () => void): Promise<TransferReport> {
  const server = createServer();
  server.listen(local.port, local.address);
  await once(server, 'listening');
  onListening();
  const [socket] = await once(server, 'connection');
  const { remoteAddress } = socket;
  const startedAt = performance.now();
  const hash = createHash('sha256');
  let octets = 0;
  for await (const part of socket) {
    hash.update(part);
    octets += part.length;
  }
  server.close();
  return { octets, digest: hash.digest('hex'), elapsedMs: performance.now() - startedAt, remoteAddress };
}

const settings = (workerData as { readonly transferEnd?: EndSettings } | null)?.transferEnd;
if (!isMainThread && settings !== undefined) {
  enterNamespace(settings.namespaceFd, CLONE_NEWNET);
  const report =
    settings.remote === undefined
      ? await receive(settings, () => parentPort?.postMessage('listening'))
      : await send(settings);
  parentPort?.postMessage(report);
}
