import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipEndpointOptions } from './endpoint.ts';
import { topViaOf } from './message/header-fields.ts';
import { SipTestNetwork } from './test-support/sip-network.ts';
import { testRequest } from './test-support/test-request.ts';
import { TestUser } from './test-support/test-user.ts';

const bob = { address: '10.0.0.2', port: 5060 };

test('SipEndpoint: an INVITE with 180, 200 and ACK over UDP', () => {
  const { network, a, b } = pair();
  b.answerWith(180, 200);
  a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
  network.run(20);
  a.endpoint.sendWithoutTransaction(testRequest('ACK', { toTag: 'bob' }), bob, network.now);
  network.runToEnd();
  assert.deepEqual(a.summary, ['response 180', 'response 200', 'terminated']);
  assert.deepEqual(b.summary, ['request INVITE', 'ack', 'terminated']);
  assert.deepEqual(network.ladder, [
    '0.000 10.0.0.1:5060 → 10.0.0.2:5060 udp INVITE sip:bob@b.test SIP/2.0',
    '0.005 10.0.0.2:5060 → 10.0.0.1:5060 udp SIP/2.0 180 Ringing',
    '0.005 10.0.0.2:5060 → 10.0.0.1:5060 udp SIP/2.0 200 OK',
    '0.020 10.0.0.1:5060 → 10.0.0.2:5060 udp ACK sip:bob@b.test SIP/2.0',
  ]);
});

test('SipEndpoint: a refused INVITE is acknowledged by the transactions themselves, with the To tag of the response', () => {
  const { network, a, b } = pair();
  b.answerWith(486);
  a.endpoint.sendRequest(testRequest('INVITE', { headers: [['Route', '<sip:b.test;lr>']] }), bob, 0);
  network.runToEnd();
  assert.deepEqual(a.summary, ['response 486', 'terminated']);
  assert.deepEqual(b.summary, ['request INVITE', 'acknowledged', 'terminated']);
  assert.equal(network.ladder.filter((line) => line.includes(' ACK ')).length, 1);
});

test('SipEndpoint: the request gets Via, Max-Forwards and User-Agent, the response Server, and the caller keeps his own copy', () => {
  const { network, a, b } = pair({ userAgent: 'Trimaran' });
  b.answerWith(200);
  const request = testRequest('OPTIONS');
  a.endpoint.sendRequest(request, bob, 0);
  network.run(20);
  const received = b.lastRequest.request;
  const via = topViaOf(received);
  assert.match(via.parameters.get('branch') ?? '', /^z9hG4bK[0-9a-v]{16}$/);
  assert.deepEqual([via.transport, via.host, via.port], ['UDP', '10.0.0.1', 5060]);
  assert.deepEqual([via.parameters.get('received'), via.parameters.get('rport')], ['10.0.0.1', '5060']);
  assert.equal(received.headers.get('Max-Forwards'), '70');
  assert.equal(received.headers.get('User-Agent'), 'Trimaran');
  assert.equal(request.headers.has('Via'), false);
  const [answer] = a.events;
  assert.equal(answer?.kind === 'response' && answer.response.headers.get('Server'), 'Trimaran');
});

test('SipEndpoint: CANCEL waits for a provisional response, is answered by itself and ends in 487', () => {
  const { network, a, b } = pair();
  b.reaction = (event) => {
    if (event.kind === 'cancelled') b.respond(b.lastRequest, 487);
  };
  const transaction = a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
  a.endpoint.cancel(transaction, 0);
  network.run(100);
  b.respond(b.lastRequest, 180);
  network.runToEnd();
  assert.deepEqual(a.summary, ['response 180', 'response 487', 'terminated']);
  assert.deepEqual(b.summary, ['request INVITE', 'cancelled', 'acknowledged', 'terminated']);
  assert.deepEqual(linesOf(network), [
    '0.000 INVITE sip:bob@b.test',
    '0.100 180 Ringing',
    '0.105 CANCEL sip:bob@b.test',
    '0.110 200 OK',
    '0.110 487 Request Terminated',
    '0.115 ACK sip:bob@b.test',
  ]);
});

