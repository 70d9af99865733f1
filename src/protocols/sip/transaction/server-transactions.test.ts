import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipEndpointOptions } from '../endpoint.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { TestUser } from '../test-support/test-user.ts';

const local = { address: '10.0.0.2', port: 5060 };
const remote = { address: '10.0.0.1', port: 5060 };

test('ServerTransactions: branch, sent-by and method together tell one request from another', () => {
  const { user, deliver } = setUp();
  deliver('OPTIONS', 'SIP/2.0/UDP a.test;branch=z9hG4bK1');
  deliver('OPTIONS', 'SIP/2.0/UDP A.test:5060;branch=Z9HG4BK1');
  assert.deepEqual(user.summary, ['request OPTIONS']);
  deliver('MESSAGE', 'SIP/2.0/UDP a.test;branch=z9hG4bK1');
  deliver('OPTIONS', 'SIP/2.0/UDP a.test:5061;branch=z9hG4bK1');
  deliver('OPTIONS', 'SIP/2.0/UDP a.test;branch=z9hG4bK2');
  assert.equal(user.summary.length, 4);
});

test('ServerTransactions: a request without the magic cookie is known by Request-URI, From tag, Call-ID, CSeq and Via', () => {
  const { user, deliver } = setUp();
  deliver('INVITE', 'SIP/2.0/UDP old.test;branch=1');
  deliver('INVITE', 'SIP/2.0/UDP old.test;branch=1');
  assert.deepEqual(user.summary, ['request INVITE']);
  deliver('INVITE', 'SIP/2.0/UDP old.test;branch=1', { cseq: 2 });
  deliver('INVITE', 'SIP/2.0/UDP old.test;branch=1', { fromTag: 'other' });
  deliver('INVITE', 'SIP/2.0/UDP old.test;branch=1', { callId: 'other' });
  deliver('INVITE', 'SIP/2.0/UDP old.test;branch=1', { requestUri: 'sip:other@b.test' });
  deliver('INVITE', 'SIP/2.0/UDP old.test', {});
  assert.equal(user.summary.length, 6);
});

test('ServerTransactions: a branch that is the magic cookie and nothing more tells nothing (RFC 4475 §3.2.1)', () => {
  const { user, deliver } = setUp();
  deliver('OPTIONS', 'SIP/2.0/UDP a.test;branch=z9hG4bK');
  deliver('OPTIONS', 'SIP/2.0/UDP a.test;branch=z9hG4bK');
  deliver('OPTIONS', 'SIP/2.0/UDP a.test;branch=z9hG4bK', { callId: 'other' });
  assert.deepEqual(user.summary, ['request OPTIONS', 'request OPTIONS']);
});

test('ServerTransactions: an ACK without the magic cookie belongs to the INVITE whose response had its To tag', () => {
  const { user, deliver } = setUp();
  user.answerWith(486);
  deliver('INVITE', 'SIP/2.0/UDP old.test');
  deliver('ACK', 'SIP/2.0/UDP old.test', { toTag: 'of-nobody' });
  assert.deepEqual(user.summary, ['request INVITE', 'ack']);
  deliver('ACK', 'SIP/2.0/UDP old.test', { toTag: '10.0.0.2' });
  assert.deepEqual(user.summary.slice(2), ['acknowledged']);
});

test('ServerTransactions: a CANCEL finds its INVITE with and without the magic cookie, and gets 481 when there is none', () => {
  for (const via of ['SIP/2.0/UDP a.test;branch=z9hG4bK1', 'SIP/2.0/UDP old.test']) {
    const { network, user, deliver } = setUp();
    user.answerWith(180);
    deliver('INVITE', via);
    deliver('CANCEL', via);
    deliver('CANCEL', via);
    deliver('CANCEL', 'SIP/2.0/UDP a.test;branch=z9hG4bK-other', { callId: 'other' });
    assert.deepEqual(user.summary, ['request INVITE', 'cancelled']);
    const codes = network.ladder.map((line) => line.replace(/.*SIP\/2\.0 (\d+).*/, '$1'));
    assert.deepEqual(codes, ['180', '200', '200', '481']);
  }
});

test('ServerTransactions: the ACK for a 2xx that repeats the branch of the INVITE still reaches the user', () => {
  const { user, deliver } = setUp();
  user.answerWith(200);
  deliver('INVITE', 'SIP/2.0/UDP a.test;branch=z9hG4bK1');
  deliver('ACK', 'SIP/2.0/UDP a.test;branch=z9hG4bK1', { toTag: '10.0.0.2' });
  assert.deepEqual(user.summary, ['request INVITE', 'ack']);
});

test('ServerTransactions: at the limit new requests get 503 without state, known ones go on', () => {
  const { network, user, deliver } = setUp({ maximumServerTransactions: 2 });
  for (const branch of ['1', '2', '3', '2']) deliver('INVITE', `SIP/2.0/UDP a.test;branch=z9hG4bK${branch}`);
  assert.equal(user.transactions.length, 2);
  assert.match(network.ladder.join(), /SIP\/2\.0 503/);
  user.respond(user.lastRequest, 200);
  network.run(33_000);
  deliver('INVITE', 'SIP/2.0/UDP a.test;branch=z9hG4bK4');
  assert.equal(user.transactions.length, 3);
});

test('ServerTransactions: an answer after the end, or to nobody, is dropped', () => {
  const { network, user, deliver } = setUp();
  user.answerWith(200);
  deliver('OPTIONS', 'SIP/2.0/UDP a.test;branch=z9hG4bK1');
  network.runToEnd();
  const before = network.ladder.length;
  user.respond(user.lastRequest, 200);
  network.flush();
  assert.equal(network.ladder.length, before);
});

interface Parts {
  readonly requestUri?: string;
  readonly fromTag?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly toTag?: string;
}

interface SetUp {
  readonly network: SipTestNetwork;
  readonly user: TestUser;
  readonly deliver: (method: string, via: string, parts?: Parts) => void;
}

function setUp(options: Partial<SipEndpointOptions> = {}): SetUp {
  const network = new SipTestNetwork();
  const user = new TestUser(network, local.address, options);
  const deliver = (method: string, via: string, parts: Parts = {}): void => {
    const payload = Buffer.from(requestText(method, via, parts));
    network.inject(user.endpoint, { kind: 'datagram-received', local, remote, payload });
  };
  return { network, user, deliver };
}

function requestText(method: string, via: string, parts: Parts): string {
  const { requestUri = 'sip:bob@b.test', fromTag = 'a', callId = 'c', cseq = 1, toTag } = parts;
  return [
    `${method} ${requestUri} SIP/2.0`,
    `Via: ${via}`,
    `From: <sip:alice@a.test>;tag=${fromTag}`,
    `To: <sip:bob@b.test>${toTag === undefined ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    '\r\n',
  ].join('\r\n');
}
