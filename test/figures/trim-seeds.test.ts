/**
 * The whole of TRIM's signalling under a bad access network, in virtual time: a thousand calls with several handovers each, while messages on
 * the access links are lost (up to one in five), doubled and put out of order at random. Media packets are left alone, so whatever is missing
 * of them is the handover's fault. One run is a function of its seed: TRIMARAN_SEED=42 runs that one alone and prints its ladder.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import { ipv6WlanAccesses, isEstablished, TrimCall } from './trim-call.ts';

const runs = 1000;
/** 64·T1 of every transaction that may still be under way, and the grace time of sessions that lost a leg, with something to spare. */
const settlingMs = 120_000;

/** What is wrong at the end of the run; undefined when nothing is. */
function faultOf(seed: number): string | undefined {
  const random = new SeededRandomSource(seed);
  const chance = (percent: number) => randomBelow(random, 100) < percent;
  const isWlanIpv6 = seed % 4 === 0;
  const [startsOver, other] = seed % 8 === 0 ? (['wlan', '3g'] as const) : (['3g', 'wlan'] as const);
  const call = new TrimCall({
    seed,
    ...(isWlanIpv6 && { accesses: ipv6WlanAccesses }),
    startsOver,
    withReservation: chance(50),
    proxyCscfs: chance(50) ? 'shared' : 'per-access',
    originator: chance(50) ? 'mobile node' : 'correspondent',
    packetIntervalMs: 50,
    faults: {
      loss: 0.2 * randomFraction(random),
      duplication: 0.1 * randomFraction(random),
      reordering: 0.1 * randomFraction(random),
    },
  });
  if (!call.runUntil(() => call.isRegistered, settlingMs)) return 'not registered';
  if (startsOver === 'wlan') call.lab.mobile.setAccess('3g', true);
  call.dial();
  const isUp = () => isEstablished(call.phone.events) && isEstablished(call.correspondent.events);
  if (!call.runUntil(isUp, settlingMs)) return 'not established';
  call.sendMedia();
  const handovers = 2 + randomBelow(random, 3);
  for (let count = 0; count < handovers; count++) {
    call.run(randomBelow(random, 3000));
    call.startHandover(count % 2 === 0 ? other : startsOver);
  }
  const endsEarly = chance(20);
  if (!endsEarly && !call.runUntil(() => call.lab.mobile.machine.status().handover === undefined, settlingMs))
    return 'the handover does not end';
  call.run(randomBelow(random, 2000));
  const lost = call.drainMedia();
  if (lost.toPhone !== 0 || lost.toCorrespondent !== 0) return `lost media: ${JSON.stringify(lost)}`;
  const { phoneAudio, correspondentAudio } = call;
  if (phoneAudio.remotes.length !== 1 || correspondentAudio.remotes.length !== 1) return 'an address changed';
  if (!endsEarly && call.lab.mobile.machine.status().sessions.length !== 1) return 'the session is gone';
  call.hangUp(chance(50) ? 'phone' : 'correspondent');
  call.run(settlingMs);
  return call.whatIsLeft();
}

const wanted = process.env['TRIMARAN_SEED'];

test('TRIM: calls and their media survive handovers over access networks that lose, double and reorder signalling', () => {
  const seeds =
    wanted === undefined ? Array.from({ length: runs }, (_, index) => index + 1) : [Number(wanted)];
  const faults = seeds.flatMap((seed) => {
    const fault = faultOf(seed);
    return fault === undefined ? [] : [`TRIMARAN_SEED=${seed}: ${fault}`];
  });
  assert.deepEqual(faults, []);
});
