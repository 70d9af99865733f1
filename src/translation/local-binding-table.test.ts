import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LocalBinding, LocalBindingTable } from './local-binding-table.ts';
import { formatFlowKey } from './translation-operation.ts';
import { TranslationTable } from './translation-table.ts';

const umts = { index: 1, address: '10.1.0.2' };
const wlan = { index: 2, address: '10.2.0.2' };
const wlan6 = { index: 2, address: '2001:db8:2::2' };
const binding: LocalBinding = {
  id: 'audio',
  protocol: 'udp',
  application: { address: '10.64.0.1', port: 6000 },
  peer: { address: '198.51.100.2', port: 30000 },
};

test('LocalBindingTable: the uplink moves to another access by one change, the application keeps its address', () => {
  const table = new LocalBindingTable();
  const kernel = new TranslationTable();
  kernel.apply(table.install(binding, umts) ?? assert.fail());
  const downlink = { source: '198.51.100.2', sourcePort: 30000, destination: '10.64.0.1' };
  const uplink = { destination: '198.51.100.2', destinationPort: 30000 };
  assert.deepEqual(flowsOf(kernel), [
    ['udp 10.64.0.1 > 198.51.100.2 destination port 30000', 1, { source: '10.1.0.2', ...uplink }],
    ['udp 198.51.100.2 > 10.1.0.2 source port 30000', 0, downlink],
  ]);
  kernel.apply(table.accept('audio', wlan));
  assert.deepEqual(table.accept('audio', wlan), []);
  assert.equal(kernel.apply(table.move('audio', wlan)).length, 1);
  kernel.apply(table.dismiss('audio', umts));
  assert.deepEqual(flowsOf(kernel), [
    ['udp 10.64.0.1 > 198.51.100.2 destination port 30000', 2, { source: '10.2.0.2', ...uplink }],
    ['udp 198.51.100.2 > 10.2.0.2 source port 30000', 0, downlink],
  ]);
  const counted = table.downlinkKey('audio', wlan) ?? assert.fail();
  assert.ok(kernel.find(counted));
  kernel.apply(table.release('audio'));
  assert.equal(kernel.size, 0);
  assert.deepEqual(table.release('audio'), []);
});

for (const activeEnd of [undefined, 'mobile-node', 'correspondent-node'] as const)
  test(`LocalBindingTable: over IPv6 the peer is elsewhere, and the application sees it where it was (${activeEnd ?? 'udp'})`, () => {
    const table = new LocalBindingTable();
    const kernel = new TranslationTable();
    const protocol = activeEnd ? 'tcp' : 'udp';
    const remote = { address: '2001:db8:f::1', port: 30002 };
    kernel.apply(
      table.install({ ...binding, protocol, ...(activeEnd && { activeEnd }) }, umts) ?? assert.fail(),
    );
    kernel.apply(table.accept('audio', wlan6, remote));
    assert.equal(kernel.apply(table.move('audio', wlan6)).length, 1);
    kernel.apply(table.dismiss('audio', umts));
    const isListening = activeEnd === 'correspondent-node';
    const [downlink, uplink] = isListening
      ? ['2001:db8:f::1 > 2001:db8:2::2 destination port 6000', '10.64.0.1 > 198.51.100.2 source port 6000']
      : [
          '2001:db8:f::1 > 2001:db8:2::2 source port 30002',
          '10.64.0.1 > 198.51.100.2 destination port 30000',
        ];
    assert.deepEqual(
      new Map(flowsOf(kernel).map(([text, , rewrite]) => [text, rewrite])),
      new Map([
        [
          `${protocol} ${downlink}`,
          { source: '198.51.100.2', ...(!isListening && { sourcePort: 30000 }), destination: '10.64.0.1' },
        ],
        [
          `${protocol} ${uplink}`,
          {
            source: wlan6.address,
            destination: remote.address,
            ...(!isListening && { destinationPort: 30002 }),
          },
        ],
      ]),
    );
    kernel.apply(table.move('audio', umts, binding.peer));
    kernel.apply(table.release('audio'));
    assert.equal(kernel.size, 0);
  });

test('LocalBindingTable: a binding installed on an access that does not reach its peer begins when it does', () => {
  const table = new LocalBindingTable();
  const kernel = new TranslationTable();
  kernel.apply(table.install(binding, wlan6) ?? assert.fail());
  assert.equal(kernel.size, 0);
  kernel.apply(table.release('audio'));
  kernel.apply(table.install(binding, wlan6) ?? assert.fail());
  kernel.apply(table.move('audio', umts));
  assert.equal(kernel.size, 2);
});

test('LocalBindingTable: an application that listens is found by its own port, since the peer picks one', () => {
  const table = new LocalBindingTable();
  const kernel = new TranslationTable();
  const listening = { ...binding, protocol: 'tcp', activeEnd: 'correspondent-node' } as const;
  kernel.apply(table.install(listening, umts) ?? assert.fail());
  assert.deepEqual(
    flowsOf(kernel).map(([text]) => text),
    ['tcp 10.64.0.1 > 198.51.100.2 source port 6000', 'tcp 198.51.100.2 > 10.1.0.2 destination port 6000'],
  );
});

test('LocalBindingTable: a second peer that connects to the same application needs another address of the home network', () => {
  const table = new LocalBindingTable();
  const kernel = new TranslationTable();
  const first = { ...binding, protocol: 'tcp', activeEnd: 'correspondent-node' } as const;
  const samePeer = { ...first, id: 'second', peer: { ...first.peer, port: 30001 } };
  const otherPeer = { ...samePeer, peer: { address: '198.51.100.3', port: 30000 } };
  kernel.apply(table.install(first, umts) ?? assert.fail());
  assert.equal(table.install(samePeer, umts), undefined);
  assert.equal(table.get('second'), undefined);
  kernel.apply(table.install(otherPeer, umts) ?? assert.fail());
  kernel.apply(table.release('second'));
  kernel.apply(table.release(first.id));
  kernel.apply(table.install(samePeer, umts) ?? assert.fail());
  assert.equal(kernel.size, 2);
});

function flowsOf(kernel: TranslationTable): [string, number, unknown][] {
  return [...kernel.flows()]
    .map((key): [string, number, unknown] => {
      const version = kernel.find(key) ?? assert.fail();
      return [formatFlowKey(key), version.mark >>> 24, version.rewrite];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
