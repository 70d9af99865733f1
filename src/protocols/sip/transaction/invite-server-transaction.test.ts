import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponse } from '../message/create-response.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TransactionLog, testRoute } from '../test-support/transaction-log.ts';
import { InviteServerTransaction } from './invite-server-transaction.ts';

type Input = (transaction: InviteServerTransaction, now: number) => void;

const peer = { address: '192.0.2.1', port: 5060 };
const retransmission: Input = (transaction, now) => transaction.handleRetransmission(now);
const ack: Input = (transaction, now) =>
  transaction.handleAck(testRequest('ACK'), { source: peer, local: peer, transport: 'udp' }, now);
const failure: Input = (transaction) => transaction.handleTransportFailure();

test('InviteServerTransaction: sends 100 when nothing else was sent for 200 ms, and repeats it for each repeated INVITE', () => {
  const log = start('udp').input(100, retransmission).input(300, retransmission).run(1_000_000);
  assert.deepEqual(log.take(), ['200 send 100', '300 send 100']);
});

test('InviteServerTransaction: a repeated INVITE gets the last provisional response; no 100 once another was sent', () => {
  const log = start('udp')
    .input(10, respond(180))
    .input(20, respond(183))
    .input(500, retransmission)
    .run(10_000);
  assert.deepEqual(log.take(), ['10 send 180', '20 send 183', '500 send 183']);
});

test('InviteServerTransaction: 2xx leads to Accepted, which absorbs INVITE, passes 2xx and ACK until timer L, on every transport', () => {
  for (const transport of ['udp', 'tcp'] as const) {
    const log = start(transport).input(50, respond(200));
    log.input(60, retransmission).input(550, respond(200)).input(560, respond(180)).input(570, respond(486));
    assert.deepEqual(log.input(600, ack).take(), ['50 send 200', '550 send 200', '600 ack']);
    assert.deepEqual(log.input(700, failure).take(), ['700 transport-failed']);
    assert.deepEqual(log.run(99_999).take(), ['32050 terminated']);
  }
});

test('InviteServerTransaction: 300–699 over UDP is repeated with timer G up to T2 until timer H says that the ACK is missing', () => {
  const log = start('udp').input(50, respond(486)).run(99_999);
  const sent = [50, 550, 1_550, 3_550, 7_550, 11_550, 15_550, 19_550, 23_550, 27_550, 31_550];
  assert.deepEqual(log.take(), [
    ...sent.map((at) => `${at} send 486`),
    '32050 ack-missing',
    '32050 terminated',
  ]);
});

test('InviteServerTransaction: 300–699 over TCP is sent once, and timer H still waits for the ACK', () => {
  const log = start('tcp').input(50, respond(486)).run(99_999);
  assert.deepEqual(log.take(), ['50 send 486', '32050 ack-missing', '32050 terminated']);
});

test('InviteServerTransaction: a repeated INVITE in Completed gets the final response; later responses are dropped', () => {
  const log = start('udp').input(50, respond(486)).input(60, retransmission).input(70, respond(200));
  assert.deepEqual(log.take(), ['50 send 486', '60 send 486']);
  assert.deepEqual(log.input(80, failure).take(), ['80 transport-failed']);
});

test('InviteServerTransaction: the ACK leads to Confirmed, which absorbs everything until timer I (UDP)', () => {
  const log = start('udp').input(50, respond(486)).input(60, ack);
  assert.deepEqual(log.take(), ['50 send 486', '60 acknowledged']);
  log.input(70, ack).input(80, retransmission).input(90, failure).input(95, respond(500));
  assert.deepEqual(log.run(99_999).take(), ['5060 terminated']);
});

test('InviteServerTransaction: the ACK over TCP ends it at once', () => {
  const log = start('tcp').input(50, respond(486)).input(60, ack);
  assert.deepEqual(log.run(99_999).take(), ['50 send 486', '60 acknowledged', '60 terminated']);
});

test('InviteServerTransaction: a transport failure in Proceeding is told and changes nothing (RFC 6026)', () => {
  const log = start('udp').input(10, respond(180)).input(20, failure).input(30, respond(200));
  assert.deepEqual(log.take(), ['10 send 180', '20 transport-failed', '30 send 200']);
});

test('InviteServerTransaction: an ACK before any final response is nobody’s', () => {
  assert.deepEqual(start('udp').input(10, ack).take(), []);
});

function start(transport: 'udp' | 'tcp'): TransactionLog<InviteServerTransaction> {
  const names = { key: '', mergeKey: undefined, isMerged: false };
  const route = testRoute(transport);
  return new TransactionLog(
    (host) => new InviteServerTransaction(testRequest('INVITE'), names, route, host, 0),
  );
}

function respond(statusCode: number): Input {
  const response = createResponse(testRequest('INVITE'), statusCode, { toTag: 'b' });
  return (transaction, now) => transaction.respond(response, now);
}
