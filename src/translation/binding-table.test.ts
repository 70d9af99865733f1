import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Binding, BindingTable } from './binding-table.ts';
import { type FlowKey, formatFlowKey } from './translation-operation.ts';
import { TranslationTable } from './translation-table.ts';

const [mobile3g, mobileWlan] = ['10.1.0.2', '10.2.0.2'];
const binding: Binding = {
  id: 'audio',
  protocol: 'udp',
  correspondent: { address: '203.0.113.7', port: 7000 },
  towardsCorrespondent: { address: '198.51.100.1', port: 20000 },
  towardsMobileNode: { address: '198.51.100.2', port: 30000 },
  mobileNode: { address: mobile3g, port: 6000 },
};
const uplinkFrom = (source: string): FlowKey => ({
  family: 4,
  protocol: 'udp',
  source,
  destination: '198.51.100.2',
  port: 30000,
  portOf: 'destination',
});
const downlink: FlowKey = { ...uplinkFrom('203.0.113.7'), destination: '198.51.100.1', port: 20000 };

test('BindingTable: install binds both directions with all four fields', () => {
  const { table, kernel } = installed(binding);
  assert.deepEqual(kernel.find(uplinkFrom(mobile3g))?.rewrite, {
    source: '198.51.100.1',
    sourcePort: 20000,
    destination: '203.0.113.7',
    destinationPort: 7000,
  });
  assert.deepEqual(kernel.find(downlink)?.rewrite, {
    source: '198.51.100.2',
    sourcePort: 30000,
    destination: mobile3g,
    destinationPort: 6000,
  });
  assert.equal(table.pollTimeout(), undefined);
});

test('BindingTable: the active end of a TCP connection keeps its port on both sides', () => {
  const byMobile = installed({ ...binding, protocol: 'tcp', activeEnd: 'mobile-node' }).kernel;
  assert.deepEqual(
    [...byMobile.flows()].map((key) => [formatFlowKey(key), Object.keys(byMobile.find(key)?.rewrite ?? {})]),
    [
      ['tcp 10.1.0.2 > 198.51.100.2 destination port 30000', ['source', 'destination', 'destinationPort']],
      ['tcp 203.0.113.7 > 198.51.100.1 source port 7000', ['source', 'sourcePort', 'destination']],
    ],
  );
  const byCorrespondent = installed({ ...binding, protocol: 'tcp', activeEnd: 'correspondent-node' }).kernel;
  assert.deepEqual(
    [...byCorrespondent.flows()].map((key) => [
      formatFlowKey(key),
      Object.keys(byCorrespondent.find(key)?.rewrite ?? {}),
    ]),
    [
      ['tcp 10.1.0.2 > 198.51.100.2 source port 6000', ['source', 'sourcePort', 'destination']],
      ['tcp 203.0.113.7 > 198.51.100.1 destination port 20000', ['source', 'destination', 'destinationPort']],
    ],
  );
});

test('BindingTable: a move changes the downlink alone and accepts the former address until the grace time ends', () => {
  const { table, kernel } = installed(binding);
  const before = kernel.find(downlink)?.mark;
  kernel.apply(table.accept('audio', mobileWlan)?.operations ?? assert.fail());
  const changes = kernel.apply(
    table.move('audio', { address: mobileWlan, port: 6000 }, 1000)?.operations ?? assert.fail(),
  );
  assert.deepEqual(
    changes.map(({ key }) => formatFlowKey(key)),
    [formatFlowKey(downlink)],
  );
  assert.notEqual(kernel.find(downlink)?.mark, before);
  assert.equal(kernel.find(downlink)?.rewrite.destination, mobileWlan);
  assert.deepEqual(table.pollTimeout(), { at: 2000, reason: 'grace time after a handover' });
  assert.deepEqual(table.handleTimeout(1999).operations, []);
  assert.ok(kernel.find(uplinkFrom(mobile3g)));
  kernel.apply(table.handleTimeout(2000).operations);
  assert.equal(kernel.find(uplinkFrom(mobile3g)), undefined);
  assert.ok(kernel.find(uplinkFrom(mobileWlan)));
  assert.equal(table.pollTimeout(), undefined);
});

