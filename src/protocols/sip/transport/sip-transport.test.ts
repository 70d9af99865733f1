import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipEndpointOptions } from '../endpoint.ts';
import { topViaOf } from '../message/header-fields.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';
import { connectionIdleMs, connectTimeoutMs, maximumConnections, tcpRefusedMs } from './limits.ts';

const bob = { address: '10.0.0.2', port: 5060 };
const overTcp = { ...bob, transport: 'tcp' } as const;
const large = { body: 'x'.repeat(1_300) };
const udpOnly = (address: string): Partial<SipEndpointOptions> => ({
  listen: [{ transport: 'udp', address, port: 5060 }],
});

test('SipTransport: a request of more than 1300 octets goes by TCP with the Via changed, its answer over the same connection', () => {
  const { network, a, b } = pair();
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('MESSAGE', large), bob, 0);
  network.run(1_000);
  assert.deepEqual([...a.summary], ['response 200', 'terminated']);
  assert.equal(topViaOf(b.lastRequest.request).transport, 'TCP');
  assert.deepEqual(network.ladder, [
    '0.005 10.0.0.1:40000 → 10.0.0.2:5060 tcp MESSAGE sip:bob@b.test SIP/2.0',
    '0.010 10.0.0.2:5060 → 10.0.0.1:40000 tcp SIP/2.0 200 OK',
  ]);
});

test('SipTransport: 1300 octets still go by UDP', () => {
  const { network, a } = pair();
  const sizes = [];
  for (let size = 900; size <= 1_300; size++) sizes.push(size);
  for (const size of sizes)
    a.endpoint.sendRequest(testRequest('MESSAGE', { body: 'x'.repeat(size) }), bob, 0);
  const datagrams: number[] = [];
  for (let output = a.endpoint.pollOutput(); output !== undefined; output = a.endpoint.pollOutput())
    if (output.kind === 'transmit' && output.transport === 'udp') datagrams.push(output.payload.length);
  assert.equal(Math.max(...datagrams), 1_300);
  assert.ok(datagrams.length < sizes.length);
  network.flush();
});

test('SipTransport: one connection carries everything between two peers, in both directions', () => {
  const { network, a, b } = pair();
  a.answerWith(200);
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('OPTIONS', { callId: '1' }), overTcp, 0);
  a.endpoint.sendRequest(testRequest('OPTIONS', { callId: '2' }), overTcp, 0);
  network.run(100);
  const back = b.lastRequest.source;
  b.endpoint.sendRequest(testRequest('OPTIONS', { callId: '3' }), { ...back, transport: 'tcp' }, network.now);
  network.run(200);
  assert.equal(network.connections, 1);
  assert.deepEqual(b.summary.slice(-2), ['response 200', 'terminated']);
});

test('SipTransport: who refuses TCP gets large requests by UDP, with the same branch, and at once from then on', () => {
  const { network, a, b } = pair({}, udpOnly(bob.address));
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('MESSAGE', large), bob, 0);
  network.run(100);
  assert.equal(topViaOf(b.lastRequest.request).transport, 'UDP');
  assert.deepEqual(a.summary, ['response 200']);
  assert.match(network.ladder[0]!, /^0\.005 .* udp MESSAGE/);
  a.endpoint.sendRequest(testRequest('MESSAGE', large), bob, network.now);
  network.flush();
  assert.match(network.ladder.at(-1)!, /^0\.100 .* udp MESSAGE/);
  network.run(tcpRefusedMs + 100);
  a.endpoint.sendRequest(testRequest('MESSAGE', large), bob, network.now);
  network.flush();
  assert.equal(network.connections, 2);
});

test('SipTransport: who swallows connection attempts gets large requests by UDP after a while', () => {
  const { network, a, b } = pair();
  network.swallowsConnections = true;
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('MESSAGE', large), bob, 0);
  network.run(connectTimeoutMs + 100);
  assert.deepEqual(a.summary, ['response 200']);
  assert.match(network.ladder[0]!, /^10\.000 .* udp MESSAGE/);
});

test('SipTransport: a request that wants TCP fails when TCP is refused', () => {
  const { network, a } = pair({}, udpOnly(bob.address));
  a.endpoint.sendRequest(testRequest('OPTIONS'), overTcp, 0);
  network.run(100);
  assert.deepEqual(a.summary, ['transport-failed', 'terminated']);
});

test('SipTransport: an answer goes to the port it was asked from if rport says so, else to the port of sent-by', () => {
  for (const [parameter, port] of [
    [';rport', 7_777],
    ['', 6_060],
  ] as const) {
    const { network, b } = pair();
    b.answerWith(200);
    deliver(network, b, optionsText(`SIP/2.0/UDP a.test:6060;branch=z9hG4bK1${parameter}`));
    assert.match(network.ladder[0]!, new RegExp(`10.0.0.2:5060 → 10.0.0.99:${port} udp SIP/2.0 200 OK`));
    const via = topViaOf(b.lastRequest.request);
    assert.equal(via.parameters.get('received'), '10.0.0.99');
    assert.equal(via.parameters.get('rport'), port === 7_777 ? '7777' : undefined);
  }
});

