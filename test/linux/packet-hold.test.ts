/** TCP segments that wait where they come in, on the real kernel: nothing is lost, nothing overtakes, and nothing is left behind. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { PacketHold, type PacketHoldOptions } from '../../src/drivers/linux/packet-hold.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import { AF_INET, bindSocket, openSocket, SOCK_STREAM } from '../../src/drivers/linux/system-calls.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import { readTcpInfo } from '../../src/testbed/media/tcp-info.ts';
import type { FlowKey } from '../../src/translation/translation-operation.ts';
import { kernelTest } from './own-namespace.ts';

type HoldOptions = Omit<PacketHoldOptions, 'instance' | 'family'>;

const [far, near] = ['10.9.0.1', '10.9.0.2'];

kernelTest(
  'PacketHold: segments of a held flow wait and then come in their order, those of others pass',
  async () => {
    const first: FlowKey[] = [];
    const { network, hold } = open({ point: 'prerouting', onFirst: (flow) => first.push(flow) });
    const [held, free] = [await network.connection(), await network.connection()];
    hold.hold([flowOf(held.sender)]);
    const lines = Array.from({ length: 200 }, (_, number) => `${number}\n`);
    for (const line of lines) held.sender.write(line);
    free.sender.write('through\n');
    await free.until('through\n');
    await sleep(50);
    assert.equal(held.received(), '');
    assert.deepEqual(first, [flowOf(held.sender)]);
    hold.pass();
    await held.until(lines.join(''));
    held.sender.write('after\n');
    await held.until(`${lines.join('')}after\n`);
    close({ network, hold });
  },
);

kernelTest(
  'PacketHold: who closes it while packets wait loses none and leaves the kernel as it was',
  async () => {
    const network = openNetwork();
    const before = network.near.run(readKernelState);
    const hold = network.hold({ point: 'prerouting' });
    const { sender, until } = await network.connection();
    hold.hold([flowOf(sender)]);
    sender.write('last\n');
    await sleep(20);
    network.near.run(() => hold.close());
    await until('last\n');
    assert.deepEqual(network.near.run(readKernelState), before);
    network.close();
  },
);

kernelTest(
  'PacketHold: what programs send waits too, and acknowledgements alone pass in both directions',
  async () => {
    const { network, hold } = open({ point: 'output' });
    const incoming = network.hold({ point: 'prerouting' });
    const { sender, receiver, until } = await network.connection();
    let answered = '';
    sender.setEncoding('latin1').on('data', (piece: string) => {
      answered += piece;
    });
    // In: nothing of what the near end has sent is sent again, so its acknowledgements have come though the flow is held.
    incoming.hold([flowOf(sender)]);
    receiver.write('in time\n');
    while (answered === '') await once(sender, 'data');
    await sleep(300);
    assert.equal(network.near.run(() => readTcpInfo(receiver))?.unacknowledged, 0);
    incoming.pass();
    // Out: the far end's segments are acknowledged though what the near end sends waits.
    hold.hold([flowFrom(sender)]);
    sender.write('question\n');
    await until('question\n');
    await sleep(300);
    assert.equal(readTcpInfo(sender)?.unacknowledged, 0);
    receiver.write('answer\n');
    await sleep(50);
    assert.equal(answered, 'in time\n');
    hold.pass();
    while (answered === 'in time\n') await once(sender, 'data');
    assert.equal(answered, 'in time\nanswer\n');
    network.near.run(() => incoming.close());
    close({ network, hold });
  },
);

kernelTest('PacketHold: says when what waits follows directly on what came in a watched flow', async () => {
  let told = 0;
  const { network, hold } = open({ point: 'prerouting', onComplete: () => told++ });
  const { sender, until, received } = await network.connection();
  hold.hold([], [flowOf(sender)]);
  sender.write('before\n');
  await until('before\n');
  assert.equal(told, 0);
  hold.hold([flowOf(sender)]);
  sender.write('behind\n');
  while (told === 0) await sleep(5);
  assert.equal(received(), 'before\n');
  hold.pass();
  await until('before\nbehind\n');
  // Nobody has seen what came last before this hold: it might still be on its way.
  hold.hold([flowOf(sender)]);
  const [toldBefore] = [told];
  sender.write('waits\n');
  await sleep(50);
  assert.equal(told, toldBefore);
  hold.pass();
  await until('before\nbehind\nwaits\n');
  close({ network, hold });
});

/** The sender chose its port; the receiver listens. */
function flowOf({ localPort }: Socket): FlowKey {
  return {
    family: 4,
    protocol: 'tcp',
    source: far,
    destination: near,
    port: localPort ?? 0,
    portOf: 'source',
  };
}

/** The same connection in the other direction. */
function flowFrom(sender: Socket): FlowKey {
  return { ...flowOf(sender), source: near, destination: far, portOf: 'destination' };
}

function open(options: HoldOptions) {
  const network = openNetwork();
  return { network, hold: network.hold(options) };
}

function close({ network, hold }: ReturnType<typeof open>): void {
  network.near.run(() => hold.close());
  network.close();
}

function openNetwork() {
  // This process is the far end: Node connects from where it is.
  const nearEnd = NetworkNamespace.create();
  const links = new Rtnetlink();
  links.createVethPair({ name: 'eth0', index: 2 }, { name: 'eth0', index: 3, namespaceFd: nearEnd.fd });
  const nearLinks = nearEnd.run(() => new Rtnetlink());
  for (const [side, address] of [
    [links, far],
    [nearLinks, near],
  ] as const) {
    side.changeLink('lo', { up: true });
    side.changeLink('eth0', { up: true });
    side.addAddress('eth0', `${address}/24`);
    side.close();
  }
  const sockets: Socket[] = [];
  let port = 5000;
  return {
    near: nearEnd,
    hold: (options: HoldOptions): PacketHold => {
      const hold = nearEnd.run(() => new PacketHold({ instance: 'test', family: 4, ...options }));
      assert.ok(hold.isAvailable);
      return hold;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      const ownLinks = new Rtnetlink();
      ownLinks.deleteLink('eth0');
      ownLinks.close();
      nearEnd.close();
    },
    /** From the far end to the near one. */
    async connection() {
      const server = createServer({ noDelay: true });
      server.listen({ fd: nearEnd.run(() => boundSocket(++port)) });
      await once(server, 'listening');
      const sender = connect({ host: near, port, noDelay: true });
      const [[receiver]] = (await Promise.all([once(server, 'connection'), once(sender, 'connect')])) as [
        [Socket],
        [],
      ];
      server.close();
      sockets.push(sender, receiver);
      let text = '';
      receiver.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
      });
      return {
        sender,
        receiver,
        received: () => text,
        until: async (wanted: string) => {
          while (text.length < wanted.length) await once(receiver, 'data');
          assert.equal(text, wanted);
        },
      };
    },
  };
}

function boundSocket(port: number): number {
  const fd = openSocket(AF_INET, SOCK_STREAM, 0);
  bindSocket(fd, socketAddress({ address: near, port }));
  return fd;
}
