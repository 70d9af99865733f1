/** The rules of one leg towards a peer that breaks them: order of numbers, overlapping offers, missing PRACK and ACK (RFC 3261 §14.2, RFC 3262 §3, RFC 3311 §5.2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipResponse } from '../message/sip-message.ts';
import { correspondent, Party, sdp } from '../test-support/call-parties.ts';
import { RawPeer } from '../test-support/raw-peer.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';

const self = '10.0.0.5';

test('CallLeg repeats a reliable 183 with doubling intervals and no cap, and gives the INVITE up with 504', () => {
  const { network, peer } = called({ qos: true });
  network.run(60_000);
  const repeats = network.ladder
    .filter((line) => line.includes('183'))
    .map((line) => Number(line.split(' ')[0]));
  assert.deepEqual(
    repeats.map((at) => at - repeats[0]!),
    [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5],
  );
  assert.equal(peer.statuses('INVITE').at(-1), 504);
});

test('CallLeg repeats a 200 at most every T2, for 64·T1', () => {
  const { network } = called();
  network.run(60_000);
  const repeats = network.ladder.filter((line) => line.endsWith('200 OK') && line.includes(`${self}:5060 →`));
  assert.deepEqual(
    repeats.map((line) => Math.round(Number(line.split(' ')[0]) * 10) / 10),
    [0.1, 0.6, 1.6, 3.6, 7.6, 11.6, 15.6, 19.6, 23.6, 27.6, 31.6].map(
      (at) => Math.round((at + 0.005) * 10) / 10,
    ),
  );
});

test('CallLeg answers a PRACK that matches nothing with 481 and one that matches with 200', () => {
  const { network, peer, inDialog, provisional } = called({ qos: true });
  network.run(50);
  const rseq = Number(provisional().headers.get('RSeq'));
  inDialog('PRACK', 2, [['RAck', `${rseq + 1} 1 INVITE`]]);
  inDialog('PRACK', 3, [['RAck', `${rseq} 2 INVITE`]]);
  inDialog('PRACK', 4, [['RAck', `${rseq} 1 INVITE`]]);
  inDialog('PRACK', 5, [['RAck', `${rseq} 1 INVITE`]]);
  inDialog('PRACK', 6, [['RAck', 'nonsense']]);
  network.run(100);
  assert.deepEqual(peer.statuses('PRACK'), [481, 481, 200, 481, 400]);
});

test('CallLeg refuses a request whose number does not grow with 500, and one in an unknown dialog with 481', () => {
  const { network, peer, inDialog, acknowledge } = called();
  network.run(200);
  acknowledge();
  inDialog('INFO', 5);
  inDialog('INFO', 4);
  inDialog('INFO', 5);
  inDialog('INFO', 6, [['From', '<sip:raw@test>;tag=other']]);
  network.run(300);
  assert.deepEqual(peer.statuses('INFO'), [200, 500, 500, 481]);
});

test('CallLeg refuses an offer while its own is open with 491, and one while the peer’s is open with 500 and Retry-After', () => {
  const { network, peer, party, inDialog, acknowledge } = called();
  network.run(200);
  acknowledge();
  party.reInvite('sendonly');
  network.run(210);
  inDialog('UPDATE', 7, [], sdp('10.0.0.1'));
  inDialog('INVITE', 8, [], sdp('10.0.0.1'));
  network.run(220);
  assert.deepEqual([peer.statuses('UPDATE'), peer.statuses('INVITE').at(-1)], [[491], 491]);
  peer.respond(peer.requests('INVITE')[0]!, 488);
  party.slow = true;
  network.run(300);
  inDialog('INVITE', 9, [], sdp('10.0.0.1'));
  inDialog('UPDATE', 10, [], sdp('10.0.0.1'));
  inDialog('INVITE', 11, [], sdp('10.0.0.1'));
  network.run(320);
  const busy = peer.received.filter(
    (message): message is SipResponse => message.kind === 'response' && message.statusCode === 500,
  );
  assert.deepEqual(
    busy.map(({ headers }) => Number(headers.get('Retry-After')) <= 10),
    [true, true],
  );
});

test('CallLeg tries a re-INVITE again after 491, between 0 and 2 s because the peer owns the Call-ID', () => {
  const { network, peer, party, acknowledge } = called();
  network.run(200);
  acknowledge();
  party.reInvite('sendonly');
  network.run(300);
  peer.respond(peer.requests('INVITE')[0]!, 491);
  network.run(2_400);
  assert.equal(peer.requests('INVITE').length >= 2, true);
  assert.notEqual(
    peer.requests('INVITE')[1]!.headers.get('CSeq'),
    peer.requests('INVITE')[0]!.headers.get('CSeq'),
  );
});

test('CallLeg tries UPDATE and re-INVITE again after 491 between 2.1 and 4 s, in steps of 10 ms, when it owns the Call-ID', () => {
  for (const method of ['INVITE', 'UPDATE'] as const) {
    const network = new SipTestNetwork();
    const peer = new RawPeer(network, correspondent);
    const party = new Party(network, [self], 5);
    const route = {
      ...party.path,
      requestUri: `sip:raw@${correspondent}:5060`,
      routes: [],
      from: '<sip:a@test>',
    };
    const { call } = party.agent.placeCall({ ...route, body: sdp(self) }, network.now);
    network.run(50);
    peer.respond(peer.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
    network.run(100);
    party.agent.sendLocally(call, 'callee', { method, body: sdp(self, undefined, 'sendonly') }, network.now);
    network.run(150);
    const refused = peer.requests(method).at(-1)!;
    peer.respond(refused, 491);
    const refusedAt = network.now;
    network.run(refusedAt + 4_500);
    const [, again] = network.ladder
      .filter((line) => line.includes(` ${method} `) && line.includes(`${self}:5060 →`))
      .slice(method === 'INVITE' ? 1 : 0)
      .map((line) => Math.round(Number(line.split(' ')[0]) * 1000));
    const waitedMs = again! - refusedAt - network.delayMs;
    assert.ok(waitedMs >= 2_100 && waitedMs <= 4_000 && waitedMs % 10 === 0, `${method}: ${waitedMs}`);
    assert.notEqual(peer.requests(method).at(-1)!.headers.get('CSeq'), refused.headers.get('CSeq'));
  }
});

test('CallLeg takes an ACK only for the INVITE whose number it repeats, however late it comes', () => {
  const { network, peer, inDialog, acknowledge } = called();
  network.run(200);
  acknowledge();
  inDialog('INVITE', 2, [], sdp(correspondent, undefined, 'sendonly'));
  network.run(300);
  const repeated = () => network.ladder.filter((line) => line.endsWith('200 OK')).length;
  const before = repeated();
  // The ACK of the first INVITE once more: that of the second is still owed.
  acknowledge();
  network.run(3_000);
  const afterWrong = repeated();
  assert.ok(afterWrong > before);
  inDialog('ACK', 2);
  network.run(3_010);
  const afterRight = repeated();
  network.run(40_000);
  assert.equal(repeated(), afterRight);
  assert.equal(peer.requests('BYE').length, 0);
});

test('CallLeg answers a late PRACK for an INVITE that is over with 481, and one of a re-INVITE with its own number with 200', () => {
  const { network, peer, party, provisional, inDialog, acknowledge } = called({ qos: true });
  network.run(50);
  const rseq = Number(provisional().headers.get('RSeq'));
  inDialog('PRACK', 2, [['RAck', `${rseq} 1 INVITE`]]);
  network.run(60);
  party.accept();
  network.run(100);
  acknowledge();
  inDialog('PRACK', 3, [['RAck', `${rseq} 1 INVITE`]]);
  network.run(150);
  assert.deepEqual(peer.statuses('PRACK'), [200, 481]);
});

test('CallLeg sends one request at a time, a re-INVITE after the one before is acknowledged', () => {
  const { network, peer, party, acknowledge } = called();
  network.run(200);
  acknowledge();
  party.reInvite('sendonly');
  party.reInvite('inactive');
  network.run(300);
  assert.equal(peer.requests('INVITE').length, 1);
  peer.respond(peer.requests('INVITE')[0]!, 200, { body: sdp('10.0.0.1') });
  network.run(400);
  assert.match(peer.requests('INVITE')[1]!.body, /inactive/);
});

test('CallLeg takes a newer re-INVITE for the ACK that got lost', () => {
  const { network, peer, inDialog } = called();
  network.run(200);
  inDialog('INVITE', 9, [], sdp('10.0.0.1'));
  network.run(300);
  assert.deepEqual(
    peer.statuses('INVITE').filter((status) => status >= 300),
    [],
  );
});

test('CallLeg does not hang up before the ACK came, and then does', () => {
  const { network, peer, party, acknowledge } = called();
  network.run(200);
  party.hangUp();
  network.run(300);
  assert.equal(peer.requests('BYE').length, 0);
  acknowledge();
  network.run(400);
  assert.equal(peer.requests('BYE').length, 1);
});

test('CallLeg answers a BYE that crosses its own with 200', () => {
  const { network, peer, party, inDialog, acknowledge } = called();
  network.run(200);
  acknowledge();
  network.run(250);
  party.hangUp();
  inDialog('BYE', 9);
  inDialog('INFO', 10);
  network.run(400);
  assert.deepEqual([peer.statuses('BYE'), peer.statuses('INFO')], [[200], [481]]);
});

interface Called {
  readonly network: SipTestNetwork;
  readonly peer: RawPeer;
  readonly party: Party;
  readonly provisional: () => SipResponse;
  readonly acknowledge: () => void;
  readonly inDialog: (
    method: string,
    number: number,
    headers?: readonly (readonly [string, string])[],
    body?: string,
  ) => void;
}

/** A call from a raw peer to a telephone at the anchor's address. */
function called(options: { readonly qos?: boolean } = {}): Called {
  const network = new SipTestNetwork();
  const peer = new RawPeer(network, correspondent);
  const party = new Party(network, [self], 5);
  const offer = sdp(correspondent, options.qos ? 'none' : undefined);
  peer.send('INVITE', {
    headers: [
      ['Supported', '100rel'],
      ['CSeq', '1 INVITE'],
    ],
    body: offer,
  });
  const latest = (): SipResponse =>
    peer.received
      .filter((message): message is SipResponse => message.kind === 'response' && message.statusCode > 100)
      .at(0)!;
  const inDialog: Called['inDialog'] = (method, number, headers = [], body = '') => {
    const to = ['To', latest().headers.get('To')!] as const;
    peer.send(method, { headers: [to, ['CSeq', `${number} ${method}`], ...headers], body });
  };
  return { network, peer, party, provisional: latest, acknowledge: () => inDialog('ACK', 1), inDialog };
}
