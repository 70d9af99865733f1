import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipEndpoint } from '../endpoint.ts';
import { createResponse } from '../message/create-response.ts';
import type { SipResponse } from '../message/sip-message.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { type TestRequestParts, testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';
import type { ForwardTarget, ProxyEvent } from './proxy-event.ts';
import { SipProxy, type SipProxyOptions } from './sip-proxy.ts';

const proxyTarget = { address: '10.0.0.9', port: 5060 };
const toBob: ForwardTarget = { nextHop: { address: '10.0.0.2', port: 5060 } };
const toCarol: ForwardTarget = { nextHop: { address: '10.0.0.3', port: 5060 } };

test('SipProxy: a call goes through with Via, Record-Route and Max-Forwards as the standard wants, ACK and BYE follow the route', () => {
  const { network, alice, bob, owner } = setUp();
  owner.decide = (event) => {
    if (event.ownRoute !== undefined) return [{}];
    return [{ ...toBob, requestUri: 'sip:bob@10.0.0.2', recordRoute: '<sip:mo@p.test;lr>' }];
  };
  bob.answerWith(180, 200);
  alice.endpoint.sendRequest(testRequest('INVITE', { headers: [['Max-Forwards', '30']] }), proxyTarget, 0);
  network.run(50);
  const invite = bob.lastRequest.request;
  assert.equal(invite.requestUri, 'sip:bob@10.0.0.2');
  assert.equal(invite.headers.get('Max-Forwards'), '29');
  assert.equal(invite.headers.getAll('Via').length, 2);
  assert.deepEqual(invite.headers.getAll('Record-Route'), ['<sip:mo@p.test;lr>']);
  assert.deepEqual(alice.summary, ['response 180', 'response 200']);
  const answer = responsesOf(alice)[1]!;
  assert.equal(answer.headers.getAll('Via').length, 1);
  assert.deepEqual(answer.headers.getAll('Record-Route'), ['<sip:mo@p.test;lr>']);

  const inDialog: TestRequestParts = {
    requestUri: 'sip:bob@10.0.0.2',
    toTag: '10.0.0.2',
    headers: [['Route', '<sip:mo@p.test;lr>']],
  };
  bob.answerWith(200);
  alice.endpoint.sendWithoutTransaction(testRequest('ACK', inDialog), proxyTarget, network.now);
  alice.endpoint.sendRequest(testRequest('BYE', { ...inDialog, cseq: 2 }), proxyTarget, network.now);
  network.runToEnd();
  assert.deepEqual(bob.summary, ['request INVITE', 'ack', 'request BYE', 'terminated', 'terminated']);
  assert.deepEqual(bob.lastRequest.request.headers.getAll('Route'), []);
  assert.equal(alice.summary.filter((entry) => entry === 'response 200').length, 2);
});

test('SipProxy: refuses what has made too many hops and extensions it lacks, and keeps both from its owner', () => {
  const { network, alice, owner } = setUp({ extensions: ['sec-agree'] });
  owner.decide = () => [toBob];
  const options = (name: string, value: string, callId: string): void => {
    alice.endpoint.sendRequest(
      testRequest('OPTIONS', { callId, headers: [[name, value]] }),
      proxyTarget,
      network.now,
    );
    network.run(network.now + 30);
  };
  options('Max-Forwards', '0', 'a');
  options('Proxy-Require', 'sec-agree, teleport', 'b');
  assert.deepEqual(alice.summary, ['response 483', 'response 420']);
  assert.deepEqual(responsesOf(alice)[1]!.headers.getAll('Unsupported'), ['teleport']);
  assert.equal(owner.requests.length, 0);
  options('Proxy-Require', 'sec-agree', 'c');
  assert.equal(owner.requests.length, 1);
});

test('SipProxy: takes off its own Route with lr, with lr=on and without, and only the first one', () => {
  for (const route of ['<sip:orig@p.test;lr>', '<sip:p.test;lr=on>', '<sip:P.TEST:5060>']) {
    const { network, alice, bob, owner } = setUp();
    owner.decide = () => [toBob];
    const routes = `${route}, <sip:p.test;lr>, <sip:as.test;lr>`;
    alice.endpoint.sendRequest(testRequest('INVITE', { headers: [['Route', routes]] }), proxyTarget, 0);
    network.run(20);
    assert.equal(owner.requests[0]!.ownRoute?.host.toLowerCase(), 'p.test');
    assert.deepEqual(bob.lastRequest.request.headers.getAll('Route'), [
      '<sip:p.test;lr>',
      '<sip:as.test;lr>',
    ]);
  }
});

