/** Kamailio's parser and ours take and refuse the same messages, but for what parser-differences.ts explains. */
import assert from 'node:assert/strict';
import { octetsOf, tortureMessages } from '../conformance/torture-roles.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { compareParsers, mutatedMessages } from './compare-parsers.ts';

const needs = { packages: { kamailio: '/usr/sbin/kamailio' } };

kernelTest(
  'kamailio: takes and refuses what we do, of 61 torture messages and 3000 mutated ones, but for explained differences',
  async () => {
    const torture = tortureMessages.map(({ name }) => [name, octetsOf(name)] as const);
    const { compared, differences, unexplained } = await compareParsers(
      (function* () {
        yield* torture;
        yield* mutatedMessages(1, 0, 3000);
      })(),
    );
    assert.deepEqual(unexplained, []);
    assert.ok(compared > 3000);
    const differing = [...differences.values()].reduce((sum, count) => sum + count, 0);
    // A Kamailio that says yes, or no, to everything would differ in half of them.
    assert.ok(differing < compared / 5, `${differing} of ${compared} differ`);
  },
  needs,
);
