/** What the owner of a call does on one leg alone, and how calls and requests outside of calls end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('Call: an INVITE that will never be answered is given up for one over a new access', () => {
  const { network, mn, anchor } = callInProgress();
  network.fate = (line) => (line.startsWith('SIP/2.0') ? [] : [5]);
  mn.reInvite('sendonly');
  network.run(network.now + 1_000);
  network.fate = () => [5];
  mn.address = mobileNodeMoved;
  const request = {
    method: 'INVITE' as const,
    body: sdp(mobileNodeMoved),
    path: mn.path,
    abandonPending: true,
  };
  const handle = mn.agent.sendLocally(mn.call!, mn.leg, request, network.now);
  network.run(network.now + 20_000);
  const final = mn.eventsOf('response-arrived').filter((event) => event.request === handle);
  assert.equal(final.at(-1)!.response.statusCode, 200);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
  assert.equal(mn.agent.legOf(mn.call!, mn.leg)!.path.local!.address, mobileNodeMoved);
});

test('Call: a move that is taken back is answered 487 and changes nothing', () => {
  const { network, mn, anchor } = callInProgress();
  anchor.thinkMs = 1_000;
  mn.address = mobileNodeMoved;
  const request = { method: 'INVITE' as const, body: sdp(mobileNodeMoved), path: mn.path };
  const handle = mn.agent.sendLocally(mn.call!, mn.leg, request, network.now)!;
  network.run(network.now + 300);
  mn.agent.cancelLocally(handle, network.now);
  network.run(network.now + 5_000);
  assert.equal(mn.eventsOf('response-arrived').at(-1)!.response.statusCode, 487);
  assert.equal(anchor.eventsOf('request-cancelled').length, 1);
  assert.deepEqual(
    [anchor.mobileMedia, mn.agent.legOf(mn.call!, mn.leg)!.path.local!.address],
    [mobileNode, mobileNode],
  );
});

test('Call: moveLeg changes where later requests come from and what the Contact says', () => {
  const { network, mn } = callInProgress();
  mn.address = mobileNodeMoved;
  mn.agent.moveLeg(mn.call!, mn.leg, mn.path, network.now);
  mn.agent.sendLocally(mn.call!, mn.leg, { method: 'INFO' }, network.now);
  network.run(network.now + 1_000);
  assert.equal(ladderOf(network)[0], 'MN2>AS INFO');
});

test('Call: a call without SDP in the INVITE is offered in the 200 and answered in the ACK, both anchored', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  const anchor = new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  const invite = caller.send('INVITE');
  network.run(100);
  callee.respond(callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  network.run(200);
  const answered = caller.received.find(
    (message) => message.kind === 'response' && message.statusCode === 200,
  )!;
  assert.match(answered.body, new RegExp(`IP4 ${anchor.pairs.y}`));
  const cseq = invite.headers.get('CSeq')!.replace('INVITE', 'ACK');
  caller.send('ACK', {
    headers: [
      ['To', answered.headers.get('To')!],
      ['CSeq', cseq],
    ],
    body: sdp(mobileNode),
  });
  network.run(300);
  assert.match(callee.requests('ACK')[0]!.body, new RegExp(`IP4 ${anchor.pairs.x}`));
  assert.deepEqual(
    anchor.eventsOf('body-arrived').map(({ role }) => role),
    ['offer', 'answer'],
  );
});

test('Call: an offer in PRACK passes to the other leg and its answer comes back', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  const anchor = new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  caller.send('INVITE', {
    headers: [
      ['Supported', '100rel'],
      ['CSeq', '1 INVITE'],
    ],
    body: sdp(mobileNode),
  });
  network.run(100);
  const headers = [
    ['Require', '100rel'],
    ['RSeq', '77'],
  ] as const;
  callee.respond(callee.requests('INVITE')[0]!, 183, { headers, body: sdp(correspondent) });
  network.run(200);
  const progress = caller.received.find(
    (message) => message.kind === 'response' && message.statusCode === 183,
  )!;
  const rack = ['RAck', `${progress.headers.get('RSeq')} 1 INVITE`] as const;
  caller.send('PRACK', {
    headers: [['To', progress.headers.get('To')!], ['CSeq', '2 PRACK'], rack],
    body: sdp(mobileNode),
  });
  network.run(300);
  callee.respond(callee.requests('PRACK')[0]!, 200, { body: sdp(correspondent) });
  network.run(400);
  assert.match(callee.requests('PRACK')[0]!.body, new RegExp(`IP4 ${anchor.pairs.x}`));
  assert.match(caller.received.at(-1)!.body, new RegExp(`IP4 ${anchor.pairs.y}`));
});

test('Call: a refused answer fails the call towards both sides', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  const anchor = new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  anchor.refusesAnswers = true;
  caller.send('INVITE', { body: sdp(mobileNode) });
  network.run(100);
  callee.respond(callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  network.run(1_000);
  assert.deepEqual(caller.statuses('INVITE')[0], 503);
  assert.deepEqual([callee.requests('ACK').length, callee.requests('BYE').length > 0], [1, true]);
  assert.equal(anchor.eventsOf('call-ended')[0]!.statusCode, 503);
});

test('Call: a route to a host that nobody knows is answered with 503', () => {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  const anchor = new Anchor(network, 2);
  anchor.calleeContact = 'nowhere.test';
  caller.send('INVITE', { body: sdp(mobileNode) });
  network.run(1_000);
  assert.deepEqual(caller.statuses('INVITE')[0], 503);
});

test('Call: headers of a BYE go on with it', () => {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode], 1);
  new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  mn.place('sip:user@10.0.0.9');
  network.run(100);
  callee.respond(callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  network.run(500);
  mn.agent.endCall(mn.call!, network.now, { headers: [['Reason', 'Q.850;cause=16']] });
  network.run(600);
  assert.equal(callee.requests('BYE')[0]!.headers.get('Reason'), 'Q.850;cause=16');
});

test('BackToBackUserAgent rebuilds a request outside of calls and brings the answer back', () => {
  const network = new SipTestNetwork();
  const sender = new RawPeer(network, mobileNode);
  new Anchor(network, 2);
  const receiver = new RawPeer(network, correspondent);
  const sent = sender.send('MESSAGE', { body: 'hello', headers: [['X-Odd', '1']] });
  network.run(100);
  const [message] = receiver.requests('MESSAGE');
  assert.deepEqual(
    [message!.body, message!.headers.get('X-Odd'), message!.headers.get('Max-Forwards')],
    ['hello', '1', '69'],
  );
  assert.notEqual(message!.headers.get('Call-ID'), sent.headers.get('Call-ID'));
  receiver.respond(message!, 202);
  network.run(200);
  assert.deepEqual(sender.statuses('MESSAGE'), [202]);
});

function callInProgress(): { network: SipTestNetwork; mn: Party; anchor: Anchor } {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode, mobileNodeMoved], 1);
  const anchor = new Anchor(network, 2);
  new Party(network, [correspondent], 3);
  mn.place('sip:user@10.0.0.9');
  network.run(2_000);
  network.ladder.length = 0;
  return { network, mn, anchor };
}
