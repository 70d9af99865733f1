import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyOf } from '../../src/base/ip-address.ts';
import { NETLINK_NETFILTER, NetlinkSocket, netlinkFlag } from '../../src/drivers/linux/netlink-socket.ts';
import { NftablesBatch, nftablesMessage } from '../../src/drivers/linux/nftables-batch.ts';
import {
  compare,
  loadTrackingState,
  maskWith,
  verdict,
} from '../../src/drivers/linux/nftables-expression.ts';
import type {
  NftablesTranslator,
  NftablesTranslatorOptions,
} from '../../src/drivers/linux/nftables-translator.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { writeSysctl } from '../../src/drivers/linux/sysctl.ts';
import {
  AF_INET,
  closeDescriptor,
  openSocket,
  receive,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  setSocketOption,
} from '../../src/drivers/linux/system-calls.ts';
import { IpPacket } from '../../src/protocols/ip/ip-packet.ts';
import { type Binding, BindingTable } from '../../src/translation/binding-table.ts';
import { kernelTest } from './own-namespace.ts';
import { buildPacket, hasRightChecksums, PacketProbe } from './packet-probe.ts';
import {
  bindingOf,
  openHomeTranslator,
  openTranslatorNetwork,
  type TranslatorNetwork,
  UdpEnd,
} from './translator-network.ts';
import { until } from './until.ts';

const families = [4, 6] as const;
const links = { threeG: 22, wlan: 32 };

for (const family of families) {
  kernelTest(`NftablesTranslator: both ends of an IPv${family} stream see the translator only`, () =>
    withBinding(bindingOf(family), async ({ network, binding }) => {
      const [cn, mn] = endsOf(network, binding);
      mn.send('up');
      assert.equal(await cn.receive(), 'up');
      cn.send('down');
      assert.equal(await mn.receive(), 'down');
      cn.close();
      mn.close();
    }),
  );

  kernelTest(`NftablesTranslator: an IPv${family} datagram in fragments passes both ways`, () =>
    withBinding(bindingOf(family), async ({ network, binding }) => {
      const [cn, mn] = endsOf(network, binding);
      const payload = Uint8Array.from({ length: 4000 }, (_, i) => i % 251);
      cn.send(payload);
      assert.deepEqual(await mn.receiveOctets(), payload);
      mn.send(payload);
      assert.deepEqual(await cn.receiveOctets(), payload);
      cn.close();
      mn.close();
    }),
  );

  kernelTest(`NftablesTranslator: nobody else can send into an IPv${family} stream, and it is counted`, () =>
    withBinding(bindingOf(family), async ({ network, binding, translator }) => {
      const [cn, mn] = endsOf(network, binding);
      const stranger = { address: family === 4 ? '203.0.113.8' : '2001:db8:c::8', port: 7000 };
      network.cn.run(() => {
        const rtnetlink = new Rtnetlink();
        rtnetlink.addAddress('eth0', `${stranger.address}/${family === 4 ? 24 : 64}`);
        rtnetlink.close();
      });
      const intruder = new UdpEnd(network.cn, stranger, binding.towardsCorrespondent);
      intruder.send('intruder');
      cn.send('friend');
      assert.equal(await mn.receive(), 'friend');
      assert.equal(await mn.receive(50), undefined);
      assert.equal(
        network.home.run(() => translator.readDropped()),
        1,
      );
      for (const end of [cn, mn, intruder]) end.close();
    }),
  );

  kernelTest(
    `NftablesTranslator: the correspondent hears that nobody listens at the IPv${family} mobile node`,
    () =>
      withBinding(bindingOf(family), async ({ network, binding }) => {
        const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent);
        cn.send('anybody there?');
        assert.equal(await cn.error(), 'ECONNREFUSED');
        cn.close();
      }),
  );
}

kernelTest(
  'NftablesTranslator: the error about a packet too big for the link behind is translated for its sender',
  () =>
    withBinding(bindingOf(6), async ({ network, binding }) => {
      network.home.run(() => {
        const rtnetlink = new Rtnetlink();
        rtnetlink.changeLink('to-3g', { mtu: 1280 });
        rtnetlink.close();
      });
      const [cn, mn] = endsOf(network, binding);
      const payload = new Uint8Array(1400).fill(7);
      cn.send(payload);
      // The first one is lost, as IPv6 wants it; the sender's kernel has learned the size and sends the next in fragments.
      assert.equal(await cn.error(), 'EMSGSIZE');
      cn.send(payload);
      assert.deepEqual(await mn.receiveOctets(), payload);
      cn.close();
      mn.close();
    }),
);