test('SipProxy: within a dialog, where the owner skips spirals, it takes off all its own Routes on top, but none behind a foreign one', () => {
  const routes = ['<sip:mo@p.test;lr>', '<sip:mt@p.test;lr>', '<sip:as.test;lr>', '<sip:mo@p.test;lr>'];
  const passedOn = (toTag: string | undefined, skipsSpirals: boolean): string[] => {
    const { network, alice, bob, owner } = setUp({ skipsSpirals });
    owner.decide = () => [toBob];
    const request = testRequest('BYE', { headers: [['Route', routes.join(', ')]], ...(toTag && { toTag }) });
    alice.endpoint.sendRequest(request, proxyTarget, 0);
    network.run(20);
    assert.equal(owner.requests[0]!.ownRoute?.user, 'mo');
    return bob.lastRequest.request.headers.getAll('Route');
  };
  assert.deepEqual(passedOn('bob', true), routes.slice(2));
  assert.deepEqual(passedOn('bob', false), routes.slice(1));
  assert.deepEqual(passedOn(undefined, true), routes.slice(1));
});

test('SipProxy: undoes what a strict router before it did, and does what a strict router behind it wants', () => {
  const { network, alice, bob, owner } = setUp();
  owner.decide = () => [{}];
  const parts: TestRequestParts = {
    requestUri: 'sip:mo@p.test;lr',
    headers: [['Route', '<sip:10.0.0.2>, <sip:bob@b.test>']],
  };
  alice.endpoint.sendRequest(testRequest('INVITE', parts), proxyTarget, 0);
  network.run(20);
  assert.equal(owner.requests[0]!.ownRoute?.user, 'mo');
  const { request } = bob.lastRequest;
  assert.equal(request.requestUri, 'sip:10.0.0.2');
  assert.deepEqual(request.headers.getAll('Route'), ['<sip:bob@b.test>']);
});

test('SipProxy: finds the next hop by the Route on top, then by the Request-URI, through its table of names', () => {
  const { network, alice, bob, carol, owner } = setUp();
  owner.decide = (event) =>
    event.request.method === 'INVITE'
      ? [{ routes: ['<sip:carol.test;lr>'] }]
      : [{ requestUri: 'sip:bob@bob.test' }];
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  alice.endpoint.sendRequest(testRequest('OPTIONS'), proxyTarget, 0);
  network.run(20);
  assert.deepEqual([carol.summary, bob.summary], [['request INVITE'], ['request OPTIONS']]);
});

test('SipProxy: a name that nobody knows counts as unavailable, no target at all as 480', () => {
  const { network, alice, owner } = setUp();
  owner.decide = (event) =>
    event.request.method === 'INVITE' ? [{ requestUri: 'sip:bob@nowhere.test' }] : [];
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  alice.endpoint.sendRequest(testRequest('OPTIONS'), proxyTarget, 0);
  network.run(20);
  assert.deepEqual(alice.summary, ['response 500', 'response 480']);
});

test('SipProxy: forks to all targets; the first 2xx wins and cancels the others', () => {
  const { network, alice, bob, carol, owner } = setUp();
  owner.decide = () => [toBob, toCarol];
  bob.answerWith(180);
  carol.reaction = (event) => {
    if (event.kind === 'request') carol.respond(event, 180);
    else if (event.kind === 'cancelled') carol.respond(carol.lastRequest, 487);
  };
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(100);
  bob.respond(bob.lastRequest, 200);
  network.runToEnd();
  assert.deepEqual(alice.summary, ['response 180', 'response 180', 'response 200', 'terminated']);
  assert.deepEqual(carol.summary, ['request INVITE', 'cancelled', 'acknowledged', 'terminated']);
  assert.deepEqual(bob.summary, ['request INVITE', 'terminated']);
});

