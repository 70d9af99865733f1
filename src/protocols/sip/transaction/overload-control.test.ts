/** Overload control between neighbours (RFC 7339) and Retry-After (RFC 3261 §21.5.4), both sides of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { createResponse } from '../message/create-response.ts';
import { topViaOf } from '../message/header-fields.ts';
import type { SipResponse } from '../message/sip-message.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';
import { DownstreamOverload } from './downstream-overload.ts';

const server = { address: '10.0.0.2', port: 5060 };

test('SipEndpoint: every Via offers overload control, and a server without load says that it knows it (RFC 7339 §5.1)', () => {
  const { network, client, server: callee } = setUp();
  callee.answerWith(200);
  client.endpoint.sendRequest(testRequest('OPTIONS'), server, 0);
  network.run(100);
  assert.match(network.messages[0]!, /;oc;oc-algo="loss"/);
  const via = topViaOf((client.events[0] as { response: SipResponse }).response);
  const told = ['oc', 'oc-algo', 'oc-validity', 'oc-seq'].map((name) => via.parameters.get(name));
  assert.deepEqual(told, ['0', '"loss"', '0', '0.00000']);
});

test('SipEndpoint: who has not been asked to takes part in no overload control', () => {
  const network = new SipTestNetwork();
  const client = new TestUser(network, '10.0.0.1');
  new TestUser(network, '10.0.0.2', { hasOverloadControl: true }).answerWith(200);
  client.endpoint.sendRequest(testRequest('OPTIONS'), server, 0);
  network.run(100);
  assert.equal(
    network.messages.some((text) => text.includes(';oc')),
    false,
  );
});

test('SipEndpoint: a server whose table fills up gets less, and all again when it has emptied', () => {
  const { network, client, server: callee } = setUp({ maximumServerTransactions: 100 });
  callee.answerWith(180);
  const invite = (count: number, from: number) => {
    for (let number = 0; number < count; number++)
      client.endpoint.sendRequest(
        testRequest('INVITE', { callId: `call-${from + number}` }),
        server,
        network.now,
      );
    network.run(network.now + 200);
  };
  invite(90, 0);
  assert.equal(callee.transactions.length, 90);
  invite(10, 100);
  // The last of the 90 said how much less is wanted: (90 % − 75 %) of the rest of 25 %, 56 to 60 %.
  const failed = client.summary.filter((line) => line === 'transport-failed').length;
  assert.ok(failed >= 4 && failed <= 9, `${failed} held back`);
  for (const transaction of callee.transactions)
    callee.endpoint.respond(
      transaction,
      createResponse(callee.lastRequest.request, 486, { toTag: 'x' }),
      network.now,
    );
  network.run(network.now + 120_000);
  callee.answerWith(200);
  const before = callee.transactions.length;
  invite(20, 200);
  assert.equal(callee.transactions.length - before, 20);
});

test('SipEndpoint: an overloaded server refuses its share of new requests of clients that know nothing of it', () => {
  const network = new SipTestNetwork();
  const client = new TestUser(network, '10.0.0.1');
  const callee = new TestUser(network, '10.0.0.2', {
    hasOverloadControl: true,
    maximumServerTransactions: 100,
  });
  callee.answerWith(180);
  for (let number = 0; number < 99; number++)
    client.endpoint.sendRequest(testRequest('INVITE', { callId: `call-${number}` }), server, 0);
  network.run(200);
  const refusals = client.events.filter(
    (event) => event.kind === 'response' && event.response.statusCode === 503,
  );
  assert.ok(refusals.length >= 3 && refusals.length <= 15, `${refusals.length} refused`);
  for (const event of refusals) {
    assert.ok(event.kind === 'response');
    assert.equal(event.response.headers.has('Retry-After'), false);
  }
});

test('SipEndpoint: a 503 with Retry-After keeps new requests away for so long, and lets those inside dialogs through', () => {
  const { network, client, server: callee } = setUp();
  callee.reaction = (event) => {
    if (event.kind !== 'request') return;
    const response = createResponse(event.request, 503, { toTag: 'x' });
    response.headers.append('Retry-After', '20 (busy)');
    callee.endpoint.respond(event.transaction, response, network.now);
  };
  client.endpoint.sendRequest(testRequest('OPTIONS'), server, 0);
  network.run(1_000);
  client.endpoint.sendRequest(testRequest('OPTIONS', { cseq: 2 }), server, network.now);
  client.endpoint.sendRequest(testRequest('BYE', { cseq: 3, toTag: 'x' }), server, network.now);
  network.run(19_000);
  assert.deepEqual(
    callee.events.flatMap((event) => (event.kind === 'request' ? [event.request.method] : [])),
    ['OPTIONS', 'BYE'],
  );
  // The BYE was refused with the same words, which hold from then on.
  network.run(21_100);
  client.endpoint.sendRequest(testRequest('OPTIONS', { cseq: 4 }), server, network.now);
  network.run(22_000);
  assert.equal(callee.transactions.length, 3);
});

test('DownstreamOverload: holds back the wanted share of all requests, those outside of dialogs first (RFC 7339 §7.2)', () => {
  const admitted = (loss: number) => {
    const overload = new DownstreamOverload(new SeededRandomSource(1));
    overload.noteResponse(said(`oc=${loss};oc-algo="loss";oc-validity=1000;oc-seq=1.0`), server, 0);
    const counts = { initial: 0, inDialog: 0 };
    for (let number = 0; number < 10_000; number++) {
      if (overload.admits(testRequest('INVITE'), server, 1)) counts.initial++;
      if (overload.admits(testRequest('INFO', { toTag: 'x' }), server, 1)) counts.inDialog++;
    }
    return counts;
  };
  const some = admitted(20);
  assert.equal(some.inDialog, 10_000);
  assert.ok(Math.abs(some.initial - 6_000) < 300, `${some.initial}`);
  const most = admitted(75);
  assert.ok(most.initial < 100, `${most.initial}`);
  assert.ok(Math.abs(most.inDialog - 5_000) < 300, `${most.inDialog}`);
});

test('DownstreamOverload: a value ends with its validity, and an older one changes nothing (RFC 7339 §4.3, §4.4)', () => {
  const overload = new DownstreamOverload(new SeededRandomSource(1));
  const isOpen = (now: number) => overload.admits(testRequest('OPTIONS'), server, now);
  overload.noteResponse(said('oc=100;oc-algo="loss";oc-seq=100.5'), server, 0);
  overload.noteResponse(said('oc=0;oc-algo="loss";oc-validity=0;oc-seq=100.4'), server, 1);
  assert.deepEqual([isOpen(499), isOpen(500)], [false, true]);
  overload.noteResponse(said('oc=100;oc-algo="rate";oc-seq=101.0'), server, 600);
  assert.equal(isOpen(601), true);
  overload.noteResponse(said('oc=100;oc-algo="loss";oc-validity=5000;oc-seq=102.0'), server, 700);
  // The server has begun anew.
  overload.noteResponse(said('oc=0;oc-algo="loss";oc-validity=0;oc-seq=1.0'), server, 800);
  assert.equal(isOpen(801), true);
});

function said(parameters: string): SipResponse {
  const request = testRequest('OPTIONS');
  request.headers.prepend('Via', `SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;${parameters}`);
  return createResponse(request, 200, { toTag: 'x' });
}

function setUp(options: { maximumServerTransactions?: number } = {}) {
  const network = new SipTestNetwork();
  const client = new TestUser(network, '10.0.0.1', { hasOverloadControl: true });
  const callee = new TestUser(network, '10.0.0.2', { hasOverloadControl: true, ...options });
  return { network, client, server: callee };
}
