import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listAttributes, NetlinkWriter, readAttributes, readNetlinkMessages } from './netlink-message.ts';

test('NetlinkWriter: what it writes is read back, nested attributes included', () => {
  const writer = new NetlinkWriter(16);
  writer.beginMessage(16, 5, 77, Uint8Array.of(1, 2, 3, 4));
  writer.text(1, 'tap0');
  writer.nest(2, () => {
    writer.uint32(1, 0xfffffffe);
    writer.uint32BigEndian(2, 0x01020304);
    writer.uint8(3, 9);
  });
  writer.endMessage();
  writer.beginMessage(17, 1, 78, new Uint8Array());
  writer.endMessage();
  const [first, second] = readNetlinkMessages(writer.octets());
  assert.ok(first && second);
  assert.deepEqual([first.type, first.flags, first.sequence, second.type], [16, 5, 77, 17]);
  const attributes = readAttributes(first.payload.subarray(4));
  assert.deepEqual(attributes.get(1), new TextEncoder().encode('tap0\0'));
  const nested = listAttributes(attributes.get(2) ?? assert.fail());
  assert.deepEqual(
    nested.map(({ type, value }) => [type, ...value]),
    [
      [1, 254, 255, 255, 255],
      [2, 1, 2, 3, 4],
      [3, 9],
    ],
  );
});

test('NetlinkWriter: pads every value to four octets with zeros, whatever was in the buffer before', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (values) => {
      const writer = new NetlinkWriter(16);
      for (let round = 0; round < 2; round++) {
        writer.clear();
        writer.beginMessage(1, 0, 1, new Uint8Array());
        for (const value of values)
          writer.attribute(5, round === 0 ? new Uint8Array(value.length).fill(255) : value);
        writer.endMessage();
      }
      const [message] = readNetlinkMessages(writer.octets());
      assert.ok(message);
      const read = listAttributes(message.payload).map(({ value }) => value);
      assert.deepEqual(read, values);
      const used = values.reduce((sum, value) => sum + 4 + value.length, 0);
      assert.ok((message.payload.length - used) / Math.max(1, values.length) < 4);
      assert.equal(message.payload.length % 4, 0);
    }),
    { seed: 1 },
  );
});

test('readNetlinkMessages: ends at a length that cannot be', () => {
  assert.deepEqual(readNetlinkMessages(new Uint8Array(64)), []);
  assert.deepEqual(listAttributes(Uint8Array.of(3, 0, 1, 0)), []);
});
