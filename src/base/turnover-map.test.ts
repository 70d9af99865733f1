import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { TurnoverMap } from './turnover-map.ts';

test('TurnoverMap: behaves as a Map, in the order of its entries, too', () => {
  const change = fc.record({ key: fc.nat(30), value: fc.option(fc.nat(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 500, size: 'max' }), (changes) => {
      const map = new TurnoverMap<number, number>();
      const model = new Map<number, number>();
      for (const { key, value } of changes) {
        if (value === undefined) assert.equal(map.delete(key), model.delete(key));
        else {
          map.set(key, value);
          model.set(key, value);
        }
        assert.deepEqual(
          [map.size, map.has(key), map.get(key)],
          [model.size, model.has(key), model.get(key)],
        );
      }
      assert.deepEqual([...map], [...model]);
      assert.deepEqual([...map.values()], [...model.values()]);
    }),
    { seed: 3261, numRuns: 200 },
  );
});

test('TurnoverMap: what has gone does not come to the old generation', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void;
  const map = new TurnoverMap<string, object[]>();
  const add = (from: number, to: number) => {
    for (let count = from; count < to; count++) {
      map.set(
        `entry ${count}`,
        Array.from({ length: 200 }, (_, index) => ({ index, count })),
      );
      map.delete(`entry ${count - 10}`);
    }
  };
  add(0, 20);
  // Whatever is there comes to the old generation with the second collection; nothing later sees two of them.
  for (const type of ['major', 'minor', 'minor'] as const) collect({ type });
  const before = oldGenerationOctets();
  for (let count = 20; count < 2020; count += 100) {
    add(count, count + 100);
    collect({ type: 'minor' });
  }
  assert.equal(map.size, 10);
  // All together have 20 MB; with a `Map` half of them are in the old generation now.
  const octets = oldGenerationOctets() - before;
  assert.ok(octets < 1e6, `${octets} octets`);
});

function oldGenerationOctets(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size;
}