test('SipProxy: waits for every branch and sends the best response, challenges gathered', () => {
  const cases: [number, number, number][] = [
    [486, 404, 486],
    [404, 503, 404],
    [500, 302, 302],
    [486, 407, 407],
    [603, 302, 603],
    [503, 503, 500],
  ];
  for (const [first, second, expected] of cases) {
    const { network, alice, bob, carol, owner } = setUp();
    owner.decide = () => [toBob, toCarol];
    bob.answerWith(first);
    alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
    network.run(100);
    assert.deepEqual(alice.summary, []);
    carol.respond(carol.lastRequest, second);
    network.runToEnd();
    assert.deepEqual(
      alice.summary.slice(-2),
      [`response ${expected}`, 'terminated'],
      `${first} and ${second}`,
    );
  }
});

test('SipProxy: a challenge carries those of the other branches too', () => {
  const { network, alice, bob, carol, owner } = setUp();
  owner.decide = () => [toBob, toCarol];
  const challenge = (user: TestUser, statusCode: number, name: string, value: string): void => {
    user.reaction = (event) => {
      if (event.kind !== 'request') return;
      const response = createResponse(event.request, statusCode, { toTag: 't' });
      response.headers.append(name, value);
      user.endpoint.respond(event.transaction, response, network.now);
    };
  };
  challenge(bob, 401, 'WWW-Authenticate', 'Digest realm="b"');
  challenge(carol, 407, 'Proxy-Authenticate', 'Digest realm="c"');
  alice.endpoint.sendRequest(testRequest('OPTIONS'), proxyTarget, 0);
  network.run(50);
  const [response] = responsesOf(alice);
  assert.equal(response?.statusCode, 401);
  assert.equal(response?.headers.get('WWW-Authenticate'), 'Digest realm="b"');
  assert.equal(response?.headers.get('Proxy-Authenticate'), 'Digest realm="c"');
});

test('SipProxy: a 6xx cancels the branches that still ring, and a 2xx that crosses it still goes through', () => {
  const { network, alice, bob, carol, owner } = setUp();
  owner.decide = () => [toBob, toCarol];
  bob.answerWith(180);
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(100);
  carol.respond(carol.lastRequest, 603);
  network.run(106);
  bob.respond(bob.lastRequest, 200);
  network.runToEnd();
  assert.deepEqual(alice.summary, ['response 180', 'response 200', 'terminated']);
});

test('SipProxy: CANCEL goes to every branch and the 487 comes back', () => {
  const { network, alice, bob, carol, owner } = setUp();
  owner.decide = () => [toBob, toCarol];
  for (const user of [bob, carol]) {
    user.reaction = (event) => {
      if (event.kind === 'request') user.respond(event, 180);
      else if (event.kind === 'cancelled') user.respond(user.lastRequest, 487);
    };
  }
  const call = alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(100);
  alice.endpoint.cancel(call, network.now);
  network.runToEnd();
  assert.deepEqual(alice.summary, ['response 180', 'response 180', 'response 487', 'terminated']);
  for (const user of [bob, carol])
    assert.deepEqual(user.summary, ['request INVITE', 'cancelled', 'acknowledged', 'terminated']);
});

test('SipProxy: a request cancelled while its owner still thinks is answered 487, and is not forwarded afterwards', () => {
  const { network, alice, bob, owner, proxy } = setUp();
  owner.decide = () => undefined;
  const call = alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(300);
  alice.endpoint.cancel(call, network.now);
  network.run(400);
  proxy.forward(owner.requests[0]!.transaction, [toBob], network.now);
  network.runToEnd();
  assert.deepEqual(alice.summary, ['response 100', 'response 487', 'terminated']);
  assert.deepEqual(bob.summary, []);
});

test('SipProxy: its owner may answer a failure by trying others', () => {
  const { network, alice, bob, carol, owner, proxy } = setUp();
  owner.decide = () => [toBob];
  owner.decideOnResponse = (event) => {
    if (event.response.statusCode !== 500) return false;
    proxy.forward(event.transaction, [toCarol], network.now);
    return true;
  };
  bob.answerWith(500);
  carol.answerWith(200);
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(1_000);
  assert.deepEqual(alice.summary, ['response 200']);
});

