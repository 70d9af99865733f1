import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowKey, TranslationOperation } from './translation-operation.ts';
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
  ];
  for (const operations of contradictions) {
    assert.throws(() => table.apply(operations), { code: 'TRANSLATION_REFUSED' }, JSON.stringify(operations));
    assert.equal(table.find(key)?.mark, 1);
    assert.equal(table.size, 1);
  }
  assert.equal(table.apply([define(2), select(2), { kind: 'forget-version', mark: 1 }]).length, 1);
});
