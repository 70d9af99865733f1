import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { UdpSocket } from '../../src/drivers/linux/udp-socket.ts';
import { kernelTest } from './own-namespace.ts';
import { PacketSink } from './packet-flow.ts';
import { until } from './until.ts';

const [near, far] = ['10.1.0.2', '10.1.0.1'];
const farMac = '02:00:00:00:00:01';
const owner = {
  received: () => assert.fail('nobody answers'),
  refused: () => assert.fail('the path is there'),
  failed: (error: Error) => assert.fail(error),
};

/** More than the kernel holds for one socket, 90 or so; with those it still is fewer than are sent. */
const maximumWaiting = 100;

kernelTest(
  'UdpSocket: what the kernel has no room for waits, up to the limit, and leaves in order',
  async () => {
    const farSide = NetworkNamespace.create();
    const rtnetlink = new Rtnetlink();
    rtnetlink.createVethPair(
      { name: 'near', index: 10 },
      { name: 'far', index: 11, namespaceFd: farSide.fd, macAddress: farMac },
    );
    farSide.run(() => {
      const there = new Rtnetlink();
      there.changeLink('far', { up: true });
      there.addAddress('far', `${far}/24`);
      there.close();
      // It does not answer: what is sent waits until its neighbour knows it, and fills the sender's part of the kernel.
      writeFileSync('/proc/sys/net/ipv4/conf/far/arp_ignore', '8');
    });
    writeFileSync('/proc/sys/net/ipv4/neigh/near/unres_qlen_bytes', '10000000');
    rtnetlink.changeLink('near', { up: true });
    rtnetlink.addAddress('near', `${near}/24`);
    const sink = new PacketSink(farSide, 5060);
    const socket = new UdpSocket({ address: near, port: 5060 }, owner, maximumWaiting);

    for (let sequence = 0; sequence < 1000; sequence++) {
      const payload = new Uint8Array(1400);
      new DataView(payload.buffer).setUint32(0, sequence, true);
      socket.send({ address: far, port: 5060 }, payload);
    }
    rtnetlink.replaceNeighbour({ link: 'near', address: far, macAddress: farMac });
    const arrived: number[] = [];
    await until(() => {
      arrived.push(...sink.drain().map(({ sequence }) => sequence));
      return arrived.length > maximumWaiting;
    });
    assert.deepEqual(
      arrived,
      arrived.map((_, index) => index),
    );
    assert.ok(arrived.length > maximumWaiting, `${arrived.length} arrived`);
    assert.ok(arrived.length < 1000, 'the others are lost');
    socket.close();
    sink.close();
    rtnetlink.close();
    farSide.close();
  },
);
