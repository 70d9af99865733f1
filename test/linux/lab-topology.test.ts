import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessProfiles } from '../../src/access-network/access-profiles.ts';
import { familyOf } from '../../src/base/ip-address.ts';
import { NftablesTranslator } from '../../src/drivers/linux/nftables-translator.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { type AccessPlace, accessPlaces, labAddresses } from '../../src/testbed/lab-addresses.ts';
import { labTopology } from '../../src/testbed/lab-topology.ts';
import { kernelTest } from './own-namespace.ts';

kernelTest(
  'labTopology: the mobile node reaches every role over either access, once it chooses one',
  async () => {
    const topology = new KernelTopology(labTopology(), { seed: 1 });
    const roles = [
      ['home', labAddresses.proxyCscf],
      ['home', labAddresses.trimApplicationServer],
      ['translator', labAddresses.translatorTowardsMobileNodes[1]],
      ['cn', labAddresses.correspondentNode],
    ] as const;
    for (const { address, gateway } of accessPlaces()) {
      topology.configure('mn', (rtnetlink) => rtnetlink.replaceRoute({ destination: '0.0.0.0/0', gateway }));
      for (const [node, role] of roles)
        assert.equal(await sourceSeenBy(topology, node, role, address), address);
    }
    await topology.close();
  },
);

kernelTest(
  'labTopology: over an access that has IPv6 alone the mobile node reaches P-CSCFs and translator by IPv6, and nobody by IPv4',
  async () => {
    const accesses = [{ name: 'wlan', profile: accessProfiles.wlan, family: 6 }] as const;
    const topology = new KernelTopology(labTopology(accesses), { seed: 1 });
    const [{ address, gateway }] = accessPlaces(accesses) as [AccessPlace];
    topology.configure('mn', (rtnetlink) => rtnetlink.replaceRoute({ destination: '::/0', gateway }));
    const { proxyCscf, secondProxyCscf, translatorTowardsMobileNodes } = labAddresses.ipv6;
    for (const [node, role] of [
      ['home', proxyCscf],
      ['home', secondProxyCscf],
      ['translator', translatorTowardsMobileNodes],
    ] as const)
      assert.equal(await sourceSeenBy(topology, node, role, address), address);
    const { addresses, routes } = topology.namespaceOf('mn').run(readKernelState);
    const ofWlan = (lines: readonly string[]) => lines.filter((line) => line.includes('10.1.'));
    assert.deepEqual([ofWlan(addresses), ofWlan(routes)], [[], []]);
    await topology.close();
  },
);

kernelTest(
  'labTopology: an access router translates addresses and filters sources when the scenario says so',
  async () => {
    const { wlan } = accessProfiles;
    const accesses = [
      { name: 'plain', profile: wlan },
      { name: 'guarded', profile: wlan, nat: true, strictSource: true },
    ];
    const topology = new KernelTopology(labTopology(accesses, 'mip-sip'), { seed: 1 });
    const peer = bind(topology, 'cn', labAddresses.correspondentNode);
    const heard: string[] = [];
    peer.on('message', (text, { address }) => heard.push(`${text} from ${address}`));
    const [, guarded] = accessPlaces(accesses);
    topology.configure('mn', (rtnetlink) => {
      rtnetlink.addAddress('lo', '10.99.0.1/32');
      rtnetlink.replaceRoute({ destination: '0.0.0.0/0', gateway: guarded?.gateway ?? '' });
    });
    const answers: string[] = [];
    for (const [text, source] of [
      ['own', guarded?.address ?? ''],
      ['foreign', '10.99.0.1'],
      ['last', guarded?.address ?? ''],
    ] as const) {
      const sender = bind(topology, 'mn', source);
      sender.on('message', (answer) => answers.push(String(answer)));
      sender.send(text, peer.address().port, labAddresses.correspondentNode);
      if (text === 'foreign') {
        sender.unref();
        continue;
      }
      const [, remote] = await once(peer, 'message');
      peer.send(`to ${text}`, remote.port, remote.address);
      await once(sender, 'message');
      sender.close();
    }
    assert.deepEqual(heard, [`own from ${guarded?.routerAddress}`, `last from ${guarded?.routerAddress}`]);
    assert.deepEqual(answers, ['to own', 'to last']);
    peer.close();
    await topology.close();
  },
);

kernelTest('readKernelState: is the same before and after a lab, and shows what somebody left', async () => {
  const before = readKernelState();
  assert.notEqual(before.tables, undefined);
  const topology = new KernelTopology(labTopology(), { seed: 1 });
  const node = topology.namespaceOf('mn');
  const own = node.run(readKernelState);
  topology.configure('mn', (rtnetlink) => rtnetlink.addRule({ family: 4, priority: 5, table: 7 }));
  assert.notDeepEqual(node.run(readKernelState), own);
  await topology.close();
  assert.deepEqual(readKernelState(), before);
});

kernelTest('readKernelState: lists nftables tables', () => {
  const translator = NftablesTranslator.open({
    instance: 'left-over',
    placement: 'home',
    addresses: ['192.0.2.1'],
  });
  const { tables } = readKernelState();
  translator.close();
  assert.ok(tables?.includes('family 2 trimaran-left-over'));
  assert.deepEqual(readKernelState().tables, []);
});

/** Of a datagram from the mobile node's access address to one of a role. */
async function sourceSeenBy(
  topology: KernelTopology,
  node: string,
  role: string,
  address: string,
): Promise<string> {
  const receiver = bind(topology, node, role);
  const sender = bind(topology, 'mn', address);
  sender.send('x', receiver.address().port, role);
  const [, remote] = await once(receiver, 'message');
  receiver.close();
  sender.close();
  return remote.address;
}

function bind(topology: KernelTopology, node: string, address: string) {
  const family = familyOf(address);
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (name, _options, callback) => callback(null, name, family),
  });
  topology.namespaceOf(node).run(() => socket.bind({ address, port: 0 }));
  return socket;
}