kernelTest('NftablesTranslator: UDP without checksum stays without', () =>
  withBinding(bindingOf(4), async ({ network, binding }) => {
    const SO_NO_CHECK = 11;
    const cn = new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent, (fd) =>
      setSocketOption(fd, SOL_SOCKET, SO_NO_CHECK, 1),
    );
    const mn = new UdpEnd(network.mn, binding.mobileNode, binding.towardsMobileNode);
    cn.send('unsummed');
    assert.equal(await mn.receive(), 'unsummed');
    cn.close();
    mn.close();
  }),
);

kernelTest(
  'NftablesTranslator: a large UDP datagram may be fragmented behind the translator and has an identification',
  () =>
    withBinding(bindingOf(4), async ({ network, binding }) => {
      const probe = new PacketProbe(network.cn, network.mn, [links.threeG]);
      const pass = (length: number) => {
        const payload = new Uint8Array(length);
        const [seen] = probe.pass(buildPacket({ ...downlinkFields(binding), payload, dontFragment: true }));
        assert.ok(seen && hasRightChecksums(seen));
        return new DataView(seen.buffer, seen.byteOffset);
      };
      const [first, second, small] = [pass(1000), pass(1000), pass(160)];
      assert.deepEqual([first.getUint16(6), second.getUint16(6), small.getUint16(6)], [0, 0, 0x4000]);
      assert.notEqual(first.getUint16(4), second.getUint16(4));
      probe.close();
    }),
);

for (const family of families) {
  kernelTest(
    `NftablesTranslator: TCP over IPv${family} is told a segment size that fits tunnels behind`,
    () =>
      withBinding(
        bindingOf(family, { protocol: 'tcp', activeEnd: 'correspondent-node' }),
        async ({ network, binding }) => {
          const probe = new PacketProbe(network.cn, network.mn, [links.threeG]);
          const segmentSizeOf = (offered: number) => {
            const tcpOptions = Uint8Array.of(2, 4, offered >> 8, offered & 255);
            const fields = {
              ...downlinkFields(binding),
              payload: new Uint8Array(),
              tcpFlags: 0x02,
              tcpOptions,
            };
            const [seen] = probe.pass(buildPacket(fields));
            assert.ok(seen && hasRightChecksums(seen));
            const packet = IpPacket.read(seen) as IpPacket;
            return new DataView(seen.buffer, seen.byteOffset).getUint16(packet.transportOffset + 22);
          };
          assert.equal(segmentSizeOf(1460), 1340);
          assert.equal(segmentSizeOf(536), 536);
          probe.close();
        },
      ),
  );
}

kernelTest('NftablesTranslator: connection tracking never sees a translated packet', () =>
  withBinding(bindingOf(4), async ({ network, binding }) => {
    network.home.run(() => refuseTracked());
    const [cn, mn] = endsOf(network, binding);
    mn.send('untracked');
    assert.equal(await cn.receive(), 'untracked');
    cn.close();
    mn.close();
  }),
);

kernelTest(
  'NftablesTranslator: a packet from outside with one of our own addresses as source is dropped',
  () =>
    withBinding(bindingOf(4), async ({ network, binding, translator }) => {
      const spoofed = {
        ...downlinkFields(binding),
        source: '10.1.0.1',
        destination: '10.2.0.2',
        payload: new Uint8Array(9),
      };
      const probe = new PacketProbe(network.cn, network.mn, [links.wlan]);
      assert.deepEqual(probe.pass(buildPacket(spoofed), 0), []);
      assert.equal(
        network.home.run(() => translator.readDropped()),
        1,
      );
      probe.close();
    }),
);

kernelTest('NftablesTranslator: fragments pass where the kernel has connection tracking only', () =>
  withBinding(
    bindingOf(4),
    async ({ network, binding }) => {
      network.home.run(() => refuseTracked());
      const [cn, mn] = endsOf(network, binding);
      const payload = new Uint8Array(4000).fill(7);
      cn.send(payload);
      assert.deepEqual(await mn.receiveOctets(), payload);
      cn.close();
      mn.close();
    },
    { defragmentBy: 'connection-tracking' },
  ),
);