test('BindingTable: a node that comes back within the grace time is not cut off when that ends', () => {
  const { table, kernel } = installed(binding);
  const move = (address: string, now: number) =>
    kernel.apply(table.move('audio', { address, port: 6000 }, now)?.operations ?? assert.fail());
  move(mobileWlan, 1000);
  move(mobile3g, 1500);
  kernel.apply(table.handleTimeout(2000).operations);
  assert.ok(kernel.find(uplinkFrom(mobile3g)));
  assert.ok(kernel.find(uplinkFrom(mobileWlan)));
  kernel.apply(table.handleTimeout(2500).operations);
  assert.ok(kernel.find(uplinkFrom(mobile3g)));
  assert.equal(kernel.find(uplinkFrom(mobileWlan)), undefined);
  assert.equal(kernel.find(downlink)?.rewrite.destination, mobile3g);
});

test('BindingTable: refuses a taken id, a taken flow and an unknown binding, and is as before after an undo', () => {
  const { table } = installed(binding);
  assert.equal(table.install(binding), undefined);
  assert.equal(table.install({ ...binding, id: 'other' }), undefined);
  assert.equal(table.accept('other', mobileWlan), undefined);
  assert.equal(table.move('other', { address: mobileWlan, port: 1 }, 0), undefined);
  assert.equal(table.release('other'), undefined);
  const release = table.release('audio') ?? assert.fail();
  assert.ok(table.isFree(binding));
  release.undo();
  assert.ok(!table.isFree(binding));
  table.move('audio', { address: mobileWlan, port: 6000 }, 0)?.undo();
  assert.equal(table.get('audio')?.mobileNode.address, mobile3g);
  assert.deepEqual(table.handleTimeout(9999).operations, []);
});

test('BindingTable: whatever happens in whatever order, an engine never refuses, and nothing is left after the releases', () => {
  const event = fc.record({
    kind: fc.constantFrom('install', 'accept', 'move', 'release', 'timeout', 'undone move'),
    session: fc.nat({ max: 2 }),
    access: fc.nat({ max: 2 }),
    elapsedMs: fc.nat({ max: 600 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 80 }), (events) => {
      const table = new BindingTable({ graceTimeMs: 1000 });
      const kernel = new TranslationTable();
      let now = 0;
      for (const { kind, session, access, elapsedMs } of events) {
        now += elapsedMs;
        const id = `s${session}`;
        const mobileNode = { address: `10.${access}.0.2`, port: 6000 };
        const towardsMobileNode = { address: '198.51.100.2', port: 30000 + session };
        const towardsCorrespondent = { address: '198.51.100.1', port: 20000 + session };
        if (kind === 'install')
          kernel.apply(
            table.install({ ...binding, id, mobileNode, towardsMobileNode, towardsCorrespondent })
              ?.operations ?? [],
          );
        if (kind === 'accept') kernel.apply(table.accept(id, mobileNode.address)?.operations ?? []);
        if (kind === 'move') kernel.apply(table.move(id, mobileNode, now)?.operations ?? []);
        if (kind === 'undone move') table.move(id, mobileNode, now)?.undo();
        if (kind === 'release') kernel.apply(table.release(id)?.operations ?? []);
        if (kind === 'timeout') kernel.apply(table.handleTimeout(now).operations);
        for (const one of [0, 1, 2].flatMap((n) => table.get(`s${n}`) ?? [])) {
          const key = { ...uplinkFrom(one.mobileNode.address), port: one.towardsMobileNode.port };
          assert.ok(kernel.find(key), 'the present address is accepted');
        }
      }
      for (const session of [0, 1, 2]) kernel.apply(table.release(`s${session}`)?.operations ?? []);
      assert.equal(kernel.size, 0);
      assert.equal(table.size, 0);
    }),
    { seed: 1, numRuns: 500 },
  );
});

function installed(one: Binding): { table: BindingTable; kernel: TranslationTable } {
  const table = new BindingTable({ graceTimeMs: 1000 });
  const kernel = new TranslationTable();
  kernel.apply(table.install(one)?.operations ?? assert.fail());
  return { table, kernel };
}
