import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponse } from '../message/create-response.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TransactionLog, testRoute } from '../test-support/transaction-log.ts';
import type { PreparedRequest } from './client-transaction.ts';
import { NonInviteClientTransaction } from './non-invite-client-transaction.ts';

type Input = (transaction: NonInviteClientTransaction, now: number) => void;

const failure: Input = (transaction) => transaction.handleTransportFailure();

test('NonInviteClientTransaction: over UDP repeats the request with timer E up to T2 and gives up with timer F', () => {
  const log = start('udp').run(100_000);
  const sent = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
  assert.deepEqual(log.take(), [
    ...sent.map((at) => `${at} send OPTIONS`),
    '32000 timed-out',
    '32000 terminated',
  ]);
});

test('NonInviteClientTransaction: over TCP sends the request once and gives up with timer F', () => {
  assert.deepEqual(start('tcp').run(100_000).take(), [
    '0 send OPTIONS',
    '32000 timed-out',
    '32000 terminated',
  ]);
});

test('NonInviteClientTransaction: after a provisional response it repeats every T2, and timer F still runs', () => {
  const log = start('udp').input(100, response(100)).run(100_000);
  const sent = [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500].map((at) => `${at} send OPTIONS`);
  const expected = ['0 send OPTIONS', '100 response', ...sent, '32000 timed-out', '32000 terminated'];
  assert.deepEqual(log.take(), expected);
});

test('NonInviteClientTransaction: a final response ends repetition; repeated ones are absorbed until timer K (UDP)', () => {
  for (const before of [[], [response(100)]]) {
    const log = start('udp');
    for (const provisional of before) log.input(10, provisional);
    log.take();
    log.input(20, response(404)).input(30, response(404)).input(40, response(200));
    log.input(50, failure);
    assert.deepEqual(log.run(50_000).take(), ['20 response', '5020 terminated']);
  }
});

test('NonInviteClientTransaction: a final response over TCP ends it at once', () => {
  assert.deepEqual(start('tcp').input(20, response(200)).run(9_999).take(), [
    '0 send OPTIONS',
    '20 response',
    '20 terminated',
  ]);
});

test('NonInviteClientTransaction: a transport failure before the final response ends it', () => {
  for (const before of [[], [response(100)]]) {
    const log = start('udp');
    for (const provisional of before) log.input(10, provisional);
    log.take();
    log.input(20, failure).run(99_999);
    assert.deepEqual(log.take(), ['20 transport-failed', '20 terminated']);
  }
});

function start(transport: 'udp' | 'tcp'): TransactionLog<NonInviteClientTransaction> {
  const request = testRequest('OPTIONS');
  const octets = serializeSipMessage(request);
  const prepared: PreparedRequest = { request, octets, route: testRoute(transport), key: '' };
  const log = new TransactionLog((host) => new NonInviteClientTransaction(prepared, false, host));
  return log.input(0, (transaction, now) => transaction.start(now));
}

function response(statusCode: number): Input {
  const message = createResponse(testRequest('OPTIONS'), statusCode, { toTag: 'b' });
  return (transaction, now) => transaction.handleResponse(message, now);
}
