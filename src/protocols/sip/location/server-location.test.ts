/** Server location (RFC 3263): the order of questions, the order of servers, and what happens when one of them fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import type { DnsRecord } from '../../../base/network.ts';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { parseSipUri, type SipUri } from '../message/sip-uri.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';
import type { SipTarget } from '../transaction/sip-event.ts';
import { type ClientAbility, locateServers } from './server-location.ts';

type Zone = Readonly<Record<string, readonly DnsRecord[]>>;

const naptr = (order: number, service: string, replacement: string): DnsRecord => ({
  type: 'naptr',
  order,
  preference: 50,
  flags: 's',
  service,
  replacement,
});
const srv = (priority: number, weight: number, port: number, target: string): DnsRecord => ({
  type: 'srv',
  priority,
  weight,
  port,
  target,
});
const a = (address: string): DnsRecord => ({ type: 'a', address });
const aaaa = (address: string): DnsRecord => ({ type: 'aaaa', address });

/** The example of RFC 3263 §4.1. */
const exampleCom: Zone = {
  'naptr example.com': [
    naptr(90, 'SIP+D2T', '_sip._tcp.example.com'),
    naptr(100, 'SIP+D2U', '_sip._udp.example.com'),
    naptr(50, 'SIPS+D2T', '_sips._tcp.example.com'),
    naptr(10, 'E2U+sip', 'nowhere.example.com'),
  ],
  'srv _sips._tcp.example.com': [srv(0, 1, 5061, 'Server1.example.com')],
  'srv _sip._tcp.example.com': [
    srv(0, 1, 5060, 'server1.example.com'),
    srv(1, 1, 5070, 'server2.example.com'),
  ],
  'srv _sip._udp.example.com': [srv(0, 1, 5060, 'server2.example.com')],
  'a server1.example.com': [a('192.0.2.1')],
  'a server2.example.com': [a('192.0.2.2')],
  'a example.com': [a('192.0.2.80')],
  'aaaa server1.example.com': [aaaa('2001:db8::1')],
};

test('locateServers: takes transports in the order of NAPTR, servers in that of SRV, of those that the client can do', () => {
  const { targets, questions } = search('sip:bob@example.com', exampleCom, { transports: ['udp', 'tcp'] });
  assert.deepEqual(targets.map(textOf), ['tcp 192.0.2.1:5060', 'tcp 192.0.2.2:5070', 'udp 192.0.2.2:5060']);
  assert.deepEqual(questions.slice(0, 3), [
    'naptr example.com',
    'srv _sip._tcp.example.com',
    'a server1.example.com',
  ]);
  const all = search('sip:bob@example.com', exampleCom, { transports: ['udp', 'tcp', 'tls'] }).targets;
  assert.deepEqual(all[0], { transport: 'tls', address: '192.0.2.1', port: 5061, serverName: 'example.com' });
});

test('locateServers: sips: and transport= ask for their SRV alone, and sips: is never sent in the clear', () => {
  const secure = search('sips:bob@example.com', exampleCom, { transports: ['udp', 'tcp', 'tls'] });
  assert.deepEqual(secure.targets.map(textOf), ['tls 192.0.2.1:5061']);
  assert.equal(secure.questions[0], 'srv _sips._tcp.example.com');
  const named = search('sip:bob@example.com;transport=udp', exampleCom);
  assert.deepEqual(named.targets.map(textOf), ['udp 192.0.2.2:5060']);
  assert.deepEqual(search('sips:bob@example.com', exampleCom).targets, []);
});

test('locateServers: without NAPTR every service is asked for, without SRV the domain itself at the default port', () => {
  const { 'naptr example.com': _, ...noNaptr } = exampleCom;
  assert.deepEqual(search('sip:bob@example.com', noNaptr).targets.map(textOf), [
    'udp 192.0.2.2:5060',
    'tcp 192.0.2.1:5060',
    'tcp 192.0.2.2:5070',
  ]);
  const plain = search('sip:bob@example.com', { 'a example.com': [a('192.0.2.80'), a('192.0.2.81')] });
  // No transport: a long request may still choose TCP (RFC 3261 §18.1.1).
  assert.deepEqual(plain.targets, [
    { address: '192.0.2.80', port: 5060 },
    { address: '192.0.2.81', port: 5060 },
  ]);
  assert.deepEqual(search('sip:bob@nowhere.test', exampleCom).targets, []);
});

test('locateServers: a port in the URI means addresses only, IPv6 where the client has it', () => {
  const { targets, questions } = search('sip:bob@server1.example.com:5099', exampleCom, {
    families: ['aaaa', 'a'],
  });
  assert.deepEqual(targets.map(textOf), ['auto 2001:db8::1:5099', 'auto 192.0.2.1:5099']);
  assert.deepEqual(questions, ['aaaa server1.example.com', 'a server1.example.com']);
});

