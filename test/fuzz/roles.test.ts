/**
 * Every network function of both papers, in virtual time, while up to one message in five between them is changed on its way and old ones come
 * again: none of them throws, none loops, and once the network is honest again the next call comes about. A run is a function of its seed:
 * TRIMARAN_SEED=42 runs that one alone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import { TrimaranError } from '../../src/base/trimaran-error.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import { runInVirtualTime } from '../../src/testbed/virtual-runner.ts';
import { isEstablished, TrimCall } from '../figures/trim-call.ts';
import { beHostile } from './hostile-network.ts';

const wanted = process.env['TRIMARAN_SEED'];
/** 64·T1 of every transaction, the longest registration and the grace time of sessions that lost a leg: then all that could end has. */
const settlingMs = 700_000;

test('TRIM: no message changed on its way stops a network function, or keeps the next call from coming about', () => {
  for (const seed of seedsTo(25)) {
    const random = new SeededRandomSource(seed);
    const chance = (percent: number) => randomBelow(random, 100) < percent;
    const rates = { change: 0.2 * randomFraction(random), repetition: 0.1 * randomFraction(random) };
    const beHonest = beHostile(rates, random);
    const told = `seed ${seed}`;
    try {
      const call = new TrimCall({
        seed,
        withReservation: chance(50),
        proxyCscfs: chance(50) ? 'shared' : 'per-access',
        originator: chance(50) ? 'mobile node' : 'correspondent',
        isSecured: chance(25),
      });
      call.run(5000);
      call.dial();
      for (const access of ['wlan', '3g', 'wlan']) {
        call.run(randomBelow(random, 5000));
        call.startHandover(access);
      }
      call.run(5000);
      call.hangUp(chance(50) ? 'phone' : 'correspondent');
      call.run(5000);
      assert.ok(beHonest() > 0, `${told}: nothing was changed`);
      call.run(settlingMs);
      const before = call.phone.events.length;
      call.dial();
      call.run(10_000);
      assert.ok(isEstablished(call.phone.events.slice(before)), `${told}: no call afterwards`);
    } catch (error) {
      throw new Error(told, { cause: error });
    } finally {
      beHonest();
    }
  }
});

test('MIP-SIP: no message or tunnelled packet changed on its way stops a network function', () => {
  const scenario = loadScenario('mip-sip');
  for (const seed of seedsTo(3)) {
    const random = new SeededRandomSource(seed);
    const rates = { change: 0.1 * randomFraction(random), repetition: 0.1 * randomFraction(random) };
    const beHonest = beHostile(rates, random);
    try {
      runInVirtualTime({ scenario: { ...scenario, seed }, tell: () => {} });
    } catch (error) {
      // A call may not come about; all else would be the network functions' fault.
      if (!(error instanceof TrimaranError)) throw new Error(`seed ${seed}`, { cause: error });
    }
    assert.ok(beHonest() > 0, `seed ${seed}: nothing was changed`);
  }
});

function seedsTo(count: number): number[] {
  return wanted === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(wanted)];
}
