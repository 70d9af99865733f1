import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransportAddressMap } from './transport-address-map.ts';

const places = ['10.0.0.1', '10.0.0.2', '2001:db8::1'].flatMap((address) =>
  [5060, 5061].map((port) => ({ address, port })),
);

test('TransportAddressMap tells addresses and ports apart, whichever object names them', () => {
  const map = new TransportAddressMap<number>();
  for (const [index, place] of places.entries()) map.set(place, index);
  for (const [index, place] of places.entries()) assert.equal(map.get({ ...place }), index);
  assert.deepEqual([...map.values()].sort(), [0, 1, 2, 3, 4, 5]);
  map.set({ ...places[0]! }, 7);
  assert.equal(map.get(places[0]!), 7);
  assert.equal([...map.values()].length, places.length);
});

test('TransportAddressMap forgets one, and all', () => {
  const map = new TransportAddressMap<string>();
  for (const place of places) map.set(place, 'there');
  map.delete(places[0]!);
  map.delete({ address: '10.0.0.9', port: 9 });
  assert.deepEqual(
    places.map((place) => map.has(place)),
    [false, true, true, true, true, true],
  );
  map.clear();
  assert.deepEqual([map.get(places[1]!), [...map.values()]], [undefined, []]);
});
