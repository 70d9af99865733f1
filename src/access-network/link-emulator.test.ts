import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandomSource } from '../base/random-source.ts';
import { accessProfiles } from './access-profiles.ts';
import { type LinkCharacteristics, perfectLink } from './link-characteristics.ts';
import { LinkEmulator, type LinkInput } from './link-emulator.ts';

interface Step {
  readonly at: number;
  readonly input: LinkInput<number>;
}

const kilobytePerMs = { ...perfectLink, rateBitsPerSecond: 8_000_000 };

test('LinkEmulator: without a rate every packet arrives after exactly the delay', () => {
  const trace = run({ ...perfectLink, delayMs: 20 }, [offer(0, 1), offer(5, 2), offer(5, 3)]);
  assert.deepEqual(trace, ['20 delivered 1', '25 delivered 2', '25 delivered 3']);
});

test('LinkEmulator: a limited line serialises packets one behind the other', () => {
  const trace = run({ ...kilobytePerMs, delayMs: 10 }, [offer(0, 1), offer(0, 2), offer(10, 3)]);
  assert.deepEqual(trace, ['11 delivered 1', '12 delivered 2', '21 delivered 3']);
});

test('LinkEmulator: an idle line passes its burst at once and then its rate', () => {
  const steps = [1, 2, 3, 4].map((packet) => offer(0, packet)).concat(offer(100, 5));
  const trace = run({ ...kilobytePerMs, burstOctets: 2500 }, steps);
  assert.deepEqual(trace, [
    '0 delivered 1',
    '0 delivered 2',
    '0.5 delivered 3',
    '1.5 delivered 4',
    '100 delivered 5',
  ]);
});

test('LinkEmulator: a full queue drops at the tail and counts octets', () => {
  const steps = [1, 2, 3].map((packet) => offer(0, packet)).concat(offer(1, 4));
  const trace = run({ ...kilobytePerMs, queueLimitOctets: 2000 }, steps);
  assert.deepEqual(trace, ['0 dropped 3 queue-full', '1 delivered 1', '2 delivered 2', '3 delivered 4']);
});

test('LinkEmulator: a new rate holds for the packet that is waiting, from that instant on', () => {
  const steps = [offer(0, 1), change(0.5, { ...kilobytePerMs, rateBitsPerSecond: 800_000 })];
  assert.deepEqual(run(kilobytePerMs, steps), ['5.5 delivered 1']);
});

test('LinkEmulator: a shorter delay does not let a packet overtake those in the air', () => {
  const steps = [offer(0, 1), change(1, { ...perfectLink, delayMs: 1 }), offer(1, 2), offer(200, 3)];
  assert.deepEqual(run({ ...perfectLink, delayMs: 100 }, steps), [
    '100 delivered 1',
    '100 delivered 2',
    '201 delivered 3',
  ]);
});

test('LinkEmulator: going down drops what waits, what flies and what is offered; coming up starts clean', () => {
  const steps: Step[] = [
    offer(0, 1),
    offer(1.5, 2),
    { at: 2, input: { kind: 'link-went-down' } },
    offer(3, 3),
    { at: 4, input: { kind: 'link-came-up' } },
    offer(5, 4),
  ];
  assert.deepEqual(run({ ...kilobytePerMs, delayMs: 10 }, steps), [
    '2 dropped 2 link-down',
    '2 dropped 1 link-down',
    '3 dropped 3 link-down',
    '16 delivered 4',
  ]);
});

test('LinkEmulator: jitter stays within its bounds and keeps the order', () => {
  const steps = Array.from({ length: 500 }, (_, packet) => offer(packet * 20, packet));
  const arrivals = run({ ...perfectLink, delayMs: 20, jitterMs: 5 }, steps).map((line) => line.split(' '));
  arrivals.forEach(([at, , packet], index) => {
    assert.equal(Number(packet), index);
    assert.ok(Math.abs(Number(at) - index * 20 - 20) <= 5);
  });
  assert.ok(new Set(arrivals.map(([at]) => Number(at) % 20)).size > 400);
});

test('LinkEmulator: independent loss is as frequent as asked', () => {
  const lost = countLost({ kind: 'independent', probability: 0.1 }, 10_000);
  assert.ok(lost.length > 900 && lost.length < 1100, `${lost.length} of 10000`);
});

