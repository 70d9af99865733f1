import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipEndpoint } from '../endpoint.ts';
import { SipProxy } from './sip-proxy.ts';

test('SipProxy: has nothing to say before something happens', () => {
  const endpoint = new SipEndpoint({ listen: [], random: new SeededRandomSource(1) });
  const proxy = new SipProxy({ endpoint, ownNames: ['p.test'] });
  assert.deepEqual(
    [proxy.pollTimeout(), proxy.pollOutput(), proxy.pollEvent(0)],
    [undefined, undefined, undefined],
  );
});
