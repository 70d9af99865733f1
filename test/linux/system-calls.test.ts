import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import {
  AF_INET,
  AF_INET6,
  allocateMemory,
  bindSocket,
  CLONE_NEWNET,
  closeDescriptor,
  connectSocket,
  controlDevice,
  enterNamespace,
  newNamespace,
  openSocket,
  receiveMessages,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  sendMessages,
  watchReadable,
} from '../../src/drivers/linux/system-calls.ts';
import { kernelTest } from './own-namespace.ts';

const systemCalls = new URL('../../src/drivers/linux/system-calls.js', import.meta.url).href;
const IFF_UP = 1;
const SIOCSIFFLAGS = 0x8914;

kernelTest('newNamespace, enterNamespace: this thread goes into a new network namespace and back', () => {
  const before = readlinkSync('/proc/thread-self/ns/net');
  const home = openSync('/proc/thread-self/ns/net', 'r');
  newNamespace(CLONE_NEWNET);
  assert.notEqual(readlinkSync('/proc/thread-self/ns/net'), before);
  enterNamespace(home, CLONE_NEWNET);
  closeSync(home);
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), before);
});

kernelTest('sendMessages, receiveMessages: a batch of datagrams crosses the loopback in order', async () => {
  bringUp('lo');
  const address = Uint8Array.of(AF_INET, 0, 0x9c, 0x40, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const receiver = openSocket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const sender = openSocket(AF_INET, SOCK_DGRAM, 0);
  bindSocket(receiver, address);
  connectSocket(sender, address);
  const batch = messageBatch(8);
  assert.equal(receiveMessages(receiver, batch.headers, 8), undefined);
  for (const [index, octets] of batch.octets.entries()) octets.fill(index);
  const readable = new Promise<void>((resolve) => {
    const stop = watchReadable(receiver, () => {
      stop();
      resolve();
    });
  });
  assert.equal(sendMessages(sender, batch.headers, 8), 8);
  for (const octets of batch.octets) octets.fill(255);
  const alive = setTimeout(() => {}, 5000);
  await readable;
  clearTimeout(alive);
  assert.equal(receiveMessages(receiver, batch.headers, 8), 8);
  assert.deepEqual(
    batch.octets.map((octets) => octets[3]),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  closeDescriptor(sender);
  closeDescriptor(receiver);
});

kernelTest('watchReadable: what the callback throws ends the process, as in every callback of Node', () => {
  const program = `
    import { openEvent, raiseEvent, watchReadable } from ${JSON.stringify(systemCalls)};
    const event = openEvent();
    watchReadable(event, () => { throw new Error('of the callback'); }, { keepsAlive: true });
    raiseEvent(event);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(status, 1);
  assert.match(stderr, /Error: of the callback/);
});

kernelTest('openSocket: an error names the call and the errno', () => {
  assert.throws(() => openSocket(AF_INET6, 99, 0), { code: 'EINVAL', message: /^socket: .*\(EINVAL\)$/ });
});

/** struct mmsghdr of one 4-octet message each. */
function messageBatch(count: number): { headers: bigint; octets: Uint8Array[] } {
  const memory = allocateMemory(4096);
  const octets: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const [header, vector, data] = [i * 64, 1024 + i * 16, 2048 + i * 4];
    memory.view.setBigUint64(header + 16, memory.address + BigInt(vector), true);
    memory.view.setBigUint64(header + 24, 1n, true);
    memory.view.setBigUint64(vector, memory.address + BigInt(data), true);
    memory.view.setBigUint64(vector + 8, 4n, true);
    octets.push(memory.octets.subarray(data, data + 4));
  }
  return { headers: memory.address, octets };
}

function bringUp(name: string): void {
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode(name));
  request[16] = IFF_UP;
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  controlDevice(fd, SIOCSIFFLAGS, request);
  closeDescriptor(fd);
}
