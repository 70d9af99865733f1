import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Extension } from '../../protocols/mobile-ip/extension.ts';
import { encodeMessage } from '../../protocols/mobile-ip/message.ts';

import {
  association,
  Bench,
  forwardOver,
  homeAddress,
  multipath,
  ofPath,
  tunnelRequest,
  umts,
  wlan,
} from './test-bench.ts';

test('HomeAgent: without the S flag a registration replaces the others, with it packets go to all', () => {
  const bench = new Bench();
  bench.register();
  bench.register({ simultaneousBindings: true, careOfAddress: wlan.address }, wlan);
  assert.deepEqual(bench.forwarding(), [umts.address, wlan.address]);
  bench.register({ careOfAddress: wlan.address }, wlan);
  assert.deepEqual(bench.forwarding(), [wlan.address]);
  assert.equal(bench.agent.bindings, 1);
  assert.deepEqual(
    bench.events.filter(({ type }) => type === 'binding-removed').map((event) => JSON.stringify(event)),
    [
      JSON.stringify({
        type: 'binding-removed',
        homeAddress,
        careOfAddress: umts.address,
        bindingId: undefined,
        reason: 'replaced',
      }),
    ],
  );
});

test('HomeAgent: the newest path forwards until a flow binding says otherwise; then the first live one of its list', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  bench.register(ofPath(2, wlan), wlan);
  assert.deepEqual(bench.forwarding(), [wlan.address]);
  bench.register(ofPath(1, umts));
  assert.deepEqual(bench.forwarding(), [wlan.address], 'a renewed one is not new');
  bench.register(ofPath(1, umts, forwardOver(1, 2)));
  assert.deepEqual(bench.forwarding(), [umts.address]);
  bench.register({ ...ofPath(1, umts), lifetimeSeconds: 0 });
  assert.deepEqual(bench.forwarding(), [wlan.address]);
  const changed = bench.events.filter((event) => event.type === 'binding-changed');
  assert.deepEqual(
    changed.map(({ careOfAddress }) => careOfAddress),
    [umts.address, wlan.address, umts.address, wlan.address],
  );
});

test('HomeAgent: flow bindings by protocol and ports, and drop', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  const voice: Extension = {
    kind: 'flow-binding',
    action: 'forward',
    bindingIds: [2, 1],
    selector: { destinationPort: { first: 40_000, last: 40_009 }, protocol: { first: 17 } },
  };
  const blocked: Extension = {
    kind: 'flow-binding',
    action: 'drop',
    bindingIds: [255],
    selector: { sourcePort: { first: 25 } },
  };
  bench.register(ofPath(2, wlan, voice, blocked, forwardOver(1)), wlan);
  assert.deepEqual(
    bench
      .tunnel()
      ?.rules.slice(0, 3)
      .map(({ selector, endpoints }) => [selector, endpoints.map(({ remote }) => remote)]),
    [
      [{ protocol: 17, homePorts: [40_000, 40_009] }, [wlan]],
      [{ correspondentPorts: [25, 25] }, []],
      [{}, [umts]],
    ],
  );
});

test('HomeAgent: an older list of flow bindings that arrives late does not replace a newer one', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  bench.register(ofPath(2, wlan), wlan);
  const older = encodeMessage(bench.request(ofPath(1, umts, forwardOver(1))), association);
  bench.register(ofPath(2, wlan, forwardOver(2)), wlan);
  bench.receive(older);
  assert.equal(bench.lastReply().code, 0);
  assert.deepEqual(bench.forwarding(), [wlan.address]);
});

test('HomeAgent: O replaces the other paths, but none that was registered later', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  const overwriting = bench.request({
    ...ofPath(2, wlan),
    extensions: [tunnelRequest, multipath(2, { overwrite: true })],
  });
  const three = { address: '192.0.2.3', port: 434 };
  bench.register(ofPath(3, three), three);
  bench.receive(encodeMessage(overwriting, association), wlan);
  assert.equal(bench.lastReply().code, 0);
  const ids = () => bench.agent.record(homeAddress).bindings.map(({ bindingId }) => bindingId);
  assert.deepEqual(ids(), [3, 2]);
  assert.equal(
    bench.register({ ...ofPath(1, umts), identification: overwriting.identification - 1n }).code,
    133,
  );
  assert.deepEqual(ids(), [3, 2]);
});

test('HomeAgent: B renews all paths, or with lifetime 0 takes all back', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  bench.register(ofPath(2, wlan), wlan);
  bench.advance(200_000);
  bench.register({ ...ofPath(2, wlan), extensions: [tunnelRequest, multipath(2, { bulk: true })] }, wlan);
  bench.advance(400_000);
  assert.equal(bench.agent.bindings, 2);
  bench.register(
    { ...ofPath(2, wlan), lifetimeSeconds: 0, extensions: [multipath(2, { bulk: true })] },
    wlan,
  );
  assert.equal(bench.agent.bindings, 0);
});

test('HomeAgent: a path keeps its identifier when its care-of address changes', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  bench.register(ofPath(1, wlan), wlan);
  assert.deepEqual(
    bench.agent.record(homeAddress).bindings.map(({ careOfAddress }) => careOfAddress),
    [wlan.address],
  );
});

test('HomeAgent: eight bindings, the ninth is denied with 135, renewals and replacements are not', () => {
  const bench = new Bench();
  for (let id = 1; id <= 8; id++) assert.equal(bench.register(ofPath(id, umts)).code, 0);
  assert.equal(bench.register(ofPath(9, umts)).code, 135);
  assert.equal(bench.register(ofPath(8, umts)).code, 0);
  assert.equal(
    bench.register({ ...ofPath(9, umts), extensions: [tunnelRequest, multipath(9, { overwrite: true })] })
      .code,
    0,
  );
  assert.equal(bench.agent.bindings, 1);
});

test('HomeAgent: one deregistration takes one binding back, one with the home address takes all', () => {
  const bench = new Bench();
  bench.register({ simultaneousBindings: true });
  bench.register({ simultaneousBindings: true, careOfAddress: wlan.address }, wlan);
  assert.equal(bench.register({ lifetimeSeconds: 0, extensions: [] }).lifetimeSeconds, 0);
  assert.deepEqual(bench.forwarding(), [wlan.address]);
  bench.effects = [];
  bench.register(
    {
      lifetimeSeconds: 0,
      careOfAddress: homeAddress,
      decapsulationByMobileNode: false,
      reverseTunnel: false,
      extensions: [],
    },
    { address: homeAddress, port: 434 },
  );
  assert.equal(bench.agent.bindings, 0);
  bench.advance(5000);
  // RFC 5944 §4.6: first stop answering for it, then tell its own address.
  assert.deepEqual(
    bench.effects.filter(({ type }) => type !== 'journal').map((effect) => JSON.stringify(effect)),
    [
      { type: 'tunnel', change: { kind: 'unbind', homeAddress } },
      { type: 'proxy-arp', homeAddress, enabled: false },
      ...[1, 2, 3].map(() => ({ type: 'gratuitous-arp', homeAddress, owner: 'mobile-node' })),
    ].map((effect) => JSON.stringify(effect)),
  );
});
