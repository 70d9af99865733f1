import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlowKey, formatFlowKey, type TranslationOperation } from './translation-operation.ts';

const key: FlowKey = {
  family: 4,
  protocol: 'udp',
  source: '203.0.113.7',
  destination: '198.51.100.1',
  port: 40000,
  portOf: 'destination',
};

test('formatFlowKey: tells apart keys that differ in any one field', () => {
  const others: FlowKey[] = [
    { ...key, protocol: 'tcp' },
    { ...key, source: '203.0.113.8' },
    { ...key, destination: '198.51.100.2' },
    { ...key, port: 40001 },
    { ...key, portOf: 'source' },
  ];
  const operations: TranslationOperation[] = [key, ...others].map((k) => ({ kind: 'deselect', key: k }));
  assert.equal(new Set([key, ...others].map(formatFlowKey)).size, operations.length);
  assert.equal(formatFlowKey(key), 'udp 203.0.113.7 > 198.51.100.1 destination port 40000');
});
