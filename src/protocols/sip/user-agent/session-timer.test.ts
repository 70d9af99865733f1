/** Session timers (RFC 4028) on one leg as UAS and as UAC, and on the two legs of a B2BUA. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipRequest } from '../message/sip-message.ts';
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

const self = '10.0.0.5';
type Fields = readonly (readonly [string, string])[];

test('SessionTimer: an interval below 90 s is refused with 422 and Min-SE, if the caller knows the extension', () => {
  const knowing = called([
    ['Supported', 'timer'],
    ['Session-Expires', '89'],
  ]);
  assert.deepEqual(knowing.peer.statuses('INVITE'), [422]);
  assert.equal(knowing.peer.received.at(-1)!.headers.get('Min-SE'), '90');
  const ignorant = called([['Session-Expires', '89']]);
  assert.deepEqual(ignorant.peer.statuses('INVITE').slice(0, 2), [180, 200]);
  assert.equal(ignorant.success().headers.has('Session-Expires'), false);
});

test('SessionTimer: a caller who knows the extension refreshes, and is hung up 32 s before the end if he does not', () => {
  const { network, peer, success, inDialog } = called([
    ['Supported', 'timer'],
    ['Session-Expires', '600'],
  ]);
  assert.equal(success().headers.get('Session-Expires'), '600;refresher=uac');
  assert.equal(success().headers.get('Require'), 'timer');
  network.run(300_000);
  inDialog('UPDATE', 2, [
    ['Supported', 'timer'],
    ['Session-Expires', '600;refresher=uac'],
  ]);
  network.run(860_000);
  assert.deepEqual(peer.statuses('UPDATE'), [200]);
  assert.equal(peer.received.at(-1)!.headers.get('Session-Expires'), '600;refresher=uac');
  assert.equal(peer.requests('BYE').length, 0);
  network.run(869_000);
  assert.match(peer.requests('BYE')[0]!.headers.get('Reason') ?? '', /^SIP;cause=408/);
});

test('SessionTimer: the answer takes the refresher that the caller names, and the callee where the caller cannot', () => {
  const named = called([
    ['Supported', 'timer'],
    ['Session-Expires', '600;refresher=uas'],
  ]);
  assert.equal(named.success().headers.get('Session-Expires'), '600;refresher=uas');
  // A proxy has put it in.
  const ignorant = called([
    ['Session-Expires', '600'],
    ['Min-SE', '300'],
  ]);
  assert.equal(ignorant.success().headers.get('Session-Expires'), '600;refresher=uas');
  assert.equal(ignorant.success().headers.has('Require'), false);
});

test('SessionTimer: refreshes at half the interval, by UPDATE if the peer allows it, else by what was offered before', () => {
  const plain = called([['Session-Expires', '600']]);
  plain.network.run(300_150);
  const reInvite = plain.peer.requests('INVITE')[0]!;
  assert.equal(reInvite.headers.get('Session-Expires'), '600;refresher=uac');
  assert.equal(reInvite.body, plain.success().body);
  plain.peer.respond(reInvite, 200, { body: sdp(correspondent) });
  plain.network.run(301_000);
  assert.equal(plain.peer.requests('ACK').length, 1);
  plain.network.run(600_300);
  assert.equal(plain.peer.requests('INVITE').length > 1, true);

  const modern = called([
    ['Session-Expires', '600'],
    ['Allow', 'INVITE, UPDATE'],
  ]);
  modern.network.run(300_150);
  const [update] = modern.peer.requests('UPDATE');
  assert.deepEqual([update!.body, update!.headers.get('Session-Expires')], ['', '600;refresher=uac']);
  assert.equal(modern.peer.requests('INVITE').length, 0);
});

test('SessionTimer: a refresh repeats what was agreed on last, not what was refused or given up since', () => {
  const { network, peer, party, success, inDialog } = called([['Session-Expires', '600']]);
  const repeated = (until: number): string => {
    const before = peer.requests('INVITE').length;
    network.run(until);
    const [refresh] = peer.requests('INVITE').slice(before);
    peer.respond(refresh!, 200, { body: sdp(correspondent), headers: [['Session-Expires', '600']] });
    return refresh!.body;
  };
  const offer = (direction: string, statusCode: number): void => {
    party.reInvite(direction);
    network.run(network.now + 100);
    const body = statusCode === 200 ? { body: sdp(correspondent) } : {};
    peer.respond(peer.requests('INVITE').at(-1)!, statusCode, body);
    network.run(network.now + 100);
  };
  offer('inactive', 488);
  assert.equal(repeated(300_500), success().body, 'an offer that is refused');
  offer('sendonly', 200);
  const held = sdp(self, undefined, 'sendonly');
  assert.equal(repeated(601_500), held, 'an offer that is accepted');
  // An answer in a 183, and then the re-INVITE fails.
  party.holdsBack = true;
  const headers: Fields = [
    ['Supported', '100rel'],
    ['Contact', `<sip:raw@${correspondent}:5060>`],
  ];
  inDialog('INVITE', 2, headers, sdp(correspondent, 'none'));
  network.run(network.now + 100);
  assert.equal(peer.statuses('INVITE').at(-1), 183);
  network.run(network.now + 33_000);
  assert.equal(peer.statuses('INVITE').at(-1), 504);
  inDialog('ACK', 2);
  assert.equal(repeated(904_000), held, 'an answer whose INVITE has failed');
});

test('SessionTimer: a refresh that fails is tried again while there is time; then the session ends with BYE', () => {
  const { network, peer } = called([
    ['Session-Expires', '600'],
    ['Allow', 'UPDATE'],
  ]);
  const answered = new Set<SipRequest>();
  for (let at = 1_000; at < 700_000; at += 100) {
    network.run(at);
    for (const update of peer.requests('UPDATE')) {
      if (answered.has(update)) continue;
      answered.add(update);
      peer.respond(update, 503);
    }
  }
  assert.equal(answered.size, 4);
  assert.match(peer.requests('BYE')[0]!.headers.get('Reason') ?? '', /^SIP;cause=408/);
});

test('SessionTimer: a caller asks again with the interval that a 422 names, in the same dialog-to-be', () => {
  const { network, peer, party } = caller(120);
  const [first] = peer.requests('INVITE');
  assert.equal(first!.headers.get('Session-Expires'), '120');
  assert.deepEqual(first!.headers.getAll('Supported').includes('timer'), true);
  peer.respond(first!, 422, { headers: [['Min-SE', '1800']] });
  network.run(100);
  const second = peer.requests('INVITE')[1]!;
  assert.deepEqual(
    ['Session-Expires', 'Min-SE', 'Call-ID', 'From'].map((name) => second.headers.get(name)),
    ['1800', '1800', first!.headers.get('Call-ID'), first!.headers.get('From')],
  );
  assert.equal(
    Number.parseInt(second.headers.get('CSeq')!, 10),
    Number.parseInt(first!.headers.get('CSeq')!, 10) + 1,
  );
  // A peer that says the same again gets no third one.
  peer.respond(second, 422, { headers: [['Min-SE', '1800']] });
  network.run(200);
  assert.equal(peer.requests('INVITE').length, 2);
  assert.equal(party.eventsOf('response-arrived').at(-1)!.response.statusCode, 422);
});

test('SessionTimer: a caller refreshes alone when the callee cannot, and waits when the callee says that it does', () => {
  const alone = caller(600);
  alone.peer.respond(alone.peer.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  alone.network.run(300_500);
  assert.equal(alone.peer.requests('INVITE').length > 1, true);

  const waiting = caller(600);
  const headers: Fields = [
    ['Session-Expires', '600;refresher=uas'],
    ['Require', 'timer'],
    ['Supported', 'timer'],
  ];
  waiting.peer.respond(waiting.peer.requests('INVITE')[0]!, 200, { body: sdp(correspondent), headers });
  waiting.network.run(560_000);
  assert.deepEqual([waiting.peer.requests('INVITE').length, waiting.peer.requests('BYE').length], [1, 0]);
  waiting.network.run(568_200);
  assert.equal(waiting.peer.requests('BYE').length, 1);
});

test('SessionTimer: each leg of a B2BUA has its own, which a move of the other leg does not touch', () => {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode, mobileNodeMoved], 1, { sessionSeconds: 600 });
  const anchor = new Anchor(network, 2);
  const cn = new Party(network, [correspondent], 3);
  mn.place('sip:cn@home.test');
  network.run(1_000);
  const [atCallee] = network.messages.filter(
    (text) => text.startsWith('INVITE') && text.includes('To: <sip:cn'),
  );
  assert.match(atCallee!, /Session-Expires: 600\r\n/);
  network.ladder.length = 0;
  network.run(200_000);
  mn.moveByReInvite(mobileNodeMoved);
  network.run(250_000);
  assert.equal(
    ladderOf(network).some((line) => line.includes('CN')),
    false,
  );
  network.run(2_000_000);
  const refreshes = ladderOf(network).filter((line) => line.endsWith('UPDATE'));
  // The callers of the legs refresh: the mobile node six times after its move, the anchor every 300 s.
  assert.deepEqual(
    [
      refreshes.filter((line) => line === 'MN2>AS UPDATE').length,
      refreshes.filter((line) => line === 'AS>CN UPDATE').length,
    ],
    [5, 6],
  );
  assert.deepEqual([mn.isUp, cn.isUp, anchor.eventsOf('leg-lost').length], [true, true, 0]);
});

test('SessionTimer: a peer that has vanished is noticed, and only its leg is over', () => {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode], 1, { sessionSeconds: 600 });
  const anchor = new Anchor(network, 2);
  anchor.keepsLost = true;
  const cn = new Party(network, [correspondent], 3);
  mn.place('sip:cn@home.test');
  network.run(1_000);
  network.fate = (line) => (line.includes('cn@home') || line.includes(mobileNode) ? [] : [5]);
  network.inject(mn, {
    kind: 'datagram-refused',
    local: { address: mobileNode, port: 5060 },
    remote: { address: self, port: 5060 },
  });
  mn.agent.removeListener({ transport: 'udp', address: mobileNode, port: 5060 }, network.now);
  network.run(569_500);
  assert.deepEqual(
    anchor.eventsOf('leg-lost').map(({ leg, cause }) => [leg, cause]),
    [['caller', 'session-expired']],
  );
  assert.equal(cn.isUp, true);
});

/** A call from a raw peer, answered and acknowledged. */
function called(headers: Fields) {
  const network = new SipTestNetwork();
  const peer = new RawPeer(network, correspondent);
  const party = new Party(network, [self], 5);
  peer.send('INVITE', { headers: [['CSeq', '1 INVITE'], ...headers], body: sdp(correspondent) });
  network.run(150);
  const success = () =>
    peer.received.find((message) => message.kind === 'response' && message.statusCode === 200)!;
  const inDialog = (method: string, number: number, fields: Fields = [], body = '') => {
    const to = ['To', success().headers.get('To')!] as const;
    peer.send(method, { headers: [to, ['CSeq', `${number} ${method}`], ...fields], body });
  };
  if (peer.statuses('INVITE').includes(200)) inDialog('ACK', 1);
  return { network, peer, party, success, inDialog };
}

/** A call to a raw peer. */
function caller(sessionSeconds: number) {
  const network = new SipTestNetwork();
  const peer = new RawPeer(network, correspondent);
  const party = new Party(network, [self], 5, { sessionSeconds });
  const route = {
    ...party.path,
    requestUri: `sip:raw@${correspondent}:5060`,
    routes: [],
    from: '<sip:a@test>',
  };
  party.agent.placeCall({ ...route, body: sdp(self) }, network.now);
  network.run(50);
  return { network, peer, party };
}