test('LinkEmulator: Gilbert–Elliott loss comes in bursts of the mean length 1 / badToGood', () => {
  const model = {
    kind: 'gilbert-elliott',
    goodToBad: 0.01,
    badToGood: 0.25,
    lossInGood: 0,
    lossInBad: 1,
  } as const;
  const lost = countLost(model, 20_000);
  const bursts = lost.filter((packet, index) => packet !== (lost[index - 1] ?? -2) + 1).length;
  const mean = lost.length / bursts;
  assert.ok(mean > 3.5 && mean < 4.5, `mean burst ${mean}`);
  // The chain is in its bad state for goodToBad / (goodToBad + badToGood) = 3.8 % of the packets.
  assert.ok(lost.length > 600 && lost.length < 940, `${lost.length} of 20000`);
});

test('LinkEmulator: the outcome does not depend on how often the owner calls, and nothing is made or overtaken', () => {
  const characteristics = fc.record({
    rateBitsPerSecond: fc.integer({ min: 64_000, max: 10_000_000 }),
    burstOctets: fc.nat(3000),
    delayMs: fc.nat(100),
    jitterMs: fc.nat(20),
    loss: fc.constantFrom({ kind: 'none' } as const, { kind: 'independent', probability: 0.1 } as const),
    queueLimitOctets: fc.integer({ min: 1500, max: 20_000 }),
  });
  const offers = fc.array(fc.record({ wait: fc.nat(30), octets: fc.integer({ min: 20, max: 1500 }) }));
  fc.assert(
    fc.property(characteristics, offers, (characteristics, offers) => {
      let at = 0;
      const steps = offers.map(({ wait, octets }, packet): Step => {
        at += wait;
        return { at, input: { kind: 'packet-offered', packet, octets } };
      });
      const punctual = run(characteristics, steps);
      const delivered = (trace: string[]): number[] =>
        trace.filter((line) => line.includes('delivered')).map((line) => Number(line.split(' ')[2]));
      assert.deepEqual(delivered(run(characteristics, steps, 7)), delivered(punctual));
      assert.equal(punctual.length, offers.length);
      assert.deepEqual(
        delivered(punctual),
        delivered(punctual).sort((a, b) => a - b),
      );
    }),
    { seed: 5 },
  );
});

test('accessProfiles: every profile carries a full packet without dropping or losing it', () => {
  for (const profile of Object.values(accessProfiles)) {
    for (const direction of [profile.uplink, profile.downlink])
      assert.equal(
        run(direction, [offer(0, 1, 1500)]).filter((line) => line.includes('delivered')).length,
        1,
      );
  }
});

function offer(at: number, packet: number, octets = 1000): Step {
  return { at, input: { kind: 'packet-offered', packet, octets } };
}

function change(at: number, characteristics: LinkCharacteristics): Step {
  return { at, input: { kind: 'characteristics-changed', characteristics } };
}

function countLost(loss: LinkCharacteristics['loss'], packets: number): number[] {
  const steps = Array.from({ length: packets }, (_, packet) => offer(packet, packet));
  return run({ ...perfectLink, loss }, steps)
    .filter((line) => line.endsWith('lost'))
    .map((line) => Number(line.split(' ')[2]));
}

/** Plays the steps in virtual time; with `quantumMs` the owner wakes up only at multiples of it. */
function run(characteristics: LinkCharacteristics, steps: readonly Step[], quantumMs?: number): string[] {
  const link = new LinkEmulator<number>(characteristics, new SeededRandomSource(1));
  const trace: string[] = [];
  const drain = (now: number): void => {
    for (let output = link.pollOutput(); output !== undefined; output = link.pollOutput()) {
      const outcome = output.kind === 'packet-delivered' ? 'delivered' : 'dropped';
      const reason = output.kind === 'packet-dropped' ? ` ${output.reason}` : '';
      trace.push(`${Math.round(now * 1e6) / 1e6} ${outcome} ${output.packet}${reason}`);
    }
  };
  const wake = (until: number): void => {
    for (let timeout = link.pollTimeout(); timeout !== undefined; timeout = link.pollTimeout()) {
      const at = quantumMs === undefined ? timeout.at : Math.ceil(timeout.at / quantumMs) * quantumMs;
      if (at > until) break;
      link.handleTimeout(at);
      drain(at);
    }
  };
  for (const step of steps) {
    wake(step.at);
    link.handleInput(step.input, step.at);
    drain(step.at);
  }
  wake(Number.POSITIVE_INFINITY);
  return trace;
}
