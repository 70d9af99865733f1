import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipEndpoint } from '../endpoint.ts';
import { BackToBackUserAgent } from './back-to-back-user-agent.ts';

test('BackToBackUserAgent knows nothing of a call that never was', () => {
  const random = new SeededRandomSource(1);
  const agent = new BackToBackUserAgent({ endpoint: new SipEndpoint({ listen: [], random }), random });
  assert.equal(agent.legOf(7, 'caller'), undefined);
});
