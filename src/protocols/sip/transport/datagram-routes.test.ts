import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatagramRoutes } from './datagram-routes.ts';
import { maximumDatagramRoutes } from './limits.ts';

const local = { address: '192.0.2.1', port: 5060 };

test('DatagramRoutes: the same pair of addresses has one route, however often it is asked for', () => {
  const routes = new DatagramRoutes();
  const route = routes.between(local, { address: '192.0.2.2', port: 5060 });
  assert.equal(routes.between({ ...local }, { address: '192.0.2.2', port: 5060 }), route);
  assert.notEqual(routes.between(local, { address: '192.0.2.2', port: 5061 }), route);
  assert.notEqual(routes.between({ ...local, port: 5061 }, { address: '192.0.2.2', port: 5060 }), route);
});

test('DatagramRoutes: more pairs than are remembered have routes all the same, of the same names', () => {
  const routes = new DatagramRoutes();
  const first = routes.between(local, { address: '192.0.2.2', port: 0 });
  for (let port = 1; port <= maximumDatagramRoutes; port++)
    routes.between(local, { address: '192.0.2.2', port });
  const again = routes.between(local, { address: '192.0.2.2', port: 0 });
  assert.notEqual(again, first);
  assert.deepEqual(again, first);
});
