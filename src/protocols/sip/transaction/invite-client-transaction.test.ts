import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { createResponse } from '../message/create-response.ts';
import { parseSipMessage } from '../message/parse-sip-message.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipRequest } from '../message/sip-message.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TransactionLog, testRoute } from '../test-support/transaction-log.ts';
import type { PreparedRequest } from './client-transaction.ts';
import { InviteClientTransaction } from './invite-client-transaction.ts';

type Input = (transaction: InviteClientTransaction, now: number) => void;

const failure: Input = (transaction) => transaction.handleTransportFailure();
const cancellation: Input = (transaction, now) => transaction.handleCancellation(now);

test('InviteClientTransaction: over UDP repeats the request with doubling timer A and gives up with timer B', () => {
  const log = start('udp').run(100_000);
  const sent = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map((at) => `${at} send INVITE`);
  assert.deepEqual(log.take(), [...sent, '32000 timed-out', '32000 terminated']);
});

test('InviteClientTransaction: over TCP sends the request once and gives up with timer B', () => {
  assert.deepEqual(start('tcp').run(100_000).take(), [
    '0 send INVITE',
    '32000 timed-out',
    '32000 terminated',
  ]);
});

test('InviteClientTransaction: a provisional response ends repetition and timer B; it may ring for ever', () => {
  const log = start('udp').input(600, response(100)).input(700, response(180)).run(1_000_000);
  assert.deepEqual(log.take(), ['0 send INVITE', '500 send INVITE', '600 response', '700 response']);
});

test('InviteClientTransaction: 2xx leads to Accepted, which passes every 2xx up until timer M, on every transport', () => {
  for (const transport of ['udp', 'tcp'] as const) {
    for (const before of [[], [response(180)]]) {
      const log = start(transport);
      for (const provisional of before) log.input(10, provisional);
      log.take();
      log
        .input(20, response(200))
        .input(600, response(200))
        .input(700, response(180))
        .input(800, response(486));
      assert.deepEqual(log.take(), ['20 response', '600 response']);
      assert.deepEqual(log.input(900, failure).run(50_000).take(), ['32020 terminated']);
    }
  }
});

test('InviteClientTransaction: 300–699 is acknowledged each time it comes, until timer D (UDP)', () => {
  for (const before of [[], [response(180)]]) {
    const log = start('udp');
    for (const provisional of before) log.input(10, provisional);
    log.take();
    log
      .input(20, response(486))
      .input(520, response(486))
      .input(530, response(180))
      .input(540, response(200));
    assert.deepEqual(log.take(), ['20 response', '20 send ACK', '520 send ACK']);
    assert.deepEqual(log.input(600, failure).run(50_000).take(), ['32020 terminated']);
  }
});

test('InviteClientTransaction: 300–699 over TCP ends it at once', () => {
  const log = start('tcp').input(20, response(603));
  assert.deepEqual(log.take(), ['0 send INVITE', '20 response', '20 send ACK', '20 terminated']);
});

test('InviteClientTransaction: the ACK has branch, Route, Request-URI, From and CSeq number of the INVITE and To of the response', () => {
  const invite = createInvite();
  const { sent } = start('udp').input(5, response(486));
  const ack = parseSipMessage(sent.at(-1)!);
  assert.ok(!isMalformed(ack) && ack.kind === 'request');
  assert.equal(ack.requestUri, invite.requestUri);
  for (const name of ['Via', 'Route', 'From', 'Call-ID'])
    assert.deepEqual(ack.headers.getAll(name), invite.headers.getAll(name));
  assert.equal(ack.headers.get('To'), '<sip:bob@b.test>;tag=b');
  assert.equal(ack.headers.get('CSeq'), '1 ACK');
});

test('InviteClientTransaction: a transport failure before the final response ends it', () => {
  for (const before of [[], [response(180)]]) {
    const log = start('udp');
    for (const provisional of before) log.input(10, provisional);
    log.take();
    assert.deepEqual(log.input(20, failure).run(99_999).take(), ['20 transport-failed', '20 terminated']);
  }
});

test('InviteClientTransaction: after a CANCEL it waits 64·T1 for the final response', () => {
  const log = start('udp').input(10, response(180)).input(100, cancellation);
  log.take();
  assert.deepEqual(log.run(99_999).take(), ['32100 timed-out', '32100 terminated']);
  const answered = start('udp').input(10, response(180)).input(100, cancellation);
  answered.input(20_000, response(487)).take();
  assert.deepEqual(answered.run(99_999).take(), ['52000 terminated']);
});

test('InviteClientTransaction: woken late it repeats the request once, not once for every time it missed', () => {
  const log = start('udp');
  log.take();
  log.transaction.handleTimeout(10_000);
  assert.equal(log.take().length, 1);
  assert.deepEqual([log.transaction.at, log.transaction.reason], [11_000, 'A']);
});

function start(transport: 'udp' | 'tcp'): TransactionLog<InviteClientTransaction> {
  const request = createInvite();
  const octets = serializeSipMessage(request);
  const prepared: PreparedRequest = { request, octets, route: testRoute(transport), key: '' };
  const log = new TransactionLog((host) => new InviteClientTransaction(prepared, false, host));
  return log.input(0, (transaction, now) => transaction.start(now));
}

function createInvite(): SipRequest {
  const via = ['Via', 'SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1'] as const;
  return testRequest('INVITE', {
    headers: [via, ['Route', '<sip:p.test;lr>'], ['Route', '<sip:s.test;lr>']],
  });
}

function response(statusCode: number): Input {
  const message = createResponse(createInvite(), statusCode, { toTag: 'b' });
  return (transaction, now) => transaction.handleResponse(message, now);
}