test('locateServers: servers of one priority are drawn by weight (RFC 2782), and a target of "." means none', () => {
  const zone = {
    'srv _sip._udp.w.test': [srv(1, 3, 1, 'x.test'), srv(1, 1, 2, 'x.test'), srv(0, 0, 3, '.')],
    'a x.test': [a('192.0.2.9')],
  };
  const first = { 1: 0, 2: 0 };
  for (let seed = 0; seed < 1_000; seed++) {
    const [best] = search('sip:w.test;transport=udp', zone, { random: new SeededRandomSource(seed) }).targets;
    first[best!.port as 1 | 2]++;
  }
  assert.ok(Math.abs(first[1] / 1_000 - 0.75) < 0.08, JSON.stringify(first));
});

test('SipEndpoint: a server of the domain that fails, refuses or is silent gives way to the next (RFC 3263 §4.3)', () => {
  const zone: Zone = {
    ...exampleCom,
    'naptr example.com': [],
    'srv _sip._tcp.example.com': [],
    'srv _sip._udp.example.com': [1, 2, 3, 4].map((n) => srv(n, 0, 5060, `s${n}.test`)),
  };
  const { network, client } = setUp({
    ...zone,
    ...Object.fromEntries([1, 2, 3, 4].map((n) => [`a s${n}.test`, [a(`10.0.1.${n}`)]])),
  });
  // The first is silent, the second overloaded, the third answers.
  const second = new TestUser(network, '10.0.1.2');
  second.answerWith(503);
  const third = new TestUser(network, '10.0.1.3');
  third.answerWith(180, 200);
  const transaction = client.endpoint.sendRequest(
    testRequest('INVITE'),
    { uri: uriOf('sip:bob@example.com') },
    0,
  );
  network.run(40_000);
  assert.deepEqual(client.summary, ['response 180', 'response 200']);
  const told = client.events.filter((event) => 'transaction' in event && event.transaction !== transaction);
  assert.deepEqual(told, []);
  const branches = network.messages
    .filter((text) => text.startsWith('INVITE'))
    .map((text) => /branch=([^;]+)/.exec(text)![1]);
  assert.equal(new Set(branches).size, 3);
  // Answers are remembered: nothing is asked again.
  const asked = network.questions.length;
  client.endpoint.sendRequest(
    testRequest('OPTIONS'),
    { uri: uriOf('sip:bob@example.com') },
    network.now - 20_000,
  );
  assert.equal(network.questions.length, asked);
});

test('SipEndpoint: a domain without servers fails, one that never answers too, and a request taken back is not sent', () => {
  const { network, client } = setUp({});
  client.endpoint.sendRequest(testRequest('OPTIONS'), { uri: uriOf('sip:bob@nowhere.test') }, 0);
  network.run(1_000);
  assert.deepEqual(client.summary, ['transport-failed', 'terminated']);
  const invite = client.endpoint.sendRequest(
    testRequest('INVITE'),
    { uri: uriOf('sip:bob@later.test') },
    network.now,
  );
  client.endpoint.cancel(invite, network.now);
  network.run(2_000);
  assert.deepEqual(client.summary.slice(2), ['timed-out', 'terminated']);
  assert.equal(network.messages.length, 0);
});

test('SipEndpoint: a CANCEL and the ACK for a 2xx find their server as well', () => {
  const { network, client } = setUp({ 'a b.test': [a('10.0.1.1')] });
  const server = new TestUser(network, '10.0.1.1');
  server.answerWith(180);
  const invite = client.endpoint.sendRequest(testRequest('INVITE'), { uri: uriOf('sip:b.test:5060') }, 0);
  network.run(1_000);
  client.endpoint.cancel(invite, network.now);
  client.endpoint.sendWithoutTransaction(
    testRequest('ACK', { toTag: 'x', callId: 'other' }),
    { uri: uriOf('sip:b.test:5060') },
    network.now,
  );
  network.run(2_000);
  assert.deepEqual(server.summary.toSorted(), ['ack', 'cancelled', 'request INVITE']);
});

function search(text: string, zone: Zone, ability: Partial<ClientAbility> = {}) {
  const location = locateServers(uriOf(text), {
    transports: ['udp', 'tcp'],
    families: ['a'],
    random: new SeededRandomSource(1),
    ...ability,
  });
  const questions: string[] = [];
  let step = location.next([]);
  while (!step.done) {
    const question = `${step.value.type} ${step.value.name}`;
    questions.push(question);
    step = location.next(zone[question] ?? []);
  }
  return { targets: step.value, questions };
}

function textOf({ transport, address, port }: SipTarget): string {
  return `${transport ?? 'auto'} ${address}:${port}`;
}

function uriOf(text: string): SipUri {
  const uri = parseSipUri(text);
  assert.ok(!isMalformed(uri));
  return uri;
}

function setUp(zone: Zone) {
  const network = new SipTestNetwork();
  for (const [question, records] of Object.entries(zone)) network.zone.set(question, records);
  return { network, client: new TestUser(network, '10.0.0.1', { locatesServers: true }) };
}
