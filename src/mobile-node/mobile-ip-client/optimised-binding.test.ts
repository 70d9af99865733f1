import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  selectTunnelRule,
  type TunnelBinding,
  type TunnelEndpoint,
  type TunnelSelector,
} from '../../protocols/mobile-ip/tunnel-state.ts';
import { directEndpoint, optimisedBinding } from './optimised-binding.ts';

const [homeAgent, peer, other] = ['198.51.100.1', '203.0.113.2', '203.0.113.3'];
const [umts, wlan] = ['10.1.0.2', '10.2.0.2'];
const voice: TunnelSelector = { protocol: 17 };

const endpoint = (careOfAddress: string, agent: string): TunnelEndpoint => ({
  local: { address: careOfAddress, port: 434 },
  remote: { address: agent, port: 434 },
  encapsulation: 'rfc3519',
});
const bindingOf = (agent: string, bound: readonly string[], forwarding: string): TunnelBinding => ({
  homeAddress: '198.51.100.10',
  homeAgent: agent,
  endpoints: bound.map((one) => endpoint(one, agent)),
  rules: [
    { selector: voice, endpoints: [endpoint(umts, agent)] },
    { selector: {}, endpoints: [endpoint(forwarding, agent)] },
  ],
});
const home = bindingOf(homeAgent, [umts, wlan], wlan);
const correspondent = (binding: TunnelBinding | undefined) => ({
  correspondentAddress: peer,
  accepted: [umts, wlan].map((one) => endpoint(one, peer)),
  binding,
});
/** "care-of address > agent" */
const wayOf = (binding: TunnelBinding | undefined, to: string, protocol: number): string | undefined => {
  const flow = { correspondentAddress: to, protocol, homePort: 1, correspondentPort: 2 };
  const [chosen] = selectTunnelRule(binding?.rules ?? [], flow)?.endpoints ?? [];
  return chosen && `${chosen.local.address} > ${chosen.remote.address}`;
};

test('optimisedBinding: a correspondent is reached directly over the access of each class of flows, others by the home agent', () => {
  const both = optimisedBinding(home, [correspondent(bindingOf(peer, [umts, wlan], umts))]);
  assert.equal(wayOf(both, peer, 6), `${wlan} > ${peer}`);
  assert.equal(wayOf(both, peer, 17), `${umts} > ${peer}`);
  assert.equal(wayOf(both, other, 6), `${wlan} > ${homeAgent}`);
  assert.equal(wayOf(both, other, 17), `${umts} > ${homeAgent}`);
  assert.equal(both && directEndpoint(both, peer)?.local.address, wlan);
});

test('optimisedBinding: where the correspondent has no binding over the chosen access, the home agent has the packets', () => {
  const one = optimisedBinding(home, [correspondent(bindingOf(peer, [umts], umts))]);
  assert.equal(wayOf(one, peer, 6), `${wlan} > ${homeAgent}`);
  assert.equal(wayOf(one, peer, 17), `${umts} > ${peer}`);
  assert.equal(one && directEndpoint(one, peer), undefined);
});

test('optimisedBinding: a class that names another correspondent stays out of its rules', () => {
  const named = {
    ...home,
    rules: [{ selector: { correspondentAddress: other }, endpoints: [] }, ...home.rules],
  };
  const both = optimisedBinding(named, [correspondent(bindingOf(peer, [umts, wlan], umts))]);
  assert.equal(wayOf(both, peer, 6), `${wlan} > ${peer}`);
  assert.equal(wayOf(both, other, 6), undefined);
});

test('optimisedBinding: accepts packets of the correspondent over every access, and none but its own from its end', () => {
  const none = optimisedBinding(home, [correspondent(undefined)]);
  assert.equal(wayOf(none, peer, 6), `${wlan} > ${homeAgent}`);
  assert.deepEqual(
    none?.endpoints.map(({ local, remote, correspondentAddress }) => [
      local.address,
      remote.address,
      correspondentAddress,
    ]),
    [
      [umts, homeAgent, undefined],
      [wlan, homeAgent, undefined],
      [umts, peer, peer],
      [wlan, peer, peer],
    ],
  );
});

test('optimisedBinding: without the home agent correspondents are reached by their own orders, and nobody else', () => {
  const alone = optimisedBinding(undefined, [correspondent(bindingOf(peer, [umts, wlan], umts))]);
  assert.equal(wayOf(alone, peer, 6), `${umts} > ${peer}`);
  assert.equal(wayOf(alone, other, 6), undefined);
  assert.equal(optimisedBinding(undefined, [correspondent(undefined)]), undefined);
});
