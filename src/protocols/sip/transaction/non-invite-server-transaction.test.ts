import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponse } from '../message/create-response.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TransactionLog, testRoute } from '../test-support/transaction-log.ts';
import { NonInviteServerTransaction } from './non-invite-server-transaction.ts';

type Input = (transaction: NonInviteServerTransaction, now: number) => void;

const retransmission: Input = (transaction, now) => transaction.handleRetransmission(now);

test('NonInviteServerTransaction: owes a 100 after 3.5 s and ends unanswered after 64·T1, on every transport', () => {
  for (const transport of ['udp', 'tcp'] as const) {
    const log = start(transport).input(500, retransmission).input(4_000, retransmission).run(99_999);
    assert.deepEqual(log.take(), ['3500 send 100', '4000 send 100', '32000 terminated']);
  }
});

test('NonInviteServerTransaction: an earlier 100 goes out over TCP only (RFC 4320)', () => {
  assert.deepEqual(start('udp').input(10, respond(100)).run(3_500).take(), ['3500 send 100']);
  assert.deepEqual(start('tcp').input(10, respond(100)).run(9_000).take(), ['10 send 100']);
});

test('NonInviteServerTransaction: never sends 408, nor a provisional response other than 100 (RFC 4320)', () => {
  const log = start('udp').input(10, respond(183)).input(20, respond(408)).input(30, respond(200));
  assert.deepEqual(log.take(), ['30 send 200']);
});

test('NonInviteServerTransaction: repeats the final response for each repeated request until timer J (UDP)', () => {
  const log = start('udp').input(10, respond(200)).input(500, retransmission).input(510, respond(404));
  assert.deepEqual(log.take(), ['10 send 200', '500 send 200']);
  assert.deepEqual(log.run(99_999).take(), ['32010 terminated']);
});

test('NonInviteServerTransaction: the final response over TCP ends it at once', () => {
  const log = start('tcp').input(10, respond(404)).input(20, retransmission).run(99_999);
  assert.deepEqual(log.take(), ['10 send 404', '10 terminated']);
});

test('NonInviteServerTransaction: a transport failure is told in every state', () => {
  const failure: Input = (transaction) => transaction.handleTransportFailure();
  const log = start('udp')
    .input(10, failure)
    .input(4_000, failure)
    .input(5_000, respond(200))
    .input(5_010, failure);
  assert.deepEqual(log.take(), [
    ...['10 transport-failed', '3500 send 100', '4000 transport-failed'],
    ...['5000 send 200', '5010 transport-failed'],
  ]);
});

function start(transport: 'udp' | 'tcp'): TransactionLog<NonInviteServerTransaction> {
  const names = { key: '', mergeKey: undefined, isMerged: false };
  const route = testRoute(transport);
  return new TransactionLog(
    (host) => new NonInviteServerTransaction(testRequest('OPTIONS'), names, route, host, 0),
  );
}

function respond(statusCode: number): Input {
  const response = createResponse(testRequest('OPTIONS'), statusCode, { toTag: 'b' });
  return (transaction, now) => transaction.respond(response, now);
}
