/** What passes between the legs when messages are lost, doubled, cancelled, forked or come from both sides at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTagOf } from '../message/header-fields.ts';
import {
  Anchor,
  anchorAddress,
  correspondent,
  ladderOf,
  mobileNode,
  mobileNodeMoved,
  Party,
  sdp,
} from '../test-support/call-parties.ts';
import { RawPeer } from '../test-support/raw-peer.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';

for (const lost of ['SIP/2.0 200', 'SIP/2.0 183', 'ACK', 'PRACK', 'UPDATE', 'INVITE']) {
  test(`Relay survives the loss of the first two of every ${lost}`, () => {
    const { network, mn, cn } = setUp();
    const count = new Map<string, number>();
    network.fate = (line) => {
      if (!line.startsWith(lost)) return [5];
      const seen = (count.get(line) ?? 0) + 1;
      count.set(line, seen);
      return seen <= 2 ? [] : [5];
    };
    mn.place('sip:user@10.0.0.9', 'none');
    network.run(30_000);
    assert.deepEqual([mn.isUp, cn.isUp], [true, true]);
    mn.moveByReInvite(mobileNodeMoved, 'none');
    network.run(60_000);
    mn.hangUp();
    network.run(90_000);
    assert.deepEqual([mn.isUp, cn.isUp], [false, false]);
  });
}

test('Relay passes nothing twice when every datagram comes twice', () => {
  const single = setUp();
  const doubled = setUp();
  doubled.network.fate = () => [5, 7];
  for (const { network, mn } of [single, doubled]) {
    mn.place('sip:user@10.0.0.9', 'none');
    network.run(20_000);
    mn.hangUp();
    network.run(60_000);
  }
  // Repeated answers to repeated requests are right; new requests and decisions are not.
  const newTransactions = (ladder: string[]): string[] =>
    ladder.filter((line) => / (?:INVITE|PRACK|UPDATE|BYE)$/.test(line));
  assert.deepEqual(newTransactions(ladderOf(doubled.network)), newTransactions(ladderOf(single.network)));
  const kinds = ({ anchor }: ReturnType<typeof setUp>): string[] => anchor.events.map(({ type }) => type);
  assert.deepEqual(kinds(doubled), kinds(single));
});

test('Relay passes hold and resume through', () => {
  const { network, mn, cn, anchor } = callInProgress();
  mn.reInvite('sendonly');
  network.run(4_000);
  assert.deepEqual(ladderOf(network), [
    ...['MN>AS INVITE', 'AS>CN INVITE', 'CN>AS 200', 'AS>MN 200', 'MN>AS ACK', 'AS>CN ACK'],
  ]);
  const offer = cn.eventsOf('body-arrived').at(-1)!;
  assert.match(offer.body, /a=sendonly/);
  assert.match(offer.body, new RegExp(`c=IN IP4 ${anchor.pairs.x}`));
});

test('Relay lets re-INVITEs of both sides at once both succeed in the end', () => {
  const { network, mn, cn, anchor } = callInProgress();
  mn.reInvite('sendonly');
  cn.reInvite('recvonly');
  network.run(20_000);
  for (const party of [mn, cn]) {
    const final = party.eventsOf('response-arrived').filter(({ response }) => response.statusCode >= 200);
    assert.equal(final.at(-1)!.response.statusCode, 200);
  }
  assert.equal(anchor.eventsOf('leg-lost').length, 0);
});

test('Relay answers a move at once while a re-INVITE of the correspondent collided with it', () => {
  const { network, mn, cn, anchor } = callInProgress();
  cn.reInvite('sendonly');
  mn.moveByReInvite(mobileNodeMoved);
  network.run(20_000);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
  assert.equal(cn.eventsOf('response-arrived').at(-1)!.response.statusCode, 200);
});

test('Relay passes CANCEL on and lets the answer of the callee decide', () => {
  const { network, mn, cn } = setUp();
  cn.answers = false;
  mn.place('sip:user@10.0.0.9');
  network.run(1_000);
  mn.hangUp();
  network.run(5_000);
  assert.deepEqual(ladderOf(network), [
    ...['MN>AS INVITE', 'AS>CN INVITE', 'MN>AS CANCEL', 'AS>MN 200', 'AS>CN CANCEL'],
    ...['CN>AS 200', 'CN>AS 487', 'AS>CN ACK', 'AS>MN 487', 'MN>AS ACK'],
  ]);
  assert.equal(cn.eventsOf('call-ended').length, 1);
});

test('Relay: a CANCEL that crosses the 200 ends in ACK and BYE, with no call left', () => {
  const { network, mn, cn, anchor } = setUp();
  cn.ringMs = 100;
  mn.place('sip:user@10.0.0.9');
  // The callee's 200 leaves at 110 ms, the CANCEL reaches it at 119 ms.
  network.run(109);
  mn.hangUp();
  network.run(60_000);
  assert.deepEqual([mn.isUp, cn.isUp], [false, false]);
  assert.equal(anchor.eventsOf('call-ended').length, 1);
  assert.ok(ladderOf(network).includes('AS>CN BYE'));
});

test('Relay: CANCEL while the offer waits for the owner is answered 487 and reaches nobody else', () => {
  const { network, mn, anchor } = setUp();
  anchor.thinkMs = 500;
  mn.place('sip:user@10.0.0.9');
  network.run(100);
  mn.hangUp();
  network.run(5_000);
  assert.deepEqual(ladderOf(network), [
    'MN>AS INVITE',
    'MN>AS CANCEL',
    'AS>MN 200',
    'AS>MN 487',
    'MN>AS ACK',
  ]);
  assert.deepEqual(
    anchor.events.map(({ type }) => type),
    ['call-arrived', 'body-arrived', 'call-cancelled', 'request-cancelled', 'call-ended'],
  );
});

test('Relay keeps the order of a 183 that waits for the owner and the 200 behind it', () => {
  const { network, mn, anchor, callee } = setUpWithRawCallee();
  anchor.thinkMs = 300;
  mn.place('sip:user@10.0.0.9');
  network.run(400);
  callee.respond(callee.requests('INVITE')[0]!, 183, { body: sdp(correspondent) });
  callee.respond(callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  network.run(5_000);
  const towardsCaller = ladderOf(network).filter((line) => line.startsWith('AS>MN'));
  assert.deepEqual(towardsCaller.slice(0, 2), ['AS>MN 183', 'AS>MN 200']);
});

for (const isMove of [true, false])
  test(`Relay: an UPDATE that the owner ${isMove ? 'answers' : 'passes on'} after a while is not overtaken by 180 or 200 to the INVITE`, () => {
    const { network, mn, anchor } = setUp();
    const callee = new RawPeer(network, correspondent);
    mn.place('sip:user@10.0.0.9');
    network.run(50);
    const invite = callee.requests('INVITE')[0]!;
    const reliable = [
      ['Require', '100rel'],
      ['RSeq', '7'],
    ] as const;
    callee.respond(invite, 183, { body: sdp(correspondent), headers: reliable });
    network.run(100);
    callee.respond(callee.requests('PRACK')[0]!, 200);
    network.run(200);
    anchor.thinkMs = 100;
    anchor.takesUpdates = isMove;
    mn.address = mobileNodeMoved;
    const update = { method: 'UPDATE', body: sdp(mn.address), path: mn.path } as const;
    mn.agent.sendLocally(mn.call!, mn.leg, update, network.now);
    network.run(220);
    const before = ladderOf(network).length;
    callee.respond(invite, 180);
    callee.respond(invite, 200);
    network.run(1_000);
    const answers = ladderOf(network)
      .slice(before)
      .filter((line) => /AS>MN2? \d/.test(line));
    const ofUpdate = isMove ? ['AS>MN2 200'] : [];
    assert.deepEqual(answers.slice(0, ofUpdate.length + 2), [...ofUpdate, 'AS>MN 180', 'AS>MN 200']);
    assert.equal(anchor.mobileMedia, mn.address);
  });

test('Relay drops a 183 that waits for the owner when the call fails behind it', () => {
  const { network, mn, anchor, callee } = setUpWithRawCallee();
  anchor.thinkMs = 300;
  mn.place('sip:user@10.0.0.9');
  network.run(400);
  callee.respond(callee.requests('INVITE')[0]!, 183, { body: sdp(correspondent) });
  callee.respond(callee.requests('INVITE')[0]!, 486);
  network.run(5_000);
  assert.deepEqual(
    ladderOf(network).filter((line) => line.startsWith('AS>MN')),
    ['AS>MN 486'],
  );
  assert.equal(anchor.eventsOf('call-ended')[0]!.statusCode, 486);
});

test('Relay ends the call when its failure was passed on only after the owner decided on what came before', () => {
  const { network, mn, anchor, callee } = setUpWithRawCallee();
  mn.place('sip:user@10.0.0.9', 'none');
  network.run(100);
  const headers = [
    ['Require', '100rel'],
    ['RSeq', '1'],
  ] as const;
  callee.respond(callee.requests('INVITE')[0]!, 183, { headers, body: sdp(correspondent) });
  network.run(200);
  callee.respond(callee.requests('PRACK')[0]!, 200);
  anchor.thinkMs = 300;
  mn.agent.sendLocally(mn.call!, mn.leg, { method: 'UPDATE', body: sdp(mobileNode) }, network.now);
  network.run(600);
  callee.respond(callee.requests('UPDATE')[0]!, 200, { body: sdp(correspondent) });
  network.run(700);
  callee.respond(callee.requests('INVITE')[0]!, 480);
  network.run(5_000);
  assert.equal(anchor.eventsOf('call-ended')[0]!.statusCode, 480);
});

test('Relay gives each early dialog of a forked callee a dialog of its own, and ends all but the first to answer', () => {
  const { network, mn, anchor, callee } = setUpWithRawCallee();
  mn.place('sip:user@10.0.0.9');
  network.run(100);
  const invite = callee.requests('INVITE')[0]!;
  const reliable = (rseq: string): readonly (readonly [string, string])[] => [
    ['Require', '100rel'],
    ['RSeq', rseq],
  ];
  callee.respond(invite, 183, { toTag: 'one', headers: reliable('7'), body: sdp('10.7.0.1') });
  callee.respond(invite, 183, { toTag: 'two', headers: reliable('9'), body: sdp('10.7.0.2') });
  network.run(200);
  for (const prack of callee.requests('PRACK')) callee.respond(prack, 200);
  assert.deepEqual(
    callee.requests('PRACK').map((prack) => [toTagOf(prack), prack.headers.get('RAck')!.split(' ')[0]]),
    [
      ['one', '7'],
      ['two', '9'],
    ],
  );
  callee.respond(invite, 200, { toTag: 'two' });
  callee.respond(invite, 200, { toTag: 'one' });
  network.run(400);
  for (const bye of callee.requests('BYE')) callee.respond(bye, 200);
  network.run(2_000);
  const tags = mn.eventsOf('response-arrived').map(({ response }) => toTagOf(response));
  assert.equal(new Set(tags).size, 2);
  assert.deepEqual(callee.requests('BYE').map(toTagOf), ['one']);
  assert.deepEqual([mn.isUp, anchor.eventsOf('call-confirmed')[0]!.branch], [true, 1]);
});

test('Relay acknowledges a reliable 183 by itself where the caller does not support 100rel', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  caller.send('INVITE', { body: sdp(mobileNode) });
  network.run(100);
  const headers = [
    ['Require', '100rel'],
    ['RSeq', '5'],
  ] as const;
  callee.respond(callee.requests('INVITE')[0]!, 183, { headers, body: sdp(correspondent) });
  network.run(200);
  assert.equal(
    callee.requests('PRACK')[0]!.headers.get('RAck'),
    `5 ${callee.requests('INVITE')[0]!.headers.get('CSeq')}`,
  );
  const [ringing] = caller.received.filter(
    (message) => message.kind === 'response' && message.statusCode === 183,
  );
  assert.equal(ringing!.headers.has('RSeq'), false);
});

test('Relay carries unknown headers, P-headers and option tags over and drops what belongs to one leg', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  caller.send('INVITE', {
    headers: [
      ...([
        ['X-Odd', 'a  b'],
        ['P-Charging-Vector', 'icid-value=1'],
        ['Require', 'precondition'],
      ] as const),
      ...([
        ['Record-Route', '<sip:edge;lr>'],
        ['Route', '<sip:as>'],
        ['Max-Forwards', '9'],
      ] as const),
    ],
  });
  network.run(100);
  const { headers } = callee.requests('INVITE')[0]!;
  assert.deepEqual(
    ['X-Odd', 'P-Charging-Vector', 'Require', 'Max-Forwards'].map((name) => headers.get(name)),
    ['a  b', 'icid-value=1', 'precondition', '8'],
  );
  assert.deepEqual(
    [headers.has('Record-Route'), headers.has('Route'), headers.get('Call-ID') === 'raw'],
    [false, false, false],
  );
  assert.equal(headers.getAll('Via').length, 1);
});

test('Relay refuses a request whose hops are used up', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  new Anchor(network, 2);
  caller.send('INVITE', { headers: [['Max-Forwards', '0']] });
  network.run(100);
  assert.deepEqual(caller.statuses('INVITE'), [483]);
});

test('Relay passes INFO, MESSAGE and OPTIONS inside a call both ways', () => {
  const { network, mn, cn } = callInProgress();
  mn.agent.sendLocally(mn.call!, mn.leg, { method: 'INFO' }, network.now);
  cn.agent.sendLocally(cn.call!, cn.leg, { method: 'MESSAGE' }, network.now);
  network.run(4_000);
  mn.agent.sendLocally(mn.call!, mn.leg, { method: 'OPTIONS' }, network.now);
  network.run(6_000);
  const lines = ladderOf(network).filter((line) => line.startsWith('AS>') && !line.endsWith('200'));
  assert.deepEqual(lines, ['AS>CN INFO', 'AS>MN MESSAGE', 'AS>CN OPTIONS']);
  assert.deepEqual(
    [mn, cn].map((party) => party.eventsOf('response-arrived').at(-1)!.response.statusCode),
    [200, 200],
  );
});

test('Relay gives REFER, NOTIFY and their answers the Contact of their leg, and other requests none', () => {
  const { network, mn, anchor, callee } = setUpWithRawCallee();
  mn.place('sip:user@10.0.0.9');
  network.run(100);
  callee.respond(callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  network.run(1_000);
  for (const method of ['REFER', 'NOTIFY', 'MESSAGE'] as const) {
    const request = { method: method as 'MESSAGE', headers: [['Refer-To', '<sip:carol@test>'] as const] };
    mn.agent.sendLocally(mn.call!, mn.leg, request, network.now);
    network.run(network.now + 20);
    const [arrived] = callee.requests(method);
    const contact = method === 'MESSAGE' ? undefined : `<sip:as@${anchorAddress}:5060>`;
    assert.equal(arrived!.headers.get('Contact'), contact, method);
    assert.equal(arrived!.headers.get('Refer-To'), '<sip:carol@test>');
    callee.respond(arrived!, 202);
    network.run(network.now + 100);
    const answer = mn.eventsOf('response-arrived').at(-1)!.response;
    assert.deepEqual([answer.statusCode, answer.headers.get('Contact')], [202, contact], method);
  }
  assert.equal(anchor.eventsOf('leg-lost').length, 0);
});

for (const statusCode of [404, 408, 410, 430, 480, 481, 483, 502, 604])
  test(`Relay turns a ${statusCode} of one leg into a 500 on the other, which the sender tries again`, () =>
    failInDialog(statusCode));

function failInDialog(statusCode: number): void {
  const { network, mn, anchor, callee } = setUpWithRawCallee();
  mn.place('sip:user@10.0.0.9');
  network.run(100);
  callee.respond(callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  network.run(1_000);
  mn.agent.sendLocally(mn.call!, mn.leg, { method: 'INFO' }, network.now);
  network.run(1_100);
  callee.respond(callee.requests('INFO')[0]!, statusCode);
  network.run(1_200);
  const losses = anchor.eventsOf('leg-lost').map(({ leg, cause }) => [leg, cause]);
  const expected = { 408: [['callee', 'timed-out']], 481: [['callee', 'does-not-exist']] };
  assert.deepEqual(losses, expected[statusCode as 408 | 481] ?? []);
  assert.ok(ladderOf(network).includes('AS>MN 500'));
  assert.equal(mn.eventsOf('leg-lost').length, 0);
  assert.equal(mn.isUp, true);
}

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

function setUpWithRawCallee(): { network: SipTestNetwork; mn: Party; anchor: Anchor; callee: RawPeer } {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode, mobileNodeMoved], 1);
  const anchor = new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  return { network, mn, anchor, callee };
}

function callInProgress(): Users {
  const users = setUp();
  users.mn.place('sip:user@10.0.0.9');
  users.network.run(2_000);
  users.network.ladder.length = 0;
  return users;
}
