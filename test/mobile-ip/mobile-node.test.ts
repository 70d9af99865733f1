/** Mobile IP, policy and SIP in one mobile node (MIP–SIP §3), with a real home agent in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MobileNodeNetwork, type MobileNodeNetworkOptions } from './mobile-node-network.ts';

const delays = { umts: 75, wlan: 5, wimax: 25 };

test('MobileNode: binds every access at once, and TCP from the home address goes over the one that is preferred', () => {
  const all = started();
  assert.deepEqual(all.agent.bindings, 3);
  assert.equal(all.current, 'umts');
  assert.equal(all.forwarding, 'umts');
  const { mobile, peer, stop } = all.connect();
  all.run(2000);
  stop();
  all.run(2000);
  assert.ok(mobile.sent > 1000);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

test('MobileNode: a soft handover is over when the home agent forwards over the new access', () => {
  const all = started();
  all.requestHandover('wlan');
  all.run(1000);
  const { bindingMs, totalMs, kind } = all.events('handover-completed').at(-1)!;
  assert.equal(all.forwarding, 'wlan');
  assert.deepEqual([kind, totalMs], ['soft', bindingMs]);
});

test('MobileNode: TCP lives through twenty handovers and loses no octet', () => {
  const all = started();
  const { mobile, peer, stop } = all.connect();
  const names = Object.keys(delays);
  for (let count = 1; count <= 20; count++) {
    all.requestHandover(names[count % 3]!);
    all.run(1500);
    assert.equal(all.current, names[count % 3]);
  }
  stop();
  all.run(5000);
  assert.ok(!mobile.isBroken && !peer.isBroken);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

function started(options: Partial<MobileNodeNetworkOptions> = {}): MobileNodeNetwork {
  const all = new MobileNodeNetwork({ delays, ...options });
  all.attach(...Object.keys(options.delays ?? delays));
  all.run(3000);
  return all;
}
