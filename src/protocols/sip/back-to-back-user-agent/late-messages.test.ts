/** ACK, PRACK and 2xx that arrive when the leg has moved on: each counts for the one message that it names, on the one leg that it came in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cseqOf, rackOf, toTagOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
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

test('BackToBackUserAgent: an ACK of before the move that comes after the re-INVITE is not the ACK of that', () => {
  const { network, caller, callee, anchor, inDialog } = answeredButNotAcknowledged();
  inDialog('INVITE', 2, { body: sdp(mobileNodeMoved) });
  network.run(300);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
  assert.equal(callee.requests('ACK').length, 1, 'the re-INVITE shows that the 200 had arrived');
  inDialog('ACK', 1);
  network.run(3_000);
  const repeated = () => responsesTo(caller, 'INVITE', 2).length;
  assert.ok(repeated() > 2, 'the 200 to the re-INVITE still waits for its own ACK');
  inDialog('ACK', 2);
  network.run(3_010);
  const before = repeated();
  network.run(60_000);
  assert.equal(repeated(), before);
  assertUntouched(anchor, caller, callee);
});

test('BackToBackUserAgent: an ACK of before the move that comes after the INVITE with Replaces ends nothing but the old dialog', () => {
  const { network, caller, callee, anchor, tag, inDialog } = answeredButNotAcknowledged();
  const headers = [
    ['Call-ID', 'moved'],
    ['CSeq', '1 INVITE'],
    ['Replaces', `raw;to-tag=${tag};from-tag=raw`],
  ] as const;
  caller.send('INVITE', { headers, body: sdp(mobileNodeMoved) });
  network.run(300);
  const answer = responsesTo(caller, 'INVITE', 1).find((one) => one.headers.get('Call-ID') === 'moved')!;
  const to = ['To', answer.headers.get('To')!] as const;
  caller.send('ACK', { headers: [to, ['Call-ID', 'moved'], ['CSeq', '1 ACK']] });
  inDialog('ACK', 1);
  network.run(400);
  const byes = caller.requests('BYE');
  assert.deepEqual(new Set(byes.map((bye) => bye.headers.get('Call-ID'))), new Set(['raw']));
  caller.respond(byes.at(-1)!, 200);
  network.run(60_000);
  assert.equal(anchor.mobileMedia, mobileNodeMoved);
  assert.deepEqual([callee.requests('ACK').length, callee.requests('BYE').length], [1, 0]);
  assert.equal(anchor.eventsOf('leg-lost').length, 0);
});

test('BackToBackUserAgent: a 200 that comes again is acknowledged again with its number, from where the leg is by now', () => {
  const { network, mn } = callParties();
  network.fate = (line) => (line === 'SIP/2.0 200 OK' ? [5, 1_000] : [5]);
  mn.place('sip:user@10.0.0.9');
  network.run(600);
  network.fate = () => [5];
  mn.moveByReInvite(mobileNodeMoved);
  network.run(900);
  const before = ladderOf(network).length;
  network.run(3_000);
  const late = ladderOf(network).slice(before);
  assert.deepEqual(new Set(late), new Set(['MN2>AS ACK', 'AS>CN ACK']));
  assert.equal(mn.isUp, true);
});

test('BackToBackUserAgent: a 200 that comes after the call is acknowledged, and the dialog of another fork is ended', () => {
  const { network, callee, inDialog } = called();
  const [invite] = callee.requests('INVITE');
  const answered = (toTag: string): string[] => {
    const before = callee.received.length;
    callee.respond(invite!, 200, { toTag, body: sdp(correspondent) });
    network.run(network.now + 200);
    const requests = callee.received.slice(before).filter((message) => message.kind === 'request');
    for (const request of requests) if (request.method === 'BYE') callee.respond(request, 200);
    return requests.map((request) => `${request.method} ${toTagOf(request)} ${cseqOf(request).number}`);
  };
  const { number } = cseqOf(invite!);
  assert.deepEqual(answered('one'), []);
  inDialog('ACK', 1);
  inDialog('BYE', 2);
  network.run(network.now + 200);
  const [bye] = callee.requests('BYE');
  callee.respond(bye!, 200);
  network.run(network.now + 10_000);
  assert.deepEqual(answered('one'), [`ACK one ${number}`]);
  assert.deepEqual(answered('two'), [`ACK two ${number}`, `BYE two ${number + 1}`]);
  assert.deepEqual(answered('two'), [`ACK two ${number}`]);
  network.run(network.now + 32_000);
  assert.deepEqual(answered('three'), [], 'the transaction has ended');
});

test('BackToBackUserAgent: each leg numbers its reliable responses, and a PRACK that names another one is answered 481', () => {
  const { network, caller, callee, inDialog, provisional } = ringing();
  const rseq = Number(provisional().headers.get('RSeq'));
  assert.notEqual(rseq, 7);
  for (const [index, rack] of ['7 1 INVITE', `${rseq + 1} 1 INVITE`, `${rseq} 2 INVITE`].entries())
    inDialog('PRACK', 2 + index, { headers: [['RAck', rack]] });
  network.run(200);
  assert.deepEqual(caller.statuses('PRACK'), [481, 481, 481]);
  assert.equal(callee.requests('PRACK').length, 0);
  inDialog('PRACK', 5, { headers: [['RAck', `${rseq} 1 INVITE`]] });
  network.run(300);
  const [prack] = callee.requests('PRACK') as [SipRequest];
  const invite = cseqOf(callee.requests('INVITE')[0]!);
  assert.deepEqual(rackOf(prack), { rseq: 7, cseq: invite });
  callee.respond(prack, 200);
  network.run(400);
  assert.equal(caller.statuses('PRACK').at(-1), 200);
});

test('BackToBackUserAgent: a PRACK that comes after the final response is answered 200, once', () => {
  const { network, caller, callee, inDialog, provisional } = ringing();
  const rack = ['RAck', `${provisional().headers.get('RSeq')} 1 INVITE`] as const;
  callee.respond(callee.requests('INVITE')[0]!, 486);
  network.run(200);
  assert.equal(caller.statuses('INVITE').at(-1), 486);
  inDialog('PRACK', 2, { headers: [rack] });
  network.run(300);
  inDialog('PRACK', 3, { headers: [rack] });
  network.run(400);
  assert.deepEqual(caller.statuses('PRACK'), [200, 481]);
});

test('BackToBackUserAgent: a move that is cancelled while its 183 is under way leaves the leg as it was', () => {
  const { network, mn, cn, anchor } = callParties();
  mn.place('sip:user@10.0.0.9');
  network.run(2_000);
  mn.address = mobileNodeMoved;
  const body = sdp(mobileNodeMoved, 'none');
  const move = { method: 'INVITE', body, path: mn.path } as const;
  const handle = mn.agent.sendLocally(mn.call!, mn.leg, move, network.now)!;
  network.flush();
  network.run(2_007);
  mn.agent.cancelLocally(handle, network.now);
  mn.address = mobileNode;
  network.run(10_000);
  assert.ok(ladderOf(network).includes('MN2>AS PRACK'), 'the 183 crossed the CANCEL');
  assert.deepEqual(
    [mn, anchor].map((host) => host.eventsOf('leg-lost').length),
    [0, 0],
  );
  mn.hangUp();
  network.run(60_000);
  assert.deepEqual([mn.isUp, cn.isUp], [false, false]);
});

interface Raw {
  readonly network: SipTestNetwork;
  readonly caller: RawPeer;
  readonly callee: RawPeer;
  readonly anchor: Anchor;
  readonly inDialog: (method: string, number: number, parts?: Parameters<RawPeer['send']>[1]) => void;
  readonly provisional: () => SipResponse;
}

function called(): Raw {
  const network = new SipTestNetwork();
  const caller = new RawPeer(network, mobileNode);
  const anchor = new Anchor(network, 2);
  const callee = new RawPeer(network, correspondent);
  const headers = [
    ['Supported', '100rel'],
    ['CSeq', '1 INVITE'],
  ] as const;
  caller.send('INVITE', { headers, body: sdp(mobileNode) });
  network.run(50);
  const first = () => responsesTo(caller, 'INVITE', 1)[0]!;
  const inDialog: Raw['inDialog'] = (method, number, { headers: added = [], ...parts } = {}) => {
    const to = ['To', first().headers.get('To')!] as const;
    caller.send(method, { ...parts, headers: [to, ['CSeq', `${number} ${method}`], ...added] });
  };
  return { network, caller, callee, anchor, inDialog, provisional: first };
}

function ringing(): Raw {
  const raw = called();
  const headers = [
    ['Require', '100rel'],
    ['RSeq', '7'],
  ] as const;
  raw.callee.respond(raw.callee.requests('INVITE')[0]!, 183, { headers, body: sdp(correspondent) });
  raw.network.run(100);
  return raw;
}

function answeredButNotAcknowledged(): Raw & { readonly tag: string } {
  const raw = called();
  raw.callee.respond(raw.callee.requests('INVITE')[0]!, 200, { body: sdp(correspondent) });
  raw.network.run(100);
  return { ...raw, tag: toTagOf(raw.provisional())! };
}

function callParties(): { network: SipTestNetwork; mn: Party; anchor: Anchor; cn: Party } {
  const network = new SipTestNetwork();
  const mn = new Party(network, [mobileNode, mobileNodeMoved], 1);
  const anchor = new Anchor(network, 2);
  const cn = new Party(network, [correspondent], 3);
  return { network, mn, anchor, cn };
}

function responsesTo(peer: RawPeer, method: string, number: number): SipResponse[] {
  return peer.received.filter(
    (message): message is SipResponse =>
      message.kind === 'response' &&
      message.statusCode > 100 &&
      cseqOf(message).method === method &&
      cseqOf(message).number === number,
  );
}

function assertUntouched(anchor: Anchor, ...peers: RawPeer[]): void {
  assert.equal(anchor.eventsOf('leg-lost').length, 0);
  assert.deepEqual(
    peers.map((peer) => peer.requests('BYE').length),
    peers.map(() => 0),
  );
}
