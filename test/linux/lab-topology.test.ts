import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { NftablesTranslator } from '../../src/drivers/linux/nftables-translator.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { accessPlaces, labAddresses } from '../../src/testbed/lab-addresses.ts';
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
      for (const [node, role] of roles) {
        const receiver = bind(topology, node, role);
        const sender = bind(topology, 'mn', address);
        sender.send('x', receiver.address().port, role);
        const [, remote] = await once(receiver, 'message');
        assert.equal(remote.address, address);
        receiver.close();
        sender.close();
      }
    }
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

function bind(topology: KernelTopology, node: string, address: string) {
  const socket = createSocket({
    type: 'udp4',
    lookup: (name, _options, callback) => callback(null, name, 4),
  });
  topology.namespaceOf(node).run(() => socket.bind({ address, port: 0 }));
  return socket;
}