test('SipTransport: an answer goes over a new connection to the port of sent-by when the one of the request has closed', () => {
  const { network, a, b } = pair();
  a.endpoint.sendRequest(testRequest('INVITE'), overTcp, 0);
  network.run(100);
  b.respond(b.lastRequest, 180);
  network.run(200);
  network.breakConnections();
  network.run(300);
  b.respond(b.lastRequest, 200);
  network.run(400);
  assert.deepEqual(a.summary, ['response 180', 'response 200']);
  assert.match(network.ladder.at(-1)!, /→ 10\.0\.0\.1:5060 tcp SIP\/2\.0 200 OK/);
});

test('SipTransport: a broken connection fails what was never answered, and everything of an element that takes no connections', () => {
  const { network, a, b } = pair(udpOnly('10.0.0.1'));
  a.endpoint.sendRequest(testRequest('OPTIONS'), overTcp, 0);
  network.run(100);
  network.breakConnections();
  network.run(200);
  assert.deepEqual(a.summary, ['transport-failed', 'terminated']);
  b.answerWith(180);
  a.endpoint.sendRequest(testRequest('INVITE'), overTcp, network.now);
  network.run(300);
  network.breakConnections();
  network.run(400);
  assert.deepEqual(a.summary.slice(2), ['response 180', 'transport-failed', 'terminated']);
});

test('SipTransport: an address that is not there fails what was sent to it', () => {
  const { network, a, b } = pair();
  a.endpoint.sendRequest(testRequest('OPTIONS'), bob, 0);
  network.run(1);
  const local = { address: '10.0.0.1', port: 5060 };
  network.inject(a.endpoint, { kind: 'datagram-refused', local, remote: { ...bob, port: 9 } });
  assert.deepEqual(a.summary, []);
  network.inject(a.endpoint, { kind: 'datagram-refused', local, remote: bob });
  assert.deepEqual(a.summary, ['transport-failed', 'terminated']);
  network.run(20);
  b.respond(b.lastRequest, 200);
  network.flush();
  network.inject(b.endpoint, { kind: 'datagram-refused', local: bob, remote: local });
  assert.deepEqual(b.summary, ['request OPTIONS', 'transport-failed']);
});

test('SipTransport: closes a connection that nobody has used for long', () => {
  const { network, a, b } = pair();
  b.answerWith(200);
  a.endpoint.sendRequest(testRequest('OPTIONS'), overTcp, 0);
  network.run(connectionIdleMs + 9);
  assert.deepEqual(network.closed, []);
  network.run(connectionIdleMs + 10);
  assert.equal(network.closed.length, 1);
});

test('SipTransport: answers a ping on a connection, and closes a stream that it cannot cut into messages', () => {
  const { network, b } = pair();
  accept(network, b, 'a-ping');
  b.endpoint.handleInput(
    { kind: 'stream-received', connection: 'a-ping', payload: Buffer.from('\r\n\r\n') },
    0,
  );
  const pong = b.endpoint.pollOutput();
  assert.equal(pong?.kind === 'transmit' && Buffer.from(pong.payload).toString(), '\r\n');
  network.inject(b.endpoint, {
    kind: 'stream-received',
    connection: 'a-ping',
    payload: Buffer.from('X y\r\n\r\n'),
  });
  assert.deepEqual(network.closed, ['a-ping']);
});

test('SipTransport: at its limit a new connection takes the place of the one idle for longest', () => {
  const { network, b } = pair();
  for (let index = 0; index < maximumConnections; index++) accept(network, b, `a-${index}`);
  network.inject(b.endpoint, {
    kind: 'stream-received',
    connection: 'a-0',
    payload: Buffer.from('\r\n\r\n'),
  });
  accept(network, b, 'a-one-more');
  assert.deepEqual(network.closed, ['a-1']);
});

