import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Access, type AccessEvent, AccessMonitor } from './access-monitor.ts';

const wlan: Access = { name: 'wlan', interface: 'wlan0', index: 2 };

test('AccessMonitor: an access is attached when its link is up and it has an address, and T_attach runs from link up', () => {
  const monitor = new AccessMonitor([wlan]);
  monitor.handleInput({ kind: 'link-changed', interface: 'wlan0', up: true }, 1000);
  assert.deepEqual(drain(monitor), [{ kind: 'access-appeared', access: wlan }]);
  monitor.handleInput(
    { kind: 'address-changed', interface: 'wlan0', address: '10.2.0.2', present: true },
    1040,
  );
  assert.deepEqual(drain(monitor), [
    { kind: 'access-attached', access: wlan, address: '10.2.0.2', attachMs: 40 },
  ]);
});

test('AccessMonitor: an address that was there before the link came up is announced with the link', () => {
  const monitor = new AccessMonitor([wlan]);
  monitor.handleInput({ kind: 'address-changed', interface: 'wlan0', address: '10.2.0.2', present: true }, 0);
  assert.deepEqual(drain(monitor), []);
  monitor.handleInput({ kind: 'link-changed', interface: 'wlan0', up: true }, 5);
  assert.deepEqual(
    drain(monitor).map((event) => event.kind),
    ['access-appeared', 'access-attached'],
  );
});

test('AccessMonitor: losing the link or the address loses the access, once', () => {
  const monitor = attached();
  monitor.handleInput({ kind: 'link-changed', interface: 'wlan0', up: false }, 10);
  monitor.handleInput(
    { kind: 'address-changed', interface: 'wlan0', address: '10.2.0.2', present: false },
    11,
  );
  assert.deepEqual(drain(monitor), [{ kind: 'access-lost', access: wlan, address: '10.2.0.2' }]);
});

test('AccessMonitor: a second address does not displace the one in use, and takes over when that goes', () => {
  const monitor = attached();
  monitor.handleInput(
    { kind: 'address-changed', interface: 'wlan0', address: '10.2.0.9', present: true },
    10,
  );
  assert.deepEqual(drain(monitor), []);
  monitor.handleInput(
    { kind: 'address-changed', interface: 'wlan0', address: '10.2.0.2', present: false },
    20,
  );
  assert.deepEqual(
    drain(monitor).map((event) => ('address' in event ? [event.kind, event.address] : [])),
    [
      ['access-lost', '10.2.0.2'],
      ['access-attached', '10.2.0.9'],
    ],
  );
});

test('AccessMonitor: link-local addresses, other interfaces and repeated reports change nothing', () => {
  const monitor = attached();
  monitor.handleInput({ kind: 'address-changed', interface: 'wlan0', address: 'fe80::1', present: true }, 10);
  monitor.handleInput(
    { kind: 'address-changed', interface: 'wlan0', address: '10.2.0.2', present: true },
    10,
  );
  monitor.handleInput({ kind: 'link-changed', interface: 'eth7', up: true }, 10);
  monitor.handleInput({ kind: 'link-changed', interface: 'wlan0', up: true }, 10);
  assert.deepEqual(drain(monitor), []);
});

function attached(): AccessMonitor {
  const monitor = new AccessMonitor([wlan]);
  monitor.handleInput({ kind: 'link-changed', interface: 'wlan0', up: true }, 0);
  monitor.handleInput({ kind: 'address-changed', interface: 'wlan0', address: '10.2.0.2', present: true }, 0);
  drain(monitor);
  return monitor;
}

function drain(monitor: AccessMonitor): AccessEvent[] {
  const events: AccessEvent[] = [];
  for (let event = monitor.pollEvent(); event !== undefined; event = monitor.pollEvent()) events.push(event);
  return events;
}
