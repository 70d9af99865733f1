import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowKey, Rewrite, TranslationOperation } from './translation-operation.ts';
import { TranslationTable } from './translation-table.ts';

const key: FlowKey = {
  family: 4,
  protocol: 'udp',
  source: '203.0.113.7',
  destination: '198.51.100.1',
  port: 40000,
  portOf: 'destination',
};
const define = (mark: number): TranslationOperation => ({
  kind: 'define-version',
  mark,
  family: 4,
  protocol: 'udp',
  rewrite: { destination: `10.0.0.${mark}` },
});
const toIpv6 = (mark: number, rewrite: Rewrite): TranslationOperation => ({
  ...{ kind: 'define-version', mark, family: 6, protocol: 'udp' },
  rewrite,
});
const select = (mark: number): TranslationOperation => ({ kind: 'select-version', key, mark });

test('TranslationTable: a flow that a transaction touches several times changes once', () => {
  const table = new TranslationTable();
  table.apply([define(1), define(2), select(1)]);
  const changes = table.apply([
    select(2),
    { kind: 'deselect', key },
    select(2),
    { kind: 'forget-version', mark: 1 },
  ]);
  assert.deepEqual(
    changes.map(({ before, after }) => [before?.mark, after?.mark]),
    [[1, 2]],
  );
  assert.equal(table.find(key)?.rewrite.destination, '10.0.0.2');
  assert.deepEqual(table.apply([select(2)]), []);
});

test('TranslationTable: a transaction that contradicts the state changes nothing', () => {
  const table = new TranslationTable();
  table.apply([define(1), select(1)]);
  const contradictions: TranslationOperation[][] = [
    [define(2), select(2), { kind: 'forget-version', mark: 2 }],
    [define(2), select(2), select(3)],
    [
      { kind: 'deselect', key },
      { kind: 'deselect', key },
    ],
    [define(1)],
    [define(0)],
    [{ kind: 'forget-version', mark: 9 }],
    [define(2), { kind: 'select-version', key: { ...key, protocol: 'tcp' }, mark: 2 }],
    [toIpv6(2, { destination: '2001:db8:1::2' }), select(2)],
    [toIpv6(2, { source: '198.51.100.2', destination: '2001:db8:1::2' }), select(2)],
  ];
  for (const operations of contradictions) {
    assert.throws(() => table.apply(operations), { code: 'TRANSLATION_REFUSED' }, JSON.stringify(operations));
    assert.equal(table.find(key)?.mark, 1);
    assert.equal(table.size, 1);
  }
  assert.equal(table.apply([define(2), select(2), { kind: 'forget-version', mark: 1 }]).length, 1);
});

test('TranslationTable: a version that writes both addresses of the other version of IP serves flows of either', () => {
  const table = new TranslationTable();
  const rewrite = { source: '2001:db8:f::1', destination: '2001:db8:1::2' };
  const key6 = { ...key, family: 6, source: '2001:db8:c::7', destination: '2001:db8:f::2' } as const;
  table.apply([toIpv6(2, rewrite), select(2), { kind: 'select-version', key: key6, mark: 2 }]);
  for (const one of [key, key6]) assert.deepEqual(table.find(one)?.rewrite, rewrite);
});

test('TranslationTable: a flow to another of our own mobile nodes does what both bindings do, whichever is changed', () => {
  const [x1, x2, y1, y2] = ['198.51.100.1', '198.51.100.2', '198.51.100.3', '198.51.100.4'];
  const table = new TranslationTable(new Set([x1, x2, y1, y2]));
  const first = { ...key, source: '10.1.0.2', destination: y1 };
  const second = { ...key, source: x1, destination: x2, port: 20000 };
  const version = (mark: number, rewrite: Rewrite): TranslationOperation => ({
    kind: 'define-version',
    mark,
    family: 4,
    protocol: 'udp',
    rewrite,
  });
  const selectVersion = (of: FlowKey, mark: number): TranslationOperation => ({
    kind: 'select-version',
    key: of,
    mark,
  });
  const alone = { source: x1, sourcePort: 10000, destination: x2, destinationPort: 20000 };
  const toNode = (destination: string) => ({
    source: y2,
    sourcePort: 30000,
    destination,
    destinationPort: 6000,
  });
  table.apply([version(1, alone), selectVersion(first, 1)]);
  assert.deepEqual(table.find(first)?.rewrite, alone);
  table.apply([version(2, toNode('10.1.0.3')), selectVersion(second, 2)]);
  assert.deepEqual(table.find(first)?.rewrite, toNode('10.1.0.3'));
  assert.deepEqual(table.feedersOf(second), [first]);

  // Both nodes move in one transaction: one change for each of their flows.
  const moved = { ...first, source: '10.2.0.2' };
  const changes = table.apply([
    selectVersion(moved, 1),
    version(3, toNode('10.2.0.3')),
    selectVersion(second, 3),
    { kind: 'forget-version', mark: 2 },
  ]);
  assert.equal(changes.length, 3);
  for (const one of [first, moved]) assert.deepEqual(table.find(one)?.rewrite, toNode('10.2.0.3'));

  assert.throws(() => table.apply([{ kind: 'deselect', key: second }, define(1)]), {
    code: 'TRANSLATION_REFUSED',
  });
  assert.deepEqual(table.find(first)?.rewrite, toNode('10.2.0.3'));
  table.apply([
    { kind: 'deselect', key: second },
    { kind: 'forget-version', mark: 3 },
  ]);
  assert.deepEqual(table.find(first)?.rewrite, alone);
  table.apply([
    { kind: 'deselect', key: first },
    { kind: 'deselect', key: moved },
  ]);
  assert.deepEqual([table.size, table.feedersOf(second)], [0, []]);
});