test('SipProxy: no others are tried once the caller has hung up', () => {
  const { network, alice, bob, carol, owner, proxy } = setUp();
  owner.decide = () => [toBob];
  owner.decideOnResponse = (event) => event.response.statusCode === 500;
  bob.answerWith(500);
  const call = alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(1_000);
  alice.endpoint.cancel(call, network.now);
  network.run(2_000);
  proxy.forward(owner.requests[0]!.transaction, [toCarol], network.now);
  network.runToEnd();
  assert.deepEqual(alice.summary, ['response 100', 'response 487', 'terminated']);
  assert.deepEqual(carol.summary, []);
});

test('SipProxy: a branch that rings longer than timer C is cancelled', () => {
  const { network, alice, bob, owner } = setUp();
  owner.decide = () => [toBob];
  bob.reaction = (event) => {
    if (event.kind === 'request') bob.respond(event, 180);
    else if (event.kind === 'cancelled') bob.respond(bob.lastRequest, 487);
  };
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(100_000);
  bob.respond(bob.lastRequest, 183);
  network.run(290_000);
  assert.deepEqual(alice.summary, ['response 180', 'response 183']);
  network.runToEnd();
  assert.deepEqual(alice.summary, ['response 180', 'response 183', 'response 487', 'terminated']);
});

test('SipProxy: a branch that rang and then vanished is answered with 408, 64·T1 after timer C', () => {
  const { network, alice, bob, owner } = setUp();
  owner.decide = () => [toBob];
  bob.answerWith(180);
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(1_000);
  network.fate = (line) => (line.startsWith('CANCEL') ? [] : [5]);
  network.run(190_000 + 31_900);
  assert.deepEqual(alice.summary, ['response 180']);
  network.run(190_000 + 32_200);
  assert.deepEqual(alice.summary, ['response 180', 'response 408']);
});

test('SipProxy: a callee that never answers gives 408 to an INVITE and silence to any other request', () => {
  const { network, alice, owner } = setUp();
  owner.decide = () => [{ nextHop: { address: '10.0.0.77', port: 5060 } }];
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  alice.endpoint.sendRequest(testRequest('OPTIONS'), proxyTarget, 0);
  network.runToEnd();
  const outcomes = alice.summary.filter((entry) => entry !== 'response 100');
  assert.deepEqual(outcomes, ['timed-out', 'terminated', 'response 408', 'terminated']);
});

test('SipProxy: provisional responses to other requests than INVITE stay here (RFC 4320)', () => {
  const { network, alice, bob, owner } = setUp();
  owner.decide = () => [toBob];
  alice.endpoint.sendRequest(testRequest('OPTIONS'), proxyTarget, 0);
  network.run(20);
  const via = bob.lastRequest.request;
  const response = createResponse(via, 183, { toTag: 'b' });
  // The transaction of bob would not let it out: it comes as if from another implementation.
  network.inject(owner.proxy, {
    kind: 'datagram-received',
    local: proxyTarget,
    remote: { address: '10.0.0.2', port: 5060 },
    payload: Buffer.from(
      `SIP/2.0 183 Session Progress\r\n${response.headers.toString()}Content-Length: 0\r\n\r\n`,
    ),
  });
  network.run(1_000);
  assert.deepEqual(alice.summary, []);
});

test('SipProxy: events of requests of its owner are handed through', () => {
  const { network, bob, owner, proxy } = setUp();
  bob.answerWith(200);
  const transaction = proxy.endpoint.sendRequest(testRequest('REGISTER'), toBob.nextHop!, 0);
  network.runToEnd();
  assert.deepEqual(
    owner.others.map((event) => ('transaction' in event ? `${event.kind} ${event.transaction}` : event.kind)),
    [`response ${transaction}`, `terminated ${transaction}`],
  );
});

test('SipProxy: keeps nothing of a request that has ended', () => {
  const { network, alice, bob, owner, proxy } = setUp();
  owner.decide = () => [toBob, toCarol];
  bob.answerWith(180, 200);
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.runToEnd();
  const { clientTransactions, serverTransactions } = proxy.endpoint.counters;
  assert.deepEqual([clientTransactions, serverTransactions, proxy.pollTimeout()], [0, 0, undefined]);
});

