import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { DigestClient } from '../../protocols/sip/authentication/digest-client.ts';
import type { SipEndpointOptions } from '../../protocols/sip/endpoint.ts';
import { SipRequest, type SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { RegistrationClient } from '../../protocols/sip/registration/registration-client.ts';
import { SipTestNetwork } from '../../protocols/sip/test-support/sip-network.ts';
import { TestUser } from '../../protocols/sip/test-support/test-user.ts';
import { SipServer } from './sip-server.ts';
import type { SipServerEvent, SipServerOptions } from './sip-server-options.ts';

const server = { address: '10.0.0.5', port: 5060 };
const instance = 'urn:uuid:00000000-0000-4000-8000-000000000001';

test('SipServer: registers a user by digest and brings a stranger’s call to him', () => {
  const bench = new Bench();
  const bob = bench.user('10.0.0.1');
  assert.equal(bench.register(bob, 'bob'), 200);
  bob.answerWith(180, 200);
  const stranger = bench.user('10.0.0.9');
  const answer = bench.ask(stranger, invite('sip:bob@home.example', 'sip:eve@elsewhere.example'));
  assert.equal(answer?.statusCode, 200);
  assert.equal(bob.lastRequest.request.requestUri, 'sip:bob@10.0.0.1:5060');
  assert.equal(bob.lastRequest.request.headers.has('Record-Route'), false);
  assert.deepEqual(bench.events, [
    { type: 'user-registered', user: 'bob', contacts: ['sip:bob@10.0.0.1:5060'] },
  ]);
});

test('SipServer: stays between a caller of TLS and IPv6 and a user of UDP and IPv4, with a Record-Route for either side', () => {
  const secure = { transport: 'tls', address: '2001:db8::5', port: 5061 } as const;
  const bench = new Bench({ listen: [{ transport: 'udp', ...server }, secure] });
  const bob = bench.user('10.0.0.1');
  assert.equal(bench.register(bob, 'bob'), 200);
  bob.answerWith(200);
  bench.network.certificates.set(secure.address, ['home.example']);
  const listen = [{ transport: 'tls', address: '2001:db8::9', port: 5061 }] as const;
  const caller = bench.user('2001:db8::9', { listen });
  const request = invite('sip:bob@home.example', 'sip:eve@elsewhere.example');
  request.headers.append('Contact', '<sip:eve@[2001:db8::9]:5061;transport=tls>');
  const target = { ...secure, serverName: 'home.example' };
  caller.endpoint.sendRequest(request, target, bench.network.now);
  bench.settle();
  const expected = ['<sip:10.0.0.5:5060;lr;r2=on>', '<sip:[2001:db8::5]:5061;transport=tls;lr;r2=on>'];
  assert.deepEqual(bob.lastRequest.request.headers.getAll('Record-Route'), expected);
  // The caller goes back along it, and both are taken off.
  const bye = requestOf('BYE', 'sip:bob@home.example', 'sip:eve@elsewhere.example');
  bye.requestUri = 'sip:bob@10.0.0.1:5060';
  bye.headers.set('To', '<sip:bob@home.example>;tag=10.0.0.1');
  for (const route of expected.toReversed()) bye.headers.append('Route', route);
  caller.endpoint.sendRequest(bye, target, bench.network.now);
  bench.settle();
  assert.equal(bob.lastRequest.request.method, 'BYE');
  assert.equal(bob.lastRequest.request.headers.has('Route'), false);
  assert.equal(caller.summary.filter((entry) => entry === 'response 200').length, 2);
});

test('SipServer: offers the algorithms that it is told, the best first, and takes each', () => {
  for (const algorithm of ['SHA-256', 'MD5'] as const) {
    const bench = new Bench({ digestAlgorithms: [algorithm] });
    assert.equal(bench.register(bench.user('10.0.0.1'), 'bob'), 200);
  }
  const bench = new Bench({ digestAlgorithms: ['SHA-256', 'MD5'] });
  const bob = bench.user('10.0.0.1');
  const challenge = bench.ask(bob, bench.registration('bob', '10.0.0.1').register());
  assert.deepEqual(
    challenge?.headers.getAll('WWW-Authenticate').map((value) => /algorithm=([\w-]+)/.exec(value)?.[1]),
    ['SHA-256', 'MD5'],
  );
});

test('SipServer: a device with two contacts rings at the newer one, and at the older when that is silent', () => {
  const bench = new Bench();
  const [old, recent] = [bench.user('10.0.0.1'), bench.user('10.0.0.2')];
  bench.register(old, 'bob');
  bench.network.run(1000);
  bench.register(recent, 'bob');
  recent.answerWith(200);
  const caller = bench.user('10.0.0.9');
  assert.equal(bench.ask(caller, invite('sip:bob@home.example', 'sip:e@x.example'))?.statusCode, 200);
  assert.deepEqual([old.transactions.length, recent.transactions.length], [0, 1]);
  recent.answerWith(408);
  old.answerWith(200);
  assert.equal(bench.ask(caller, invite('sip:bob@home.example', 'sip:e@x.example'))?.statusCode, 200);
  assert.equal(old.lastRequest.request.requestUri, 'sip:bob@10.0.0.1:5060');
});

test('SipServer: takes the address that a user is registered at for the user, where it is told so', () => {
  const call = () => invite('sip:alice@home.example', 'sip:bob@home.example');
  for (const trustsRegisteredAddresses of [true, false]) {
    const bench = new Bench({ trustsRegisteredAddresses });
    const [alice, bob] = [bench.user('10.0.0.2'), bench.user('10.0.0.1')];
    bench.register(alice, 'alice');
    bench.register(bob, 'bob');
    alice.answerWith(200);
    assert.equal(bench.ask(bob, call())?.statusCode, trustsRegisteredAddresses ? 200 : 407);
    assert.equal(bench.ask(bench.user('10.0.0.9'), call())?.statusCode, 407);
  }
});

test('SipServer: tells callers where a user is when it is to redirect, for one user or for all', () => {
  for (const options of [
    { redirect: true },
    { users: [{ name: 'bob', password: 'bob-secret', redirect: true }] },
    { redirect: true, users: [{ name: 'bob', password: 'bob-secret', redirect: false }] },
  ]) {
    const bench = new Bench(options);
    const bob = bench.user('10.0.0.1');
    bench.register(bob, 'bob');
    bob.answerWith(200);
    const answer = bench.ask(bench.user('10.0.0.9'), invite('sip:bob@home.example', 'sip:e@x.example'));
    const isRedirected = options.users?.[0]?.redirect !== false;
    assert.deepEqual(
      [answer?.statusCode, answer?.headers.get('Contact')],
      isRedirected ? [302, '<sip:bob@10.0.0.1:5060>'] : [200, undefined],
    );
  }
});

test('SipServer: says 404 for nobody, 480 for who is away, 200 for itself', () => {
  const bench = new Bench();
  const caller = bench.user('10.0.0.9');
  const status = (request: SipRequest) => bench.ask(caller, request)?.statusCode;
  assert.equal(status(invite('sip:nobody@home.example', 'sip:e@x.example')), 404);
  assert.equal(status(invite('sip:bob@home.example', 'sip:e@x.example')), 480);
  assert.equal(status(requestOf('OPTIONS', 'sip:home.example', 'sip:e@x.example')), 200);
  assert.equal(status(requestOf('OPTIONS', 'sip:10.0.0.5:5060', 'sip:e@x.example')), 200);
  assert.equal(status(invite('sip:home.example', 'sip:e@x.example')), 404);
});

test('SipServer: whoever claims to be a user proves it, and only he sends through it to elsewhere', () => {
  const bench = new Bench();
  const elsewhere = bench.user('10.0.0.8');
  elsewhere.answerWith(200);
  const somebody = bench.user('10.0.0.9');
  const call = invite('sip:carol@10.0.0.8', 'sip:bob@home.example');
  const challenge = bench.ask(somebody, call);
  assert.equal(challenge?.statusCode, 407);
  const answered = (name: string, password: string): SipRequest => {
    const digest = new DigestClient(name, password, bench.random);
    digest.acceptChallenge(call, bench.ask(somebody, renewed(call))!);
    const request = renewed(call);
    digest.authorize(request);
    return request;
  };
  assert.equal(bench.ask(somebody, answered('bob', 'wrong'))?.statusCode, 403);
  assert.equal(bench.ask(somebody, answered('alice', 'alice-secret'))?.statusCode, 403);
  assert.equal(bench.ask(somebody, answered('nobody', 'x'))?.statusCode, 403);
  assert.deepEqual(elsewhere.events, []);
  assert.equal(bench.ask(somebody, answered('bob', 'bob-secret'))?.statusCode, 200);
  assert.equal(elsewhere.lastRequest.request.headers.has('Proxy-Authorization'), false);
  assert.deepEqual(bench.events, [
    {
      type: 'request-refused',
      user: 'bob',
      source: '10.0.0.9:5060',
      reason: 'authentication-failed',
      count: 1,
    },
  ]);
});

test('SipServer: passes nothing on from strangers to strangers, in whatever form, and tells it once', () => {
  const bench = new Bench();
  bench.register(bench.user('10.0.0.1'), 'bob');
  const elsewhere = bench.user('10.0.0.8');
  const stranger = bench.user('10.0.0.9');
  const foreign = ['sip:carol@10.0.0.8', 'sip:e@x.example'] as const;
  const routed = invite('sip:10.0.0.8', 'sip:e@x.example');
  routed.headers.append('Route', '<sip:10.0.0.5:5060;lr>, <sip:10.0.0.8;lr>');
  const inDialog = requestOf('BYE', ...foreign);
  inDialog.headers.set('To', '<sip:carol@10.0.0.8>;tag=x');
  const register = requestOf('REGISTER', ...foreign);
  for (const request of [invite(...foreign), message(...foreign), routed, inDialog, register])
    assert.equal(bench.ask(stranger, request)?.statusCode, 403, request.method);
  const ack = requestOf('ACK', ...foreign);
  ack.headers.set('To', '<sip:carol@10.0.0.8>;tag=x');
  stranger.endpoint.sendWithoutTransaction(ack, server, bench.network.now);
  bench.settle();
  assert.deepEqual(elsewhere.events, []);
  assert.deepEqual(
    bench.events.filter(({ type }) => type === 'request-refused'),
    [{ type: 'request-refused', user: '', source: '10.0.0.9:5060', reason: 'relay-refused', count: 1 }],
  );
});

test('SipServer: within a dialog it is enough that one end is registered', () => {
  const bench = new Bench();
  const bob = bench.user('10.0.0.1');
  bench.register(bob, 'bob');
  const peer = bench.user('10.0.0.8');
  for (const one of [bob, peer]) one.answerWith(200);
  const toPeer = requestOf('BYE', 'sip:carol@10.0.0.8', 'sip:bob@home.example');
  toPeer.headers.set('To', '<sip:carol@x.example>;tag=1');
  const toBob = requestOf('BYE', 'sip:bob@10.0.0.1:5060;ob', 'sip:carol@x.example');
  toBob.headers.set('To', '<sip:bob@home.example>;tag=1');
  assert.equal(bench.ask(bob, toPeer)?.statusCode, 200);
  assert.equal(bench.ask(peer, toBob)?.statusCode, 200);
});

test('SipServer: a registration ends by Expires: 0 and by itself, and a brief one is refused', () => {
  const bench = new Bench({ registration: { minimumExpiresSeconds: 60, maximumExpiresSeconds: 120 } });
  const bob = bench.user('10.0.0.1');
  const client = bench.registration('bob', '10.0.0.1', 10);
  const authorized = bench.ask(bob, repeat(client, bench.ask(bob, client.register()), bench));
  assert.equal(authorized?.statusCode, 423);
  assert.equal(authorized?.headers.get('Min-Expires'), '60');
  assert.equal(bench.register(bob, 'bob'), 200);
  bench.network.run(bench.network.now + 121_000);
  bench.register(bob, 'bob');
  const leaving = bench.registration('bob', '10.0.0.1');
  bench.ask(bob, repeat(leaving, bench.ask(bob, leaving.register()), bench));
  bench.ask(bob, leaving.deregister());
  bench.settle();
  assert.deepEqual(
    bench.events.map((event) => (event.type === 'user-deregistered' ? event.cause : event.type)),
    ['user-registered', 'expiry', 'user-registered', 'user-registered', 'request'],
  );
});

class Bench {
  readonly network = new SipTestNetwork();
  readonly random = new SeededRandomSource(7);
  readonly events: SipServerEvent[] = [];
  readonly machine: SipServer;
  readonly #addresses = new Map<TestUser, string>();

  constructor(options: Partial<SipServerOptions> = {}) {
    this.machine = new SipServer({
      listen: (['udp', 'tcp'] as const).map((transport) => ({ transport, ...server })),
      address: server,
      domain: 'home.example',
      users: [
        { name: 'bob', password: 'bob-secret' },
        { name: 'alice', password: 'alice-secret' },
      ],
      random: this.random,
      ...options,
    });
    this.machine.start(0);
    const { machine, events } = this;
    this.network.add(
      {
        handleInput: (input, now) => machine.handleInput(input, now),
        handleTimeout: (now) => machine.handleTimeout(now),
        pollTimeout: () => machine.pollTimeout(),
        pollOutput: () => {
          let output = machine.pollOutput();
          for (; output?.kind === 'event'; output = machine.pollOutput()) events.push(output.event);
          return output;
        },
      },
      () => {},
    );
  }

  user(address: string, options: Partial<SipEndpointOptions> = {}): TestUser {
    const user = new TestUser(this.network, address, options);
    this.#addresses.set(user, address);
    return user;
  }

  registration(name: string, address: string, expiresSeconds = 600): RegistrationClient {
    return new RegistrationClient({
      identity: {
        publicIdentity: `sip:${name}@home.example`,
        privateIdentity: name,
        password: `${name}-secret`,
        homeDomain: 'home.example',
      },
      contact: `sip:${name}@${address}:5060`,
      flow: { instance, regId: 1 },
      expiresSeconds,
      random: this.random,
    });
  }

  register(user: TestUser, name: string): number | undefined {
    const client = this.registration(name, this.#addresses.get(user)!);
    return this.ask(user, repeat(client, this.ask(user, client.register()), this))?.statusCode;
  }

  /** The final response. */
  ask(user: TestUser, request: SipRequest): SipResponse | undefined {
    const transaction = user.endpoint.sendRequest(request, server, this.network.now);
    this.settle();
    const finals = user.events.flatMap((event) =>
      event.kind === 'response' && event.transaction === transaction && event.response.statusCode >= 200
        ? [event.response]
        : [],
    );
    return finals.at(-1);
  }

  settle(): void {
    this.network.run(this.network.now + 100);
  }
}

/** What follows a challenge. */
function repeat(client: RegistrationClient, response: SipResponse | undefined, bench: Bench): SipRequest {
  const outcome = client.handleResponse(response, bench.network.now);
  assert.equal(outcome?.kind, 'repeat');
  return outcome.request;
}

function invite(uri: string, from: string): SipRequest {
  return requestOf('INVITE', uri, from);
}

function message(uri: string, from: string): SipRequest {
  return requestOf('MESSAGE', uri, from);
}

let calls = 0;

function requestOf(method: string, uri: string, from: string): SipRequest {
  const request = new SipRequest(method, uri);
  request.headers.append('From', `<${from}>;tag=1`);
  request.headers.append('To', `<${uri}>`);
  request.headers.append('Call-ID', `call-${++calls}`);
  request.headers.append('CSeq', `1 ${method}`);
  return request;
}

function renewed(request: SipRequest): SipRequest {
  const copy = request.clone();
  copy.headers.set('Call-ID', `call-${++calls}`);
  return copy;
}
