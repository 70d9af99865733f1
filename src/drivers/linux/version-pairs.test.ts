import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpAddress } from '../../base/ip-address.ts';
import {
  pairCapacity,
  pairNumberOf,
  pairOctets,
  placeholder,
  placeholderPrefix,
  VersionPairs,
} from './version-pairs.ts';

test('VersionPairs: a pair keeps its number while it is in use, and what is given up is taken last', () => {
  const pairs = new VersionPairs();
  const first = pairs.acquire('2001:db8:f::1', '2001:db8:2::2') ?? assert.fail();
  assert.equal(pairs.acquire('2001:db8:f::1', '2001:db8:2::2'), first);
  pairs.release('2001:db8:f::1', '2001:db8:2::2');
  const others = Array.from({ length: pairCapacity - 1 }, (_, index) =>
    pairs.acquire('198.51.100.1', `10.0.${index >> 8}.${index & 255}`),
  );
  assert.equal(new Set([first, ...others]).size, pairCapacity);
  assert.equal(pairs.acquire('198.51.100.1', '10.99.0.1'), undefined, 'all are in use');
  pairs.release('198.51.100.1', '10.0.0.0');
  assert.equal(pairs.acquire('198.51.100.1', '10.99.0.1'), others[0]);
  pairs.release('2001:db8:f::1', '2001:db8:2::2');
  assert.equal(pairs.acquire('198.51.100.1', '10.99.0.2'), first);
});

test('VersionPairs: the memory holds source and destination, also of a pair that was given up', () => {
  const pairs = new VersionPairs();
  const number = pairs.acquire('2001:db8:f::1', '2001:db8:2::2') ?? assert.fail();
  pairs.release('2001:db8:f::1', '2001:db8:2::2');
  const octets = new Uint8Array(pairs.memory, number * pairOctets, pairOctets);
  assert.equal(formatIpAddress(octets.slice(0, 16)), '2001:db8:f::1');
  assert.equal(formatIpAddress(octets.slice(16)), '2001:db8:2::2');
});

test('placeholder: an address in the part of its gateway, from which the number is read again', () => {
  assert.deepEqual(
    [placeholderPrefix(4, 0), placeholderPrefix(4, 7), placeholderPrefix(6, 1)],
    ['198.18.0.0/18', '198.19.192.0/18', '64:ff9b:1::4000/114'],
  );
  assert.deepEqual([placeholder(4, 7, 16_383), placeholder(6, 1, 2)], ['198.19.255.255', '64:ff9b:1::4002']);
  const octets = [198, 19, 255, 254];
  assert.equal(pairNumberOf(new DataView(Uint8Array.from(octets).buffer).getUint32(0)), 16_382);
});
