/** Replacement of legs (RFC 3891 §3; ims-sip.md §5) and what becomes of a call whose legs are lost or whose moves fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReplaces } from '../message/replaces.ts';
import {
  Anchor,
  correspondent,
  ladderOf,
  mobileNode,
  mobileNodeMoved,
  Party,
  sdp,
} from '../test-support/call-parties.ts';
import { RawPeer } from '../test-support/raw-peer.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';

test('CallLegs: Replaces that names no dialog is refused with 481', () => {
  const { network, mover, replaces } = callInProgress();
  for (const wrong of [{ callId: 'other' }, { toTag: 'other' }, { fromTag: 'other' }])
    mover.send('INVITE', { headers: [['Replaces', formatReplaces({ ...replaces(), ...wrong })]] });
  const { toTag, fromTag } = replaces();
  const swapped = { ...replaces(), toTag: fromTag, fromTag: toTag };
  mover.send('INVITE', { headers: [['Replaces', formatReplaces(swapped)]] });
  network.run(network.now + 100);
  assert.deepEqual(mover.statuses('INVITE'), [481, 481, 481, 481]);
});

test('CallLegs: early-only on an answered call is refused with 486', () => {
  const { network, mover, replaces } = callInProgress();
  mover.send('INVITE', { headers: [['Replaces', formatReplaces({ ...replaces(), earlyOnly: true })]] });
  network.run(network.now + 100);
  assert.deepEqual(mover.statuses('INVITE'), [486]);
});

test('CallLegs: a malformed Replaces, or one in another request, is refused with 400', () => {
  const { network, mover, replaces } = callInProgress();
  mover.send('INVITE', { headers: [['Replaces', 'x;to-tag=1']] });
  mover.send('OPTIONS', { headers: [['Replaces', formatReplaces(replaces())]] });
  network.run(network.now + 100);
  assert.deepEqual([mover.statuses('INVITE'), mover.statuses('OPTIONS')], [[400], [400]]);
});

test('CallLegs: Replaces after the call has ended is declined with 603, and forgotten with 481 after 64 s', () => {
  const { network, mn, mover, replaces } = callInProgress();
  const headers = [['Replaces', formatReplaces(replaces())]] as const;
  mn.hangUp();
  network.run(network.now + 1_000);
  mover.send('INVITE', { headers });
  network.run(network.now + 70_000);
  mover.send('INVITE', { headers });
  network.run(network.now + 100);
  assert.deepEqual(
    mover.statuses('INVITE').filter((status, at, all) => status !== all[at - 1]),
    [603, 481],
  );
});

test('CallLegs: a call that still rings cannot be replaced', () => {
  const { network, mn, anchor, cn } = setUp();
  cn.answers = false;
  mn.place('sip:user@10.0.0.9');
  network.run(100);
  assert.equal(anchor.agent.legOf(anchor.eventsOf('call-arrived')[0]!.call, 'callee'), undefined);
  cn.ringNow();
  network.run(200);
  const view = anchor.agent.legOf(anchor.eventsOf('call-arrived')[0]!.call, 'caller')!;
  const mover = new RawPeer(network, '10.0.0.3');
  const { callId, localTag: toTag, remoteTag: fromTag } = view;
  mover.send('INVITE', {
    headers: [['Replaces', formatReplaces({ callId, toTag, fromTag, earlyOnly: false })]],
  });
  network.run(300);
  assert.deepEqual([view.state, mover.statuses('INVITE')], ['early', [481]]);
});

test('CallLegs: a leg that the core ended is held, and Replaces brings it back', () => {
  const { network, anchor, cn, mover, replaces } = callInProgress();
  anchor.keepsLost = true;
  const named = replaces();
  const before = ladderOf(network).length;
  endByCore(network, anchor);
  network.run(network.now + 20_000);
  assert.deepEqual(
    ladderOf(network)
      .slice(before)
      .filter((line) => line.includes('CN')),
    [],
  );
  mover.send('INVITE', { headers: [['Replaces', formatReplaces(named)]], body: sdp('10.0.0.3') });
  network.run(network.now + 100);
  const [ok] = mover.received.filter((message) => message.kind === 'response' && message.statusCode === 200);
  mover.send('ACK', {
    toTag: '',
    headers: [
      ['To', ok!.headers.get('To')!],
      ['CSeq', ok!.headers.get('CSeq')!.replace('INVITE', 'ACK')],
    ],
  });
  network.run(network.now + 1_000);
  assert.deepEqual([anchor.mobileMedia, cn.isUp], ['10.0.0.3', true]);
  anchor.keepsLost = false;
  cn.hangUp();
  network.run(network.now + 100);
  assert.equal(mover.requests('BYE').length, 1);
});

test('CallLegs: a second Replaces while one is being answered is told to wait', () => {
  const { network, mn, anchor, mover, replaces } = callInProgress();
  const named = replaces();
  mn.moveByReplaces(mobileNodeMoved, 'none');
  network.run(network.now + 7);
  mover.send('INVITE', { headers: [['Replaces', formatReplaces(named)]], body: sdp('10.0.0.3') });
  network.run(network.now + 10_000);
  assert.equal(mover.statuses('INVITE')[0], 491);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
});

for (const kind of ['moveByReInvite', 'moveByReplaces'] as const) {
  test(`CallLegs: ${kind} that is refused leaves the call as it was`, () => {
    const { network, mn, anchor, cn } = callInProgress();
    const before = anchor.agent.legOf(anchor.eventsOf('call-arrived')[0]!.call, 'caller');
    anchor.refusesMoves = true;
    mn[kind](mobileNodeMoved);
    network.run(network.now + 60_000);
    assert.deepEqual(anchor.agent.legOf(anchor.eventsOf('call-arrived')[0]!.call, 'caller'), before);
    assert.equal(mn.agent.legOf(mn.call!, mn.leg)!.path.local!.address, mobileNode);
    assert.deepEqual([mn.isUp, cn.isUp, anchor.mobileMedia], [true, true, mobileNode]);
    mn.address = mobileNode;
    mn.reInvite('sendonly');
    network.run(network.now + 5_000);
    assert.match(cn.eventsOf('body-arrived').at(-1)!.body, /sendonly/);
  });

  test(`CallLegs: ${kind} over an access that carries nothing leaves the call as it was`, () => {
    const { network, mn, anchor, cn } = callInProgress();
    network.fate = (line) => (line.startsWith('INVITE') ? [] : [5]);
    mn[kind](mobileNodeMoved);
    network.run(network.now + 40_000);
    network.fate = () => [5];
    assert.equal(mn.eventsOf('response-arrived').at(-1)!.response.statusCode, 408);
    assert.deepEqual(
      [mn.isUp, cn.isUp, anchor.mobileMedia, mn.eventsOf('leg-lost').length],
      [true, true, mobileNode, 0],
    );
    mn.hangUp();
    network.run(network.now + 40_000);
    assert.equal(cn.isUp, false);
  });
}

test('CallLegs: a move given up in the middle tells the old contact again', () => {
  const { network, mn, anchor } = callInProgress();
  anchor.refusesUpdates = true;
  mn.moveByReInvite(mobileNodeMoved, 'none');
  network.run(network.now + 20_000);
  const view = anchor.agent.legOf(anchor.eventsOf('call-arrived')[0]!.call, 'caller')!;
  assert.match(view.remoteTarget, new RegExp(mobileNode));
  assert.equal(anchor.mobileMedia, mobileNode);
});

test('CallLegs: a BYE that overtakes the 200 of our Replaces does not end the call', () => {
  const { network, mn, anchor, cn } = callInProgress();
  network.fate = (line) => (line.startsWith('SIP/2.0 200') ? [300] : [5]);
  mn.moveByReplaces(mobileNodeMoved);
  network.run(network.now + 10_000);
  assert.deepEqual([mn.isUp, cn.isUp, anchor.mobileMedia], [true, true, mobileNodeMoved]);
  assert.equal(mn.eventsOf('leg-lost').length, 0);
});

test('CallLegs: a call that is moved twenty times by Replaces goes on and names only its last legs', () => {
  const { network, mn, anchor, cn, mover, replaces } = callInProgress();
  const first = replaces();
  for (let move = 0; move < 20; move++) {
    mn.moveByReplaces(move % 2 === 0 ? mobileNodeMoved : mobileNode);
    network.run(network.now + 5_000);
  }
  assert.deepEqual([mn.isUp, cn.isUp, anchor.mobileMedia], [true, true, mobileNode]);
  mover.send('INVITE', { headers: [['Replaces', formatReplaces(first)]] });
  network.run(network.now + 100);
  assert.deepEqual(mover.statuses('INVITE'), [603]);
});

test('CallLegs: an UPDATE moves a call that still rings', () => {
  const { network, mn, anchor, cn } = setUp();
  cn.ringMs = 2_000;
  mn.place('sip:user@10.0.0.9', 'none');
  network.run(1_000);
  mn.address = mobileNodeMoved;
  const body = sdp(mobileNodeMoved, 'sendrecv');
  mn.agent.sendLocally(mn.call!, mn.leg, { method: 'UPDATE', body, path: mn.path }, network.now);
  network.run(1_500);
  assert.equal(mn.agent.legOf(mn.call!, mn.leg)!.path.local!.address, mobileNodeMoved);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
});

test('CallLegs: both sides hang up at the same moment', () => {
  const { network, mn, cn, anchor } = callInProgress();
  mn.hangUp();
  cn.hangUp();
  network.run(network.now + 40_000);
  assert.equal(anchor.eventsOf('call-ended').length, 1);
  assert.equal(
    ladderOf(network).some((line) => line.endsWith('481')),
    false,
  );
});

test('CallLegs: a peer that never acknowledges the 200 is reported and gets BYE', () => {
  const { network, cn } = setUp();
  const caller = new RawPeer(network, '10.0.0.3');
  caller.send('INVITE', { body: sdp('10.0.0.3') });
  network.run(40_000);
  assert.equal(caller.requests('BYE').length >= 1, true);
  assert.equal(cn.isUp, false);
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

type Named = Parameters<typeof formatReplaces>[0];

function callInProgress(): Users & { mover: RawPeer; replaces: () => Named } {
  const users = setUp();
  users.mn.place('sip:user@10.0.0.9');
  users.network.run(2_000);
  const mover = new RawPeer(users.network, '10.0.0.3');
  const replaces = (): Named => {
    const { callId, localTag, remoteTag } = users.anchor.agent.legOf(
      users.anchor.eventsOf('call-arrived')[0]!.call,
      'caller',
    )!;
    return { callId, toTag: localTag, fromTag: remoteTag, earlyOnly: false };
  };
  return { ...users, mover, replaces };
}

/** A BYE in the mobile node's dialog that he did not send: the S-CSCF cleans up after his old contact. */
function endByCore(network: SipTestNetwork, anchor: Anchor): void {
  const { callId, localTag, remoteTag } = anchor.agent.legOf(
    anchor.eventsOf('call-arrived')[0]!.call,
    'caller',
  )!;
  const core = new RawPeer(network, '10.0.0.4');
  core.send('BYE', {
    headers: [
      ...([
        ['Call-ID', callId],
        ['To', `<sip:as@test>;tag=${localTag}`],
        ['From', `<sip:mn@test>;tag=${remoteTag}`],
      ] as const),
      ['CSeq', '4000000000 BYE'],
    ],
  });
}
