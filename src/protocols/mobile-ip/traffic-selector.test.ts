import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeTrafficSelector,
  encodeTrafficSelector,
  toTrafficSelector,
  toTunnelSelector,
} from './traffic-selector.ts';
import type { TunnelSelector } from './tunnel-state.ts';

test('encodeTrafficSelector: flags A to N from the most significant bit on, then the flagged fields', () => {
  const selector = {
    sourceAddress: { first: '192.0.2.1' },
    sourcePort: { first: 5000, last: 5010 },
    protocol: { first: 17 },
  };
  const octets = encodeTrafficSelector(selector);
  assert.equal(Buffer.from(octets).toString('hex'), '0083080000c00002011388139211');
  assert.deepEqual(decodeTrafficSelector(octets, 0), selector);
});

test('encodeTrafficSelector: nothing selects everything', () => {
  assert.equal(Buffer.from(encodeTrafficSelector({})).toString('hex'), '0000000000');
});

test('toTunnelSelector: gives back what toTrafficSelector made of a tunnel selector', () => {
  const selectors: readonly TunnelSelector[] = [
    {},
    { protocol: 6 },
    { homePorts: [1, 2] },
    { protocol: 17, homePorts: [5000, 5010], correspondentPorts: [80, 80] },
    { correspondentAddress: '192.0.2.1', protocol: 6 },
  ];
  for (const selector of selectors)
    assert.deepEqual(toTunnelSelector(toTrafficSelector(selector), '10.0.0.50'), selector);
});

test('toTunnelSelector: knows what the data path cannot select by', () => {
  const address = (first: string) => ({ first });
  assert.deepEqual(toTunnelSelector({ destinationAddress: address('10.0.0.50') }, '10.0.0.50'), {});
  assert.deepEqual(toTunnelSelector({ sourcePort: { first: 22 } }, '10.0.0.50'), {
    correspondentPorts: [22, 22],
  });
  for (const selector of [
    { destinationAddress: address('10.0.0.51') },
    { sourceAddress: { first: '192.0.2.0', last: '192.0.2.255' } },
    { differentiatedServices: { first: 0xb8 } },
    { securityParametersIndex: { first: 7 } },
    { protocol: { first: 6, last: 17 } },
  ])
    assert.equal(toTunnelSelector(selector, '10.0.0.50'), undefined);
});
