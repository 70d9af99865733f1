import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { avp, avpValue } from './avp.ts';
import { resultAvps } from './capabilities.ts';
import type { DiameterEvent } from './diameter-event.ts';
import { baseApplication, baseAvps, baseCommands } from './dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands } from './dictionary/cx.ts';
import { Dictionary } from './dictionary/dictionary.ts';
import { natControlApplication } from './dictionary/nat-control.ts';
import { DiameterEndpoint, type DiameterEndpointOptions } from './endpoint.ts';
import { maximumOutstandingRequests, maximumPendingConnections } from './limits.ts';
import { type DiameterMessage, decodeMessage, encodeMessage, MalformedMessage } from './message.ts';
import { resultCode } from './result-code.ts';
import { TestNetwork } from './test-network.ts';

const port = 3868;
const hssAddress = '192.0.2.10';

test('DiameterEndpoint: a client calls a server, asks, and gets the answer', () => {
  const { network, client, server } = pair();
  assert.deepEqual(client.pollEvent(), { kind: 'peer-available', peer: 'hss.example', isRestarted: false });
  const request = ask(client, network);
  network.settle();
  const received = nextRequest(server);
  assert.equal(received.command, cxCommands.locationInfo);
  assert.equal(avpValue(received.avps, baseAvps.destinationRealm), 'example');
  assert.equal(avpValue(received.avps, cxAvps.publicIdentity), 'sip:mn@example');
  server.answer(received.request, resultAvps(resultCode.success));
  network.settle();
  const answer = client.pollEvent();
  assert.ok(answer?.kind === 'answer-received');
  assert.equal(answer.request, request);
  assert.equal(avpValue(answer.avps, baseAvps.sessionId), received.sessionId);
  assert.equal(avpValue(answer.avps, baseAvps.originHost), 'hss.example');
});

test('DiameterEndpoint: a peer that comes back with another realm is asked in that realm', () => {
  const { network, client } = pair();
  network.remove(hssAddress);
  const server = endpoint('hss.example', {
    originRealm: 'other.example',
    originStateId: 2,
    listen: [{ address: hssAddress, port }],
    peers: [{ host: 'cscf.example' }],
  });
  network.add(hssAddress, server);
  server.start(network.now);
  network.run(40_000);
  ask(client, network);
  network.settle();
  assert.equal(avpValue(nextRequest(server).avps, baseAvps.destinationRealm), 'other.example');
});

test('DiameterEndpoint: two nodes that call each other end with one connection', () => {
  const network = new TestNetwork();
  const [a, b] = [hssAddress, '192.0.2.11'];
  const left = endpoint('a.example', {
    listen: [{ address: a, port }],
    peers: [{ host: 'b.example', address: { address: b, port } }],
  });
  const right = endpoint('b.example', {
    listen: [{ address: b, port }],
    peers: [{ host: 'a.example', address: { address: a, port } }],
  });
  network.add(a, left);
  network.add(b, right);
  left.start(0);
  right.start(0);
  network.run(1000);
  assert.equal(left.isAvailable('b.example'), true);
  assert.equal(right.isAvailable('A.example'), true);
  const request = left.request('b.example', locationInfo, network.now);
  network.settle();
  right.answer(nextRequest(right).request, resultAvps(2001));
  network.settle();
  assert.equal(
    events(left).some((event) => event.kind === 'answer-received' && event.request === request),
    true,
  );
});

test('DiameterEndpoint: a request without an answer times out', () => {
  const { network, client } = pair();
  events(client);
  const request = ask(client, network);
  network.run(10_000);
  assert.deepEqual(events(client), [
    { kind: 'request-failed', request, asked: locationInfo, reason: 'timed-out' },
  ]);
});

test('DiameterEndpoint: a request to a peer that is not there fails at once', () => {
  const client = endpoint('cscf.example', { peers: [{ host: 'hss.example' }] });
  const request = client.request('hss.example', locationInfo, 0);
  assert.deepEqual(events(client), [
    { kind: 'request-failed', request, asked: locationInfo, reason: 'peer-down' },
  ]);
});

