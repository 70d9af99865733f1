import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlowIndex } from './flow-index.ts';
import { type FlowKey, formatFlowKey } from './translation-operation.ts';

const flowKey: fc.Arbitrary<FlowKey> = fc.record({
  family: fc.constant(4 as const),
  protocol: fc.constantFrom('udp' as const, 'tcp' as const),
  source: fc.constantFrom('10.1.0.2', '10.2.0.2'),
  destination: fc.constantFrom('198.51.100.1', '10.1.0.2'),
  port: fc.constantFrom(1, 2, 65535),
  portOf: fc.constantFrom('source' as const, 'destination' as const),
});

test('FlowIndex: is a map by the text of the key, whatever is done to it', () => {
  const steps = fc.array(fc.record({ key: flowKey, value: fc.option(fc.nat(9), { nil: undefined }) }), {
    maxLength: 100,
  });
  fc.assert(
    fc.property(steps, (done) => {
      const index = new FlowIndex<number>();
      const model = new Map<string, number>();
      for (const { key, value } of done) {
        if (value === undefined) {
          index.delete(key);
          model.delete(formatFlowKey(key));
        } else {
          index.set({ ...key }, value);
          model.set(formatFlowKey(key), value);
        }
        assert.equal(index.get({ ...key }), model.get(formatFlowKey(key)));
        assert.equal(index.size, model.size);
      }
      assert.deepEqual([...index.values()].sort(), [...model.values()].sort());
    }),
    { seed: 1 },
  );
});