kernelTest('NftablesTranslator: with one link, it does not tell hosts to go around it', async () => {
  const network = openTranslatorNetwork();
  const neighbour = '203.0.113.200';
  network.cn.run(() =>
    withRtnetlink((links) => links.replaceRoute({ destination: `${neighbour}/32`, gateway: '203.0.113.1' })),
  );
  network.home.run(() =>
    withRtnetlink((links) =>
      links.replaceNeighbour({ link: 'to-cn', address: neighbour, macAddress: '02:00:00:00:0c:02' }),
    ),
  );
  const cn = new UdpEnd(network.cn, { address: '203.0.113.7', port: 7000 }, { address: neighbour, port: 9 });
  const icmp = network.cn.run(() => openSocket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP));
  const packet = new Uint8Array(1500);
  const isRedirected = (): boolean => {
    for (let length = receive(icmp, packet); length; length = receive(icmp, packet))
      if (packet[20] === ICMP_REDIRECT) return true;
    return false;
  };
  const translator = openHomeTranslator(network);
  cn.send('back where it came from');
  await sleep(50);
  assert.equal(isRedirected(), false);
  network.home.run(() => {
    translator.close();
    writeSysctl({ name: 'ipv4/ip_forward', value: '1' });
  });
  let wasRedirected = false;
  await until(() => {
    cn.send('back where it came from');
    wasRedirected = isRedirected();
    return wasRedirected;
  });
  assert.ok(wasRedirected, 'a router does');
  cn.close();
  closeDescriptor(icmp);
  network.close();
});

kernelTest('NftablesTranslator: counts what each flow carries, over handovers', () =>
  withBinding(bindingOf(4), async ({ network, binding, bindings, translator }) => {
    const [cn, mn] = endsOf(network, binding);
    const [uplink, downlink] = keysOf(binding);
    cn.send('one');
    await mn.receive();
    const wlan = { address: '10.2.0.2', port: 6000 };
    translator.apply(bindings.move('b', wlan, 0)?.operations ?? assert.fail());
    const moved = new UdpEnd(network.mn, wlan, binding.towardsMobileNode);
    cn.send('two');
    assert.equal(await moved.receive(), 'two');
    moved.send('up');
    assert.equal(await cn.receive(), 'up');
    assert.deepEqual(translator.readCounter(downlink), { packets: 2, octets: 2 * (20 + 8 + 3) });
    assert.deepEqual(translator.readCounter({ ...uplink, source: wlan.address }), {
      packets: 1,
      octets: 20 + 8 + 2,
    });
    assert.deepEqual(translator.readCounter(uplink), { packets: 0, octets: 0 });
    translator.apply(bindings.release('b')?.operations ?? assert.fail());
    assert.equal(translator.readCounter(downlink), undefined);
    for (const end of [cn, mn, moved]) end.close();
  }),
);

kernelTest('NftablesTranslator: a refused transaction changes nothing and says what was refused', () =>
  withBinding(
    bindingOf(4),
    async ({ network, binding, bindings, translator }) => {
      const another = (n: number): Binding => ({
        ...binding,
        id: `b${n}`,
        towardsMobileNode: { ...binding.towardsMobileNode, port: 30000 + n },
        towardsCorrespondent: { ...binding.towardsCorrespondent, port: 20000 + n },
      });
      const operations = [1, 2].flatMap((n) => bindings.install(another(n))?.operations ?? assert.fail());
      assert.throws(() => translator.apply(operations), {
        code: 'ENFILE',
        message: /^nftables: select in udp_by_destination_both: /,
      });
      const [cn, mn] = endsOf(network, binding);
      cn.send('still there');
      assert.equal(await mn.receive(), 'still there');
      translator.apply(operations.slice(0, 4));
      cn.close();
      mn.close();
    },
    { capacity: 4 },
  ),
);