test('DiameterEndpoint: a request goes to the next peer with the T bit when the connection breaks', () => {
  const { network, client, servers } = withTwoServers();
  const request = client.request(['hss1.example', 'hss2.example'], locationInfo, network.now);
  network.settle();
  network.remove('192.0.2.20');
  const second = servers[1].server;
  second.answer(nextRequest(second).request, resultAvps(2001));
  network.settle();
  const answer = events(client).find(({ kind }) => kind === 'answer-received');
  assert.ok(answer?.kind === 'answer-received');
  assert.deepEqual([answer.request, answer.peer], [request, 'hss2.example']);
});

test('DiameterEndpoint: a peer that is connected and answers nothing fills its own room, not that of the others', () => {
  const { client, servers, network } = withTwoServers();
  const [dead, living] = servers;
  for (let asked = 0; asked < maximumOutstandingRequests; asked++)
    client.request(dead.host, locationInfo, network.now);
  network.settle();
  events(client);
  const refused = client.request(dead.host, locationInfo, network.now);
  assert.deepEqual(events(client), [
    { kind: 'request-failed', request: refused, asked: locationInfo, reason: 'too-many-outstanding' },
  ]);
  for (const peers of [living.host, [dead.host, living.host]]) {
    const request = client.request(peers, locationInfo, network.now);
    network.settle();
    living.server.answer(nextRequest(living.server).request, resultAvps(2001));
    network.settle();
    const [answer] = events(client);
    assert.ok(answer?.kind === 'answer-received');
    assert.deepEqual([answer.request, answer.peer], [request, living.host]);
  }
  network.run(10_000);
  const failures = events(client).map((event) => event.kind === 'request-failed' && event.reason);
  assert.deepEqual(new Set(failures), new Set(['timed-out']));
  assert.equal(failures.length, maximumOutstandingRequests);
  client.request(dead.host, locationInfo, network.now);
  assert.deepEqual(events(client), [], 'there is room again');
});

test('DiameterEndpoint: an outstanding request fails when the connection breaks and there is no other peer', () => {
  const { network, client } = pair();
  events(client);
  const request = ask(client, network);
  network.settle();
  network.remove(hssAddress);
  assert.deepEqual(events(client), [
    { kind: 'peer-unavailable', peer: 'hss.example', reason: 'connection closed' },
    { kind: 'request-failed', request, asked: locationInfo, reason: 'peer-down' },
  ]);
});

test('DiameterEndpoint: a restarted server is available again after Tc, and known as restarted', () => {
  const { network, client } = pair();
  events(client);
  network.remove(hssAddress);
  const again = hss(2);
  network.add(hssAddress, again);
  again.start(network.now);
  network.run(30_000);
  assert.deepEqual(events(client), [
    { kind: 'peer-unavailable', peer: 'hss.example', reason: 'connection closed' },
    { kind: 'peer-available', peer: 'hss.example', isRestarted: true },
  ]);
});

test('DiameterEndpoint: the watchdog finds out about a silent network', () => {
  const { network, client } = pair();
  events(client);
  network.run(100_000);
  assert.deepEqual(events(client), [], 'watchdogs are answered');
  network.setReachable(hssAddress, false);
  network.run(64_000);
  assert.deepEqual(events(client), [
    { kind: 'peer-unavailable', peer: 'hss.example', reason: 'watchdog answer missing' },
  ]);
  network.setReachable(hssAddress, true);
});

test('DiameterEndpoint: stop says goodbye', () => {
  const { network, client, server } = pair();
  events(server);
  client.stop(network.now);
  network.settle();
  assert.deepEqual(
    events(server).map(({ kind }) => kind),
    ['peer-unavailable'],
  );
});

test('DiameterEndpoint: a duplicate gets the first answer again and is not carried out twice', () => {
  const server = hss();
  const wire = new Wire(server);
  wire.introduce('cscf.example');
  const request = message(302, lirAvps);
  wire.send(request);
  const received = nextRequest(server);
  wire.send({ ...request, hopByHopId: 90, isRetransmitted: true });
  assert.equal(events(server).length, 0);
  server.answer(received.request, resultAvps(resultCode.success));
  wire.send({ ...request, hopByHopId: 91, isRetransmitted: true });
  assert.deepEqual(
    wire.take().map((answer) => [answer.hopByHopId, avpValue(answer.avps, baseAvps.resultCode)]),
    [
      [90, resultCode.success],
      [91, resultCode.success],
    ],
  );
  assert.equal(events(server).length, 0);
});

