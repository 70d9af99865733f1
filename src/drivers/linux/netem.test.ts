import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessProfiles } from '../../access-network/access-profiles.ts';
import { perfectLink } from '../../access-network/link-characteristics.ts';
import { netemOptions, reasonAgainstNetem } from './netem.ts';

test('netemOptions: are octet for octet what tc of iproute2 6.1 sends', () => {
  // strace -e sendmsg tc qdisc add dev lo root netem limit 412 delay 30ms 3ms loss 1% rate 7200kbit -14
  const told = '0e2707009c010000295c8f02000000000000000 01bb70000 14000600 a0bb0d00f2ffffff0000000000000000';
  const link = {
    ...perfectLink,
    rateBitsPerSecond: 7_200_000,
    delayMs: 30,
    jitterMs: 3,
    loss: { kind: 'independent', probability: 0.01 },
    queueLimitOctets: 412 * 1500 - 27_000,
  } as const;
  assert.equal(Buffer.from(netemOptions(link)).toString('hex'), told.replaceAll(' ', ''));
});

test('netemOptions: without a rate nothing but the delay is told', () => {
  const octets = netemOptions({ ...perfectLink, delayMs: 20 });
  assert.equal(octets.length, 24);
  assert.equal(new DataView(octets.buffer, octets.byteOffset).getUint32(0, true) * 64, 20_000_000);
});

test('reasonAgainstNetem: netem serves every access profile', () => {
  for (const { uplink, downlink } of Object.values(accessProfiles))
    for (const direction of [uplink, downlink]) assert.equal(reasonAgainstNetem(direction), undefined);
});

test('reasonAgainstNetem: what netem would do in another way is left to the emulator', () => {
  const bursts = {
    kind: 'gilbert-elliott',
    goodToBad: 0.1,
    badToGood: 0.5,
    lossInGood: 0,
    lossInBad: 1,
  } as const;
  assert.equal(reasonAgainstNetem({ ...perfectLink, loss: bursts }), 'bursts of losses');
  assert.match(reasonAgainstNetem({ ...perfectLink, burstOctets: 3000 }) ?? '', /bursts/);
  assert.match(reasonAgainstNetem({ ...perfectLink, jitterMs: 5 }) ?? '', /jitter/);
});
