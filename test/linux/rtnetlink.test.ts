import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type NetworkEvent, NetworkMonitor } from '../../src/drivers/linux/network-monitor.ts';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { kernelTest } from './own-namespace.ts';

kernelTest('Rtnetlink: what is made is listed, and what is deleted is not', () => {
  const { near, nearSide } = pair();
  const before = state(near);
  near.changeLink('wlan0', { up: true, mtu: 1400, gsoMaxSegments: 1 });
  const address = { link: 'wlan0', address: '10.1.0.2/24' };
  const route = { destination: '0.0.0.0/0', gateway: '10.1.0.1', link: 'wlan0', table: 100 };
  const rule = { family: 4, priority: 100, table: 100, mark: 0x0100_0000, mask: 0xff00_0000 } as const;
  const from = { family: 4, priority: 101, table: 100, from: '10.64.0.1/32' } as const;
  const to = { family: 4, priority: 102, table: 100, to: '192.0.2.1/32' } as const;
  near.addAddress(address.link, address.address);
  near.replaceRoute(route);
  near.addRule(rule);
  near.addRule(from);
  near.addRule(to);
  near.replaceNeighbour({ link: 'wlan0', address: '10.1.0.1', macAddress: '02:00:00:00:00:02' });

  const { mtu, isUp } = near.links().at(-1) ?? {};
  assert.deepEqual({ mtu, isUp }, { mtu: 1400, isUp: true });
  assert.ok(near.addresses().some((candidate) => candidate.address === '10.1.0.2/24'));
  assert.deepEqual(
    near.routes().filter(({ table }) => table === 100),
    [{ ...route, type: 1 }],
  );
  assert.deepEqual(
    near.rules().filter(({ table }) => table === 100),
    [rule, from, to],
  );

  near.deleteRoute(route);
  near.deleteRule(rule);
  near.deleteRule(from);
  near.deleteRule(to);
  near.deleteAddress(address.link, address.address);
  near.changeLink('wlan0', { up: false, mtu: 1500 });
  assert.deepEqual(state(near), before);
  near.deleteLink('wlan0');
  assert.throws(() => near.linkIndex('wlan0'), { code: 'ENODEV' });
  nearSide.close();
});

kernelTest('Rtnetlink: replacing a route leaves one route, with the new gateway', () => {
  const { near } = pair();
  near.changeLink('wlan0', { up: true });
  near.addAddress('wlan0', '10.1.0.2/24');
  for (const gateway of ['10.1.0.1', '10.1.0.9'])
    near.replaceRoute({ destination: '192.0.2.0/24', gateway, table: 7 });
  assert.deepEqual(
    near
      .routes()
      .filter(({ table }) => table === 7)
      .map(({ gateway }) => gateway),
    ['10.1.0.9'],
  );
});

kernelTest('Rtnetlink: a refusal carries the errno as its code', () => {
  const { near } = pair();
  assert.throws(() => near.replaceRoute({ destination: '192.0.2.0/24', gateway: '10.9.9.9' }), {
    code: 'ENETUNREACH',
  });
  assert.throws(() => near.addAddress('wlan0', 'nonsense/24'), { code: 'NOT_AN_ADDRESS' });
});

kernelTest(
  'NetworkMonitor: tells a lost and a regained carrier, and addresses, with the name of the link',
  async () => {
    const { near, nearSide, far } = pair();
    near.changeLink('wlan0', { up: true });
    const events = new EventLog();
    const monitor = nearSide.run(() => new NetworkMonitor((event) => events.add(event)));
    const carriers = (): boolean[] =>
      events.list.flatMap((event) =>
        event.kind === 'link-changed' && event.link.name === 'wlan0' ? [event.link.hasCarrier] : [],
      );

    await events.until(() => carriers().at(-1) === false);
    far.changeLink('peer0', { up: true });
    await events.until(() => carriers().at(-1) === true);
    far.changeLink('peer0', { up: false });
    await events.until(() => carriers().at(-1) === false);
    near.addAddress('wlan0', '10.1.0.2/24');
    await events.until(({ kind }) => kind === 'address-added');
    near.deleteAddress('wlan0', '10.1.0.2/24');
    await events.until(({ kind }) => kind === 'address-removed');
    near.deleteLink('wlan0');
    await events.until(({ kind }) => kind === 'link-removed');
    monitor.close();

    const addresses = events.list.filter(({ kind }) => kind.startsWith('address'));
    assert.deepEqual(addresses, [
      { kind: 'address-added', link: 'wlan0', address: '10.1.0.2/24' },
      { kind: 'address-removed', link: 'wlan0', address: '10.1.0.2/24' },
    ]);
  },
);

/** Events as they come; a wait that never ends is ended by the test runner. */
class EventLog {
  readonly list: NetworkEvent[] = [];
  readonly #target = new EventTarget();

  add(event: NetworkEvent): void {
    this.list.push(event);
    this.#target.dispatchEvent(new Event('event'));
  }

  async until(condition: (latest: NetworkEvent) => boolean): Promise<void> {
    const keepAlive = setInterval(() => {}, 1000);
    let latest = this.list.at(-1);
    while (latest === undefined || !condition(latest)) {
      await once(this.#target, 'event');
      latest = this.list.at(-1);
    }
    clearInterval(keepAlive);
  }
}

/** "wlan0" in a new namespace, its other end "peer0" in another; both down. IPv6 keeps quiet as long as they are. */
function pair() {
  const [nearSide, farSide] = [NetworkNamespace.create(), NetworkNamespace.create()];
  const near = nearSide.run(() => new Rtnetlink());
  const far = farSide.run(() => new Rtnetlink());
  near.createVethPair(
    { name: 'wlan0', index: 11, macAddress: '02:00:00:00:00:01' },
    { name: 'peer0', index: 12, macAddress: '02:00:00:00:00:02', namespaceFd: farSide.fd },
  );
  return { near, nearSide, far, farSide };
}

function state(rtnetlink: Rtnetlink) {
  return {
    links: rtnetlink.links(),
    addresses: rtnetlink.addresses(),
    routes: rtnetlink.routes(),
    rules: rtnetlink.rules(),
  };
}
