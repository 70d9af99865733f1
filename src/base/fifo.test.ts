import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from './fifo.ts';

test('Fifo: behaves as an array with push and shift', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(), { nil: undefined })), (operations) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const operation of operations) {
        if (operation === undefined) assert.equal(fifo.shift(), model.shift());
        else {
          fifo.push(operation);
          model.push(operation);
        }
        assert.equal(fifo.length, model.length);
        assert.equal(fifo.peek(), model[0]);
      }
    }),
    { seed: 1 },
  );
});