test('DiameterEndpoint: bad requests are answered by the rules of RFC 6733', () => {
  const server = hss();
  const wire = new Wire(server);
  wire.introduce('cscf.example');
  events(server);
  const cases: [DiameterMessage, number][] = [
    [{ ...message(302, lirAvps), applicationId: 4 }, resultCode.applicationUnsupported],
    [message(399, lirAvps), resultCode.commandUnsupported],
    [message(302, lirAvps.slice(0, 5)), resultCode.missingAvp],
    [message(302, [...lirAvps, avp(baseAvps.destinationHost, 'other.example')]), resultCode.unableToDeliver],
    [
      message(302, [...lirAvps, avp({ code: 9999, name: 'x', type: 'UTF8String' }, 'x')]),
      resultCode.avpUnsupported,
    ],
  ];
  for (const [request, code] of cases) {
    wire.send(request);
    const [answer] = wire.take();
    assert.equal(answer && avpValue(answer.avps, baseAvps.resultCode), code);
    assert.equal(answer?.isError, code < 4000);
  }
  assert.deepEqual(events(server), []);
});

test('DiameterEndpoint: unknown peers, peers without a common application and other first messages are turned away', () => {
  const refusals: [DiameterMessage, number | undefined][] = [
    [capabilities('nobody.example'), resultCode.unknownPeer],
    [capabilities('cscf.example', 12), resultCode.noCommonApplication],
    [message(302, lirAvps), undefined],
    [
      { ...capabilities('cscf.example'), avps: [avp(baseAvps.originHost, 'cscf.example')] },
      resultCode.missingAvp,
    ],
  ];
  for (const [first, code] of refusals) {
    const server = hss();
    const wire = new Wire(server);
    wire.send(first);
    const [answer] = wire.take();
    assert.equal(answer && avpValue(answer.avps, baseAvps.resultCode), code);
    assert.equal(wire.isClosed, true);
    assert.deepEqual(events(server), []);
  }
});

test('DiameterEndpoint: a CER without Host-IP-Address is accepted, as Kamailio sends it now and then', () => {
  const wire = new Wire(hss());
  wire.introduce('cscf.example');
  assert.equal(wire.isClosed, false);
});

test('DiameterEndpoint: connections that stay silent are closed, and only so many may wait', () => {
  const server = hss();
  const wire = new Wire(server);
  for (let count = 0; count < maximumPendingConnections; count++) wire.accept(`x${count}`);
  assert.deepEqual(wire.takeClosed().length, 1, 'the one that is too many');
  server.handleTimeout(10_000);
  assert.deepEqual(wire.takeClosed().length, maximumPendingConnections);
});

test('DiameterEndpoint: a stream that is not Diameter is closed', () => {
  const server = hss();
  const wire = new Wire(server);
  server.handleInput({ kind: 'stream-received', connection: 'a1', payload: new Uint8Array(40) }, 0);
  wire.take();
  assert.equal(wire.isClosed, true);
});

const locationInfo = { command: cxCommands.locationInfo, avps: applicationAvps() };

function applicationAvps() {
  return [avp(baseAvps.authSessionState, 1), avp(cxAvps.publicIdentity, 'sip:mn@example')];
}

const lirAvps = [
  avp(baseAvps.sessionId, 'cscf.example;1;1'),
  avp(baseAvps.originHost, 'cscf.example'),
  avp(baseAvps.originRealm, 'example'),
  avp(baseAvps.destinationRealm, 'example'),
  avp(baseAvps.vendorSpecificApplicationId, [
    avp(baseAvps.vendorId, 10415),
    avp(baseAvps.authApplicationId, 16777216),
  ]),
  ...applicationAvps(),
];

/** A peer that is written by hand, on connection a1. */
class Wire {
  isClosed = false;
  #closed: string[] = [];
  readonly #server: DiameterEndpoint;
  readonly #dictionary = new Dictionary([baseApplication, cxApplication, natControlApplication]);

  constructor(server: DiameterEndpoint) {
    this.#server = server;
    this.accept('a1');
  }

