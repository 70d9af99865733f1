import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyOf } from '../../src/base/ip-address.ts';
import type { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  connectSocket,
  listenSocket,
  openSocket,
  SOCK_STREAM,
} from '../../src/drivers/linux/system-calls.ts';
import { placeholder } from '../../src/drivers/linux/version-pairs.ts';
import type { Binding } from '../../src/translation/binding-table.ts';
import { BothTranslators } from './both-translators.ts';
import { kernelTest } from './own-namespace.ts';
import { addresses, bindingOf, UdpEnd } from './translator-network.ts';

for (const family of [4, 6] as const) {
  kernelTest(
    `both translators: an IPv${family} application and its peer keep their addresses over handovers`,
    async () => {
      const both = new BothTranslators(bindingOf(family));
      const { network, binding, local } = both;
      const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent);
      const application = new UdpEnd(network.mn, local.application, binding.towardsMobileNode);
      for (const access of ['wlan', 'threeG', 'wlan'] as const) {
        const before = both.packetsOver(access);
        both.handOver(access);
        application.send(`up ${access}`);
        assert.equal(await cn.receive(), `up ${access}`);
        cn.send(`down ${access}`);
        assert.equal(await application.receive(), `down ${access}`);
        assert.equal(both.packetsOver(access), before + 1);
      }
      cn.close();
      application.close();
      both.close();
    },
  );

  kernelTest(
    `both translators: an IPv${family} application hears of its packet being too big for a link on the way`,
    async () => {
      const both = new BothTranslators(bindingOf(family, { protocol: 'tcp', activeEnd: 'mobile-node' }));
      both.narrowCorrespondentLink(1280);
      // 1,340 octets and headers are more than 1,280: without the translated error nothing but the handshake would pass.
      await assertIntact(both, 300_000);
      both.close();
    },
  );

  for (const activeEnd of ['mobile-node', 'correspondent-node'] as const) {
    kernelTest(
      `both translators: an IPv${family} TCP connection opened by the ${activeEnd} survives handovers intact`,
      async () => {
        const both = new BothTranslators(bindingOf(family, { protocol: 'tcp', activeEnd }));
        let isDone = false;
        const handovers = async () => {
          for (let i = 0; i < 20 || !isDone; i++) {
            both.handOver(i % 2 === 0 ? 'wlan' : 'threeG');
            await sleep(5);
          }
        };
        const transfer = assertIntact(both, 20_000_000).finally(() => {
          isDone = true;
        });
        await Promise.all([transfer, handovers()]);
        both.close();
      },
    );
  }
}