kernelTest(
  'NftablesTranslator: a transaction larger than a message to the kernel is all or nothing too',
  () =>
    withBinding(
      bindingOf(6),
      async ({ network, binding, bindings, translator }) => {
        const another = (port: number): Binding => ({
          ...binding,
          id: `b${port}`,
          towardsMobileNode: { ...binding.towardsMobileNode, port },
          towardsCorrespondent: { ...binding.towardsCorrespondent, port },
        });
        const install = (ports: number[]) =>
          ports.flatMap((port) => bindings.install(another(port))?.operations ?? assert.fail());
        const manyPorts = (from: number) => Array.from({ length: 1500 }, (_, index) => from + index);
        const [many, more] = [install(manyPorts(1)), install(manyPorts(2001))];
        translator.apply(many);
        assert.throws(() => translator.apply(more), { code: 'ENFILE' });
        // Whatever was done of it has been taken back: there is room for as many as before.
        translator.apply(more.slice(0, 4 * 1000));
        const [cn, mn] = endsOf(network, binding);
        cn.send('still there');
        assert.equal(await mn.receive(), 'still there');
        cn.close();
        mn.close();
      },
      { capacity: 2 + 2 * 2500 },
    ),
);

const IPPROTO_ICMP = 1;
const ICMP_REDIRECT = 5;

function withRtnetlink(work: (links: Rtnetlink) => void): void {
  const links = new Rtnetlink();
  work(links);
  links.close();
}

interface Setting {
  readonly network: TranslatorNetwork;
  readonly binding: Binding;
  readonly bindings: BindingTable;
  readonly translator: NftablesTranslator;
}

async function withBinding(
  binding: Binding,
  work: (setting: Setting) => Promise<void>,
  options: Partial<NftablesTranslatorOptions> = {},
): Promise<void> {
  const network = openTranslatorNetwork();
  const translator = openHomeTranslator(network, { counters: true, ...options });
  const bindings = new BindingTable({ graceTimeMs: 1000 });
  try {
    translator.apply(bindings.install(binding)?.operations ?? assert.fail());
    await work({ network, binding, bindings, translator });
  } finally {
    network.home.run(() => translator.close());
    network.close();
  }
}

function endsOf(network: TranslatorNetwork, binding: Binding): [cn: UdpEnd, mn: UdpEnd] {
  return [
    new UdpEnd(network.cn, binding.correspondent, binding.towardsCorrespondent),
    new UdpEnd(network.mn, binding.mobileNode, binding.towardsMobileNode),
  ];
}

function downlinkFields({ protocol, correspondent, towardsCorrespondent }: Binding) {
  return {
    protocol,
    source: correspondent.address,
    sourcePort: correspondent.port,
    destination: towardsCorrespondent.address,
    destinationPort: towardsCorrespondent.port,
  };
}

function keysOf({ protocol, mobileNode, towardsMobileNode, correspondent, towardsCorrespondent }: Binding) {
  const family = familyOf(mobileNode.address);
  const base = { family, protocol, portOf: 'destination' as const };
  return [
    {
      ...base,
      source: mobileNode.address,
      destination: towardsMobileNode.address,
      port: towardsMobileNode.port,
    },
    {
      ...base,
      source: correspondent.address,
      destination: towardsCorrespondent.address,
      port: towardsCorrespondent.port,
    },
  ] as const;
}

/** A host's firewall that lets nothing through what connection tracking has seen. */
function refuseTracked(): void {
  const [NF_INET_FORWARD, STATE_UNTRACKED] = [2, 0x40];
  const hostOrder = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
  const rule = [
    loadTrackingState(0),
    maskWith(0, hostOrder(STATE_UNTRACKED)),
    compare(0, 'equal', hostOrder(0)),
    verdict('drop'),
  ];
  const batch = new NftablesBatch(new NetlinkSocket(NETLINK_NETFILTER));
  batch.add(nftablesMessage.newTable, netlinkFlag.create, 4, [[1, 'firewall']], 'table');
  batch.add(
    nftablesMessage.newChain,
    netlinkFlag.create,
    4,
    [
      [1, 'firewall'],
      [3, 'forward'],
      [
        4,
        [
          [1, NF_INET_FORWARD],
          [2, 0],
        ],
      ],
      [7, 'filter'],
    ],
    'chain',
  );
  const flags = netlinkFlag.create | netlinkFlag.append;
  const expressions = rule.map((expression) => [1, expression] as const);
  batch.add(
    nftablesMessage.newRule,
    flags,
    4,
    [
      [1, 'firewall'],
      [2, 'forward'],
      [4, expressions],
    ],
    'rule',
  );
  batch.commit();
}
