/** The ladders of ims-sip.md §4 and §5 (TRIM fig. 4 and 6, without the CSCFs between): which message goes when, and to whom. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Anchor,
  correspondent,
  ladderOf,
  mobileNode,
  mobileNodeMoved,
  Party,
} from '../test-support/call-parties.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';

test('BackToBackUserAgent sets up a call without preconditions and ends it', () => {
  const { network, mn, anchor, cn } = setUp();
  mn.place('sip:user@10.0.0.9');
  network.run(2_000);
  assert.equal(mn.isUp && cn.isUp, true);
  assert.deepEqual([mn.remote, cn.remote], [anchor.pairs.y, anchor.pairs.x]);
  mn.hangUp();
  network.run(4_000);
  assert.deepEqual(ladderOf(network), [
    ...[
      'MN>AS INVITE',
      'AS>CN INVITE',
      'CN>AS 180',
      'AS>MN 180',
      'CN>AS 200',
      'AS>MN 200',
      'MN>AS ACK',
      'AS>CN ACK',
    ],
    ...['MN>AS BYE', 'AS>MN 200', 'AS>CN BYE', 'CN>AS 200'],
  ]);
  assert.equal(mn.isUp || cn.isUp, false);
});

test('BackToBackUserAgent sets up a call with preconditions, each leg with its own PRACK', () => {
  const { network, mn, anchor, cn } = setUp();
  mn.place('sip:user@10.0.0.9', 'none');
  network.run(2_000);
  assert.deepEqual(ladderOf(network), [
    ...['MN>AS INVITE', 'AS>CN INVITE', 'CN>AS 183', 'AS>MN 183'],
    ...['MN>AS PRACK', 'AS>CN PRACK', 'CN>AS 200', 'AS>MN 200'],
    ...['MN>AS UPDATE', 'AS>CN UPDATE', 'CN>AS 200', 'CN>AS 180', 'AS>MN 200', 'AS>MN 180'],
    ...['CN>AS 200', 'AS>MN 200', 'MN>AS ACK', 'AS>CN ACK'],
  ]);
  assert.deepEqual([mn.remote, cn.remote], [anchor.pairs.y, anchor.pairs.x]);
});

test('BackToBackUserAgent lets the anchor answer a move by re-INVITE; the correspondent hears nothing', () => {
  const { network, mn, anchor } = callInProgress();
  mn.moveByReInvite(mobileNodeMoved);
  network.run(4_000);
  assert.deepEqual(ladderOf(network), ['MN2>AS INVITE', 'AS>MN2 200', 'MN2>AS ACK']);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
  assert.equal(mn.remote, anchor.pairs.y);
});

test('BackToBackUserAgent lets the anchor answer a move with preconditions: 183, PRACK, UPDATE, 200', () => {
  const { network, mn, anchor } = callInProgress();
  mn.moveByReInvite(mobileNodeMoved, 'none');
  network.run(4_000);
  assert.deepEqual(ladderOf(network), [
    ...['MN2>AS INVITE', 'AS>MN2 183', 'MN2>AS PRACK', 'AS>MN2 200'],
    ...['MN2>AS UPDATE', 'AS>MN2 200', 'AS>MN2 200', 'MN2>AS ACK'],
  ]);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
});

test('BackToBackUserAgent puts the dialog of an INVITE with Replaces in place of a leg and ends the old one', () => {
  const { network, mn, anchor, cn } = callInProgress();
  mn.moveByReplaces(mobileNodeMoved);
  network.run(4_000);
  assert.deepEqual(ladderOf(network), [
    ...['MN2>AS INVITE', 'AS>MN2 200', 'AS>MN BYE', 'MN2>AS ACK', 'MN>AS 200'],
  ]);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
  assert.equal(anchor.eventsOf('leg-replaced').length, 1);
  cn.hangUp();
  network.run(6_000);
  assert.deepEqual(ladderOf(network).slice(5), ['CN>AS BYE', 'AS>CN 200', 'AS>MN2 BYE', 'MN2>AS 200']);
});

test('BackToBackUserAgent replaces a leg with preconditions', () => {
  const { network, mn, anchor } = callInProgress();
  mn.moveByReplaces(mobileNodeMoved, 'none');
  network.run(4_000);
  assert.deepEqual(ladderOf(network), [
    ...['MN2>AS INVITE', 'AS>MN2 183', 'MN2>AS PRACK', 'AS>MN2 200'],
    ...['MN2>AS UPDATE', 'AS>MN2 200', 'AS>MN2 200', 'AS>MN BYE', 'MN2>AS ACK', 'MN>AS 200'],
  ]);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
});

interface Users {
  network: SipTestNetwork;
  mn: Party;
  anchor: Anchor;
  cn: Party;
}

function setUp(): Users {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode, mobileNodeMoved], 1);
  const anchor = new Anchor(network, 2);
  const cn = new Party(network, [correspondent], 3);
  return { network, mn, anchor, cn };
}

function callInProgress(): Users {
  const users = setUp();
  users.mn.place('sip:user@10.0.0.9');
  users.network.run(2_000);
  users.network.ladder.length = 0;
  return users;
}