test('SipEndpoint: CANCEL goes out once, repeats what names the INVITE, and is answered with the To tag of its responses', () => {
  const { network, a, b } = pair();
  const transaction = a.endpoint.sendRequest(testRequest('INVITE', { cseq: 7 }), bob, 0);
  b.answerWith(180);
  network.run(100);
  a.endpoint.cancel(transaction, network.now);
  a.endpoint.cancel(transaction, network.now);
  network.run(200);
  assert.deepEqual(b.summary, ['request INVITE', 'cancelled']);
  const [invite, , cancel, answer] = network.messages;
  assert.equal(network.messages.length, 4);
  for (const name of ['Via', 'From', 'To', 'Call-ID'])
    assert.equal(lineOf(cancel!, name), lineOf(invite!, name));
  assert.equal(lineOf(cancel!, 'CSeq'), 'CSeq: 7 CANCEL');
  assert.match(lineOf(answer!, 'To')!, /;tag=10\.0\.0\.2$/);
});

test('SipEndpoint: a CANCEL after the final response changes nothing', () => {
  const { network, a, b } = pair();
  b.answerWith(180, 200);
  const transaction = a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
  network.run(20);
  a.endpoint.cancel(transaction, network.now);
  network.runToEnd();
  assert.deepEqual(b.summary, ['request INVITE', 'terminated']);
});

test('SipEndpoint: a cancelled INVITE that never gets its final response is given up 64·T1 after the CANCEL', () => {
  const { network, a, b } = pair();
  b.answerWith(180);
  const transaction = a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
  network.run(100);
  a.endpoint.cancel(transaction, network.now);
  network.run(32_099);
  assert.deepEqual(a.summary, ['response 180']);
  network.run(32_100);
  assert.deepEqual(a.summary, ['response 180', 'timed-out', 'terminated']);
});

test('SipEndpoint: a request that nobody answers times out, INVITE and others alike', () => {
  for (const method of ['INVITE', 'OPTIONS']) {
    const { network, a } = pair();
    network.fate = () => [];
    a.endpoint.sendRequest(testRequest(method), bob, 0);
    assert.equal(network.runToEnd(), 32_000);
    assert.deepEqual(a.summary, ['timed-out', 'terminated']);
    assert.equal(network.ladder.length, method === 'INVITE' ? 7 : 11);
  }
});

test('SipEndpoint: a merged request is refused with 482 where that is asked for, and only there', () => {
  for (const refuseMergedRequests of [true, false]) {
    const { network, a, b } = pair({ refuseMergedRequests });
    b.answerWith(180);
    a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
    a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
    network.run(1_000);
    const expected = ['response 180', refuseMergedRequests ? 'response 482' : 'response 180'];
    assert.deepEqual(a.summary, expected);
    assert.equal(b.transactions.length, refuseMergedRequests ? 1 : 2);
  }
});

test('SipEndpoint: the ACK for a refusal made without state is absorbed, any other stray ACK goes to the user', () => {
  const { network, a, b } = pair();
  const unknown = testRequest('INVITE', { requestUri: 'http://b.test' });
  a.endpoint.sendRequest(unknown, bob, 0);
  network.runToEnd();
  assert.deepEqual(a.summary, ['response 416', 'terminated']);
  assert.deepEqual(b.summary, []);
  a.endpoint.sendWithoutTransaction(testRequest('ACK', { toTag: 'x' }), bob, network.now);
  network.runToEnd();
  assert.deepEqual(b.summary, ['ack']);
});