test('SipProxy: a branch with a limit on its first response is given up for another target, and cancelled when it speaks at last', () => {
  const { network, alice, bob, carol, owner } = setUp();
  owner.decide = () => [{ ...toBob, firstResponseMs: 5_000 }];
  owner.decideOnResponse = ({ transaction, response }) => {
    if (response.statusCode !== 408) return false;
    owner.proxy.forward(transaction, [toCarol], network.now);
    return true;
  };
  carol.answerWith(180, 200);
  bob.reaction = (event) => {
    if (event.kind === 'cancelled') bob.respond(bob.lastRequest, 487);
  };
  network.fate = (line, count) => (count > 0 && line.startsWith('INVITE') && network.now < 5_000 ? [] : [5]);
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(4_990);
  assert.deepEqual(alice.summary.includes('response 180'), false);
  network.run(5_100);
  assert.deepEqual(carol.summary[0], 'request INVITE');
  assert.ok(alice.summary.includes('response 200'));
  // Timer A brings the INVITE to Bob after all; his first word makes the CANCEL go out, and his 487 is nobody's best response.
  network.run(60_000);
  assert.ok(bob.summary.includes('request INVITE') && bob.summary.includes('cancelled'));
  assert.equal(
    responsesOf(alice).some(({ statusCode }) => statusCode >= 300),
    false,
  );
});

test('SipProxy: a first response in time lifts the limit, even if it is only 100', () => {
  const { network, alice, bob, owner } = setUp();
  owner.decide = () => [{ ...toBob, firstResponseMs: 5_000 }];
  bob.answerWith(100);
  alice.endpoint.sendRequest(testRequest('INVITE'), proxyTarget, 0);
  network.run(20_000);
  assert.equal(
    responsesOf(alice).some(({ statusCode }) => statusCode >= 200),
    false,
  );
});

/** A CSCF reduced to its decisions. */
class Owner {
  readonly proxy: SipProxy;
  readonly requests: Extract<ProxyEvent, { kind: 'request' }>[] = [];
  readonly others: ProxyEvent[] = [];
  /** Undefined puts the decision off. */
  decide: (event: Extract<ProxyEvent, { kind: 'request' }>) => readonly ForwardTarget[] | undefined = () =>
    undefined;
  /** True when it did something else than to send the response on. */
  decideOnResponse: (event: Extract<ProxyEvent, { kind: 'response-chosen' }>) => boolean = () => false;

  constructor(proxy: SipProxy) {
    this.proxy = proxy;
  }

  drain(now: number): void {
    for (let event = this.proxy.pollEvent(now); event !== undefined; event = this.proxy.pollEvent(now)) {
      if (event.kind === 'request') {
        this.requests.push(event);
        const targets = this.decide(event);
        if (targets !== undefined) this.proxy.forward(event.transaction, targets, now);
      } else if (event.kind === 'response-chosen') {
        if (!this.decideOnResponse(event)) this.proxy.respond(event.transaction, event.response, now);
      } else if (event.kind === 'ack') this.proxy.forwardAck(event.request, {}, now);
      else this.others.push(event);
    }
  }
}

interface SetUp {
  readonly network: SipTestNetwork;
  readonly alice: TestUser;
  readonly bob: TestUser;
  readonly carol: TestUser;
  readonly proxy: SipProxy;
  readonly owner: Owner;
}

function setUp(options: Pick<SipProxyOptions, 'extensions' | 'skipsSpirals'> = {}): SetUp {
  const network = new SipTestNetwork();
  const listen = [
    { transport: 'udp', ...proxyTarget } as const,
    { transport: 'tcp', ...proxyTarget } as const,
  ];
  const endpoint = new SipEndpoint({ listen, random: new SeededRandomSource(9) });
  const hosts = new Map([
    ['bob.test', { address: '10.0.0.2' }],
    ['carol.test', { address: '10.0.0.3', transport: 'udp' as const }],
  ]);
  const proxy = new SipProxy({ endpoint, ownNames: ['p.test', '10.0.0.9:5060'], hosts, ...options });
  const owner = new Owner(proxy);
  proxy.start(0);
  network.add(proxy, () => owner.drain(network.now));
  const [alice, bob, carol] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(
    (address) => new TestUser(network, address),
  );
  return { network, alice: alice!, bob: bob!, carol: carol!, proxy, owner };
}

function responsesOf(user: TestUser): SipResponse[] {
  return user.events.flatMap((event) => (event.kind === 'response' ? [event.response] : []));
}