  accept(connection: string): void {
    const local = { address: hssAddress, port };
    const remote = { address: '192.0.2.1', port: 40_000 };
    this.#server.handleInput({ kind: 'connection-accepted', connection, local, remote }, 0);
  }

  introduce(host: string): void {
    this.send(capabilities(host));
    const [cea] = this.take();
    assert.equal(cea && avpValue(cea.avps, baseAvps.resultCode), resultCode.success);
    events(this.#server);
  }

  send(request: DiameterMessage): void {
    this.#server.handleInput(
      { kind: 'stream-received', connection: 'a1', payload: encodeMessage(request) },
      0,
    );
  }

  take(): DiameterMessage[] {
    const answers: DiameterMessage[] = [];
    for (let output = this.#server.pollOutput(); output !== undefined; output = this.#server.pollOutput()) {
      if (output.kind === 'close') this.#closed.push(output.connection);
      if (output.kind !== 'transmit') continue;
      const answer = decodeMessage(output.payload, this.#dictionary);
      if (answer instanceof MalformedMessage) assert.fail(answer.toString());
      answers.push(answer);
    }
    this.isClosed ||= this.#closed.includes('a1');
    return answers;
  }

  takeClosed(): string[] {
    this.take();
    return this.#closed.splice(0);
  }
}

function capabilities(host: string, application = 16777216): DiameterMessage {
  return message(
    baseCommands.capabilitiesExchange.code,
    [
      avp(baseAvps.originHost, host),
      avp(baseAvps.originRealm, 'example'),
      avp(baseAvps.vendorId, 10415),
      avp(baseAvps.productName, 'CDiameterPeer'),
      avp(baseAvps.authApplicationId, application),
    ],
    0,
  );
}

function message(
  commandCode: number,
  avps: DiameterMessage['avps'],
  applicationId = 16777216,
): DiameterMessage {
  const flags = { isRequest: true, isProxiable: true, isError: false, isRetransmitted: false };
  return { commandCode, applicationId, ...flags, hopByHopId: 5, endToEndId: 6, avps };
}

function withTwoServers() {
  const network = new TestNetwork();
  const started = (host: string, index: number) => {
    const address = `192.0.2.${20 + index}`;
    const server = endpoint(host, { listen: [{ address, port }], peers: [{ host: 'cscf.example' }] });
    network.add(address, server);
    server.start(0);
    return { host, server, address };
  };
  const servers = [started('hss1.example', 0), started('hss2.example', 1)] as const;
  const client = endpoint('cscf.example', {
    peers: servers.map(({ host, address }) => ({ host, address: { address, port } })),
  });
  network.add('192.0.2.1', client);
  client.start(0);
  network.settle();
  return { network, client, servers };
}

function pair() {
  const network = new TestNetwork();
  const server = hss();
  const client = endpoint('cscf.example', {
    peers: [{ host: 'hss.example', address: { address: hssAddress, port } }],
  });
  network.add(hssAddress, server);
  network.add('192.0.2.1', client);
  server.start(0);
  network.settle();
  client.start(0);
  network.settle();
  return { network, client, server };
}

function hss(originStateId = 1): DiameterEndpoint {
  return endpoint('hss.example', {
    listen: [{ address: hssAddress, port }],
    peers: [{ host: 'cscf.example' }],
    originStateId,
  });
}

function endpoint(
  originHost: string,
  options: Partial<DiameterEndpointOptions> & Pick<DiameterEndpointOptions, 'peers'>,
): DiameterEndpoint {
  return new DiameterEndpoint({
    originHost,
    originRealm: 'example',
    originStateId: 1,
    applications: [cxApplication],
    random: new SeededRandomSource(originHost.length),
    ...options,
  });
}

function ask(client: DiameterEndpoint, network: TestNetwork): number {
  return client.request('hss.example', locationInfo, network.now);
}

function events(from: DiameterEndpoint): DiameterEvent[] {
  const list: DiameterEvent[] = [];
  for (let event = from.pollEvent(); event !== undefined; event = from.pollEvent()) list.push(event);
  return list;
}

function nextRequest(server: DiameterEndpoint): Extract<DiameterEvent, { kind: 'request-received' }> {
  const found = events(server).find(({ kind }) => kind === 'request-received');
  assert.ok(found?.kind === 'request-received', 'a request was received');
  return found;
}