test('SipEndpoint: a response that no transaction awaits is counted and dropped', () => {
  const { network, a, b } = pair();
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('OPTIONS'), bob, 0);
  network.fate = (line) => (line.startsWith('SIP') ? [5, 40_000] : [5]);
  network.runToEnd();
  assert.deepEqual(a.summary, ['response 200', 'terminated']);
  assert.equal(a.endpoint.counters.strayResponses, 1);
  assert.equal(a.endpoint.counters.clientTransactions + b.endpoint.counters.serverTransactions, 0);
});

test('SipEndpoint: a request to a family of addresses that it does not listen on fails at once', () => {
  const { a } = pair();
  a.endpoint.sendRequest(testRequest('OPTIONS'), { address: '2001:db8::1', port: 5060 }, 0);
  assert.equal(a.endpoint.pollEvent()?.kind, 'transport-failed');
  assert.equal(a.endpoint.pollEvent()?.kind, 'terminated');
});

test('SipEndpoint: a mobile node sends from the address it chooses, and loses what was asked for from one that goes', () => {
  const { network, a, b } = pair();
  const second = { transport: 'udp', address: '10.9.0.1', port: 5060 } as const;
  a.endpoint.addListener(second, 0);
  a.endpoint.sendRequest(testRequest('OPTIONS', { callId: 'old' }), bob, 0);
  a.endpoint.sendRequest(testRequest('OPTIONS', { callId: 'new' }), { ...bob, local: second }, 0);
  network.run(20);
  assert.deepEqual(
    b.events.map((event) => event.kind === 'request' && event.source.address),
    ['10.0.0.1', '10.9.0.1'],
  );
  a.endpoint.removeListener({ transport: 'udp', address: '10.0.0.1', port: 5060 }, network.now);
  b.answerWith(200);
  network.flush();
  assert.deepEqual(a.summary, ['transport-failed', 'terminated']);
  b.respond(b.lastRequest, 200);
  network.run(40);
  assert.deepEqual(a.summary, ['transport-failed', 'terminated', 'response 200']);
  const gone = { address: '10.0.0.1', port: 5060 };
  a.endpoint.sendRequest(testRequest('OPTIONS'), { ...bob, transport: 'udp', local: gone }, network.now);
  network.flush();
  assert.deepEqual(a.summary.slice(3), ['transport-failed', 'terminated']);
});

test('SipEndpoint: an answer from an address that has gone is not sent, and its user is told', () => {
  const { network, a, b } = pair();
  a.endpoint.sendRequest(testRequest('INVITE'), bob, 0);
  network.run(20);
  b.endpoint.removeListener({ transport: 'udp', ...bob }, network.now);
  b.respond(b.lastRequest, 200);
  network.flush();
  assert.deepEqual(b.summary, ['request INVITE', 'transport-failed']);
  assert.equal(network.ladder.length, 1);
});

test('SipEndpoint: a peer that refuses many times what was sent to it once is told of once', () => {
  const { network, a, b } = pair();
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('OPTIONS'), bob, 0);
  network.run(20);
  const remote = { address: '10.0.0.1', port: 5060 };
  for (let count = 0; count < 3; count++)
    network.inject(b.endpoint, { kind: 'datagram-refused', local: bob, remote });
  assert.deepEqual(b.summary, ['request OPTIONS', 'transport-failed']);
});

interface Pair {
  readonly network: SipTestNetwork;
  readonly a: TestUser;
  readonly b: TestUser;
}

function pair(options: Partial<SipEndpointOptions> = {}): Pair {
  const network = new SipTestNetwork();
  return {
    network,
    a: new TestUser(network, '10.0.0.1', options),
    b: new TestUser(network, '10.0.0.2', options),
  };
}

/** Seconds and start line, without the addresses and the version. */
function linesOf(network: SipTestNetwork): string[] {
  return network.ladder.map((line) =>
    line
      .replace(/ \S+ → \S+ udp /, ' ')
      .replace(/ ?SIP\/2\.0 ?/, ' ')
      .replace('  ', ' ')
      .trim(),
  );
}

function lineOf(message: string, name: string): string | undefined {
  return message.split('\r\n').find((line) => line.startsWith(`${name}: `));
}
