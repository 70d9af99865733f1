/**
 * Seeded runs over a network that loses, doubles and reorders datagrams: a call, two moves of each kind, hold by the peer, hang up. In
 * the end all three agree whether there is a call, and where the media go; after the hang-up nobody keeps anything.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type RandomSource,
  randomBelow,
  randomFraction,
  SeededRandomSource,
} from '../../../base/random-source.ts';
import { Anchor, correspondent, mobileNode, mobileNodeMoved, Party } from '../test-support/call-parties.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';

const runs = 400;

test('BackToBackUserAgent: all ends agree after any loss, duplication and reordering of signalling', () => {
  let moves = 0;
  let established = 0;
  for (let seed = 1; seed <= runs; seed++) {
    const result = runSeed(seed);
    moves += result.moves;
    established += result.established ? 1 : 0;
  }
  // Retransmission over 32 s beats this loss: nearly everything succeeds, so a run that proves nothing is rare.
  assert.ok(established > runs * 0.97, `${established} calls of ${runs}`);
  assert.ok(moves > runs * 2 * 0.95, `${moves} moves of ${2 * runs}`);
});

test('BackToBackUserAgent: all ends agree after anything at any time, and nothing is left when all have hung up', () => {
  for (let seed = 1; seed <= runs; seed++) runAnything(seed);
});

/** Moves, changes and hang-ups of both sides that overlap and collide; the mobile node called, or is called. */
function runAnything(seed: number): void {
  const random = new SeededRandomSource(seed);
  const network = lossyNetwork(random, 0.2);
  const { mn, anchor, cn } = addUsers(network, seed);
  anchor.thinkMs = 300 * randomFraction(random);
  const qos = randomFraction(random) < 0.5 ? 'none' : undefined;
  if (randomFraction(random) < 0.5) mn.place('sip:user@10.0.0.9', qos);
  else {
    anchor.mobileLeg = 'callee';
    anchor.calleeContact = mobileNode;
    cn.place('sip:user@10.0.0.1', qos);
  }
  network.run(200 + 3_000 * randomFraction(random));
  for (let left = randomBelow(random, 8); left > 0; left--) {
    actAtRandom(random, mn, cn);
    network.run(network.now + (randomFraction(random) < 0.5 ? 30 : 5_000) * randomFraction(random));
  }
  network.run(network.now + 300_000);
  const ladder = `seed ${seed}\n${network.ladder.join('\n')}`;
  assert.deepEqual([cn.isUp, liveCalls(anchor)], [mn.isUp, mn.isUp ? 1 : 0], ladder);
  network.fate = () => [5];
  mn.hangUp();
  cn.hangUp();
  network.run(network.now + 200_000);
  assert.deepEqual([liveCalls(anchor), anchor.agent.pollTimeout()], [0, undefined], ladder);
}

function actAtRandom(random: RandomSource, mn: Party, cn: Party): void {
  if (mn.call === undefined || cn.call === undefined) return;
  const address = randomFraction(random) < 0.5 ? mobileNode : mobileNodeMoved;
  const qos = randomFraction(random) < 0.5 ? 'none' : undefined;
  const actions = [
    () => mn.moveByReInvite(address, qos),
    () => mn.agent.legOf(mn.call!, mn.leg) !== undefined && mn.moveByReplaces(address, qos),
    () => cn.reInvite('sendonly'),
    () => mn.reInvite('inactive'),
    () => cn.agent.sendLocally(cn.call!, cn.leg, { method: 'INFO' }, cn.network.now),
    () => randomFraction(random) < 0.5 && mn.hangUp(),
    () => randomFraction(random) < 0.5 && cn.hangUp(),
  ];
  actions[randomBelow(random, actions.length)]!();
}

function lossyNetwork(random: RandomSource, loss: number): SipTestNetwork {
  const network = new SipTestNetwork();
  const delay = (): number => 5 + (randomFraction(random) < 0.2 ? 400 * randomFraction(random) : 0);
  network.fate = () => {
    if (randomFraction(random) < loss) return [];
    return randomFraction(random) < 0.1 ? [delay(), delay()] : [delay()];
  };
  return network;
}

function addUsers(network: SipTestNetwork, seed: number): { mn: Party; anchor: Anchor; cn: Party } {
  const mn = new Party(network, [mobileNode, mobileNodeMoved], seed);
  const anchor = new Anchor(network, seed + 10_000);
  const cn = new Party(network, [correspondent], seed + 20_000);
  return { mn, anchor, cn };
}

function runSeed(seed: number): { established: boolean; moves: number } {
  const random = new SeededRandomSource(seed);
  const network = lossyNetwork(random, 0.25);
  const { mn, anchor, cn } = addUsers(network, seed);
  anchor.thinkMs = 50 * randomFraction(random);
  const qos = randomFraction(random) < 0.5 ? 'none' : undefined;
  mn.place('sip:user@10.0.0.9', qos);
  network.run(60_000);
  const established = mn.isUp;
  let moves = 0;
  for (const address of established ? [mobileNodeMoved, mobileNode] : []) {
    if (randomFraction(random) < 0.5) mn.moveByReInvite(address, qos);
    else mn.moveByReplaces(address, qos);
    if (randomFraction(random) < 0.5) cn.reInvite('sendonly');
    network.run(network.now + 90_000);
    assertAgreement(seed, mn, anchor, cn, network);
    if (anchor.mobileMedia === address) moves++;
  }
  assertAgreement(seed, mn, anchor, cn, network);
  mn.hangUp();
  network.run(network.now + 120_000);
  assert.deepEqual(
    [mn.isUp, cn.isUp, liveCalls(anchor)],
    [false, false, 0],
    `seed ${seed}\n${network.ladder.join('\n')}`,
  );
  return { established, moves };
}

function assertAgreement(seed: number, mn: Party, anchor: Anchor, cn: Party, network: SipTestNetwork): void {
  const ladder = `seed ${seed}\n${network.ladder.join('\n')}`;
  assert.deepEqual([cn.isUp, liveCalls(anchor) === 1], [mn.isUp, mn.isUp], ladder);
  if (mn.isUp) assert.deepEqual([mn.remote, cn.remote], [anchor.pairs.y, anchor.pairs.x], ladder);
}

function liveCalls(anchor: Anchor): number {
  return anchor.eventsOf('call-arrived').length - anchor.eventsOf('call-ended').length;
}