test('SipTransport: malformed requests get a 400 as far as they can be read, malformed responses and noise nothing', () => {
  const { network, b } = pair();
  const good = optionsText('SIP/2.0/UDP a.test;branch=z9hG4bK1;rport');
  const cases: [text: string, answer: string | undefined][] = [
    [good.replace('CSeq: 1 OPTIONS', 'CSeq: x'), '400 Bad Request (CSeq)'],
    [good.replace('Max-Forwards: 70', 'Max-Forwards: many'), '400 Bad Request (Max-Forwards)'],
    [good.replace('CSeq: 1 OPTIONS', 'CSeq: 1 INVITE'), '400 CSeq method differs from request method'],
    [good.replace('Content-Length: 0', 'Content-Length: 9'), '400 Bad Request (Content-Length)'],
    [good.replace(/^OPTIONS \S+/, 'OPTIONS nowhere'), '400 Bad Request (Request-URI)'],
    [good.replace('SIP/2.0\r\n', 'SIP/7.0\r\n'), '505 Version Not Supported'],
    [good.replace(/^OPTIONS \S+/, 'OPTIONS http://b.test'), '416 Unsupported URI Scheme'],
    [good.replace(/Call-ID: .*\r\n/, ''), '400 Missing Call-ID'],
    [good.replace(/^OPTIONS/, 'ACK').replace('1 OPTIONS', 'x'), undefined],
    [good.replace(/Via: .*\r\n/, ''), undefined],
    [good.replace('SIP/2.0/UDP a.test', 'SIP/2.0/UDP'), undefined],
    [good.replace(/^.*\r\n/, 'SIP/2.0 200 OK\r\n').replace('1 OPTIONS', 'x'), undefined],
    ['hello', undefined],
    ['\0\r\n\r\n', undefined],
    ['\r\n\r\n', undefined],
  ];
  for (const [text, answer] of cases) {
    const before = network.ladder.length;
    deliver(network, b, text);
    const sent = network.ladder.slice(before).map((line) => line.replace(/.* udp SIP\/2\.0 /, ''));
    assert.deepEqual(sent, answer === undefined ? [] : [answer], text);
  }
  assert.deepEqual(b.summary, []);
  const { received, refused, dropped, serverTransactions } = b.endpoint.counters;
  assert.deepEqual(
    { received, refused, dropped, serverTransactions },
    { received: 14, refused: 8, dropped: 6, serverTransactions: 0 },
  );
});

test('SipTransport: repetitions of a request refused without state get the same To tag', () => {
  const { network, b } = pair();
  const tags = new Set<string>();
  for (const branch of ['z9hG4bK1', 'z9hG4bK1', 'z9hG4bK2']) {
    b.endpoint.handleInput(
      datagram(optionsText(`SIP/2.0/UDP a.test;branch=${branch}`).replace('1 OPTIONS', '1 BYE')),
      0,
    );
    const output = b.endpoint.pollOutput();
    assert.ok(output?.kind === 'transmit');
    tags.add(/^To: .*;tag=(\S+)/m.exec(Buffer.from(output.payload).toString('latin1'))![1]!);
  }
  assert.equal(tags.size, 2);
  network.flush();
});

test('SipTransport: what is meant for other listeners and connections is left alone', () => {
  const { network, b } = pair();
  const elsewhere = { address: '10.0.0.2', port: 5999 };
  const payload = Buffer.from(optionsText('SIP/2.0/UDP a.test;branch=z9hG4bK1'));
  network.inject(b.endpoint, { kind: 'datagram-received', local: elsewhere, remote: bob, payload });
  network.inject(b.endpoint, {
    kind: 'connection-accepted',
    connection: 'a-x',
    local: elsewhere,
    remote: bob,
  });
  network.inject(b.endpoint, { kind: 'stream-received', connection: 'a-x', payload });
  network.inject(b.endpoint, { kind: 'connection-established', connection: 'o-x', local: elsewhere });
  network.inject(b.endpoint, { kind: 'connection-closed', connection: 'a-x', reason: '' });
  assert.deepEqual([b.summary, network.ladder], [[], []]);
});

interface Pair {
  readonly network: SipTestNetwork;
  readonly a: TestUser;
  readonly b: TestUser;
}

function pair(ofA: Partial<SipEndpointOptions> = {}, ofB: Partial<SipEndpointOptions> = {}): Pair {
  const network = new SipTestNetwork();
  return { network, a: new TestUser(network, '10.0.0.1', ofA), b: new TestUser(network, bob.address, ofB) };
}

function optionsText(via: string): string {
  return [
    'OPTIONS sip:bob@b.test SIP/2.0',
    `Via: ${via}`,
    'Max-Forwards: 70',
    'From: <sip:alice@a.test>;tag=a',
    'To: <sip:bob@b.test>',
    'Call-ID: c',
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');
}

function datagram(text: string): {
  kind: 'datagram-received';
  local: typeof bob;
  remote: typeof bob;
  payload: Buffer;
} {
  const remote = { address: '10.0.0.99', port: 7_777 };
  return { kind: 'datagram-received', local: bob, remote, payload: Buffer.from(text, 'latin1') };
}

function deliver(network: SipTestNetwork, user: TestUser, text: string): void {
  network.inject(user.endpoint, datagram(text));
}

function accept(network: SipTestNetwork, user: TestUser, connection: string): void {
  const remote = { address: '10.0.0.99', port: 7_777 };
  network.inject(user.endpoint, { kind: 'connection-accepted', connection, local: bob, remote });
}