for (const family of [4, 6] as const) {
  const other = family === 4 ? 6 : 4;

  kernelTest(
    `both translators: between IPv${family} applications datagrams of all sizes pass over an IPv${other} access`,
    async () => {
      const both = new BothTranslators(bindingOf(family));
      const { network, binding, local } = both;
      const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent);
      const application = new UdpEnd(network.mn, local.application, binding.towardsMobileNode);
      for (const version of [other, family, other] as const) {
        const access = version === family ? 'threeG' : 'wlan';
        const before = both.packetsOver(access, version);
        both.handOver(access, version);
        for (const size of [1, 160, 1240, 1400, 4000]) {
          const text = `${size} `.padEnd(size, 'x');
          application.sendAgain(`up ${text}`);
          assert.equal(await cn.receive(), `up ${text}`, `${size} octets up over IPv${version}`);
          cn.sendAgain(`down ${text}`);
          assert.equal(await application.receive(), `down ${text}`, `${size} octets down over IPv${version}`);
        }
        assert.equal(both.packetsOver(access, version) - before, 5);
      }
      cn.close();
      application.close();
      both.close();
    },
  );

  kernelTest(
    `both translators: no datagram between IPv${family} ends is lost or doubled in 20 handovers to IPv${other} and back`,
    async () => {
      const both = new BothTranslators(bindingOf(family));
      const { network, binding, local } = both;
      const ends = [
        new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent),
        new UdpEnd(network.mn, local.application, binding.towardsMobileNode),
      ] as const;
      const numbers = Array.from({ length: 600 }, (_, number) => String(number));
      for (const [index, number] of numbers.entries()) {
        if (index % 60 === 30) both.handOver('wlan', other);
        else if (index % 60 === 0 && index > 0) both.handOver('threeG');
        for (const end of ends) end.send(number);
        if (index % 3 === 0) await sleep(1);
      }
      for (const end of ends) {
        const received: string[] = [];
        for (let next = await end.receive(500); next !== undefined; next = await end.receive(500))
          received.push(next);
        assert.deepEqual(
          received.toSorted((a, b) => Number(a) - Number(b)),
          numbers,
        );
        end.close();
      }
      both.close();
    },
  );

  kernelTest(
    `both translators: nobody gets into an IPv${family} stream over IPv${other} by the addresses inside the translators`,
    async () => {
      const both = new BothTranslators(bindingOf(family));
      const { network, binding, local } = both;
      const application = new UdpEnd(network.mn, local.application, binding.towardsMobileNode);
      both.handOver('wlan', other);
      // The ports are those that the packet would have behind the translator in the home network.
      const stranger = { address: addresses[family].correspondent, port: 30_002 };
      const inside = { address: placeholder(family, 0, 0), port: local.application.port };
      const intruder = new UdpEnd(network.cn, stranger, inside);
      const droppedBefore = both.dropped;
      intruder.send('let me in');
      assert.equal(await application.receive(300), undefined);
      assert.equal(both.dropped, droppedBefore + 1);
      const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent);
      cn.send('invited');
      assert.equal(await application.receive(), 'invited');
      for (const end of [application, intruder, cn]) end.close();
      both.close();
    },
  );

  kernelTest(
    `both translators: IPv${family} ends hear of packets that are too big for an IPv${other} access`,
    async () => {
      const both = new BothTranslators(bindingOf(family, { protocol: 'tcp', activeEnd: 'mobile-node' }));
      both.narrowWlan(1280);
      both.handOver('wlan', other);
      await assertIntact(both, 300_000);
      both.close();
    },
  );

  for (const activeEnd of ['mobile-node', 'correspondent-node'] as const)
    kernelTest(
      `both translators: an IPv${family} TCP connection opened by the ${activeEnd} goes to IPv${other} and back, intact`,
      async () => {
        const both = new BothTranslators(bindingOf(family, { protocol: 'tcp', activeEnd }));
        let isDone = false;
        const handovers = async () => {
          for (let i = 0; i < 20 || !isDone; i++) {
            if (i % 2 === 0) both.handOver('wlan', other);
            else both.handOver('threeG');
            await sleep(5);
          }
        };
        const transfer = assertIntact(both, 20_000_000).finally(() => {
          isDone = true;
        });
        await Promise.all([transfer, handovers()]);
        both.close();
      },
    );
}

kernelTest(
  'LocalAddressTranslator: the internal address never appears on a link and cannot be reached from one',
  async () => {
    const both = new BothTranslators(bindingOf(4));
    const { network } = both;
    const elsewhere = { address: addresses[4].correspondent, port: 9999 };
    const cn = new UdpEnd(network.cn, elsewhere, { address: addresses[4].internal, port: 9999 });
    const mn = new UdpEnd(network.mn, { address: addresses[4].internal, port: 9999 }, elsewhere);
    assert.throws(() => mn.send('untranslated'), { code: 'EPERM' });
    assert.equal(
      network.mn.run(() => both.localTranslator.readDropped()),
      1,
    );
    cn.close();
    mn.close();
    both.close();
  },
);

/** Sends random octets both ways over one connection and compares digests. */
async function assertIntact(both: BothTranslators, octets: number): Promise<void> {
  const { network, binding, local } = both;
  const isMobileActive = binding.activeEnd === 'mobile-node';
  const listening = isMobileActive ? binding.correspondent : local.application;
  const server = createServer({ allowHalfOpen: true });
  server.listen({
    fd: openStream(isMobileActive ? network.cn : network.mn, binding, (fd) => {
      bindSocket(fd, socketAddress(listening));
      listenSocket(fd);
    }),
  });
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const fd = openStream(isMobileActive ? network.mn : network.cn, binding, (opened) => {
    const from = isMobileActive ? { ...local.application, port: 0 } : { ...binding.correspondent, port: 0 };
    bindSocket(opened, socketAddress(from));
    connectSocket(
      opened,
      socketAddress(isMobileActive ? binding.towardsMobileNode : binding.towardsCorrespondent),
    );
  });
  const client = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  const [peer] = (await accepted) as [Socket];
  const digests = [client, peer].map((socket) => digestOf(socket));
  const sent = [client, peer].map((socket) => {
    const payload = randomBytes(octets);
    socket.end(payload);
    return createHash('sha256').update(payload).digest('hex');
  });
  const received = await Promise.all(digests);
  assert.deepEqual(received, sent.reverse());
  server.close();
}

async function digestOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.on('data', (chunk) => hash.update(chunk));
  await once(socket, 'end');
  return hash.digest('hex');
}

function openStream(
  namespace: NetworkNamespace,
  { mobileNode }: Binding,
  prepare: (fd: number) => void,
): number {
  return namespace.run(() => {
    const fd = openSocket(familyOf(mobileNode.address) === 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    prepare(fd);
    return fd;
  });
}
