/**
 * The SIP proxy function of the home agent with a registrar that challenges (home-network/sip-server), and people on both sides: who gets
 * what passed on, and that no password shows anywhere.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { SipProxyFunction } from '../../src/home-network/home-agent/sip-proxy-function.ts';
import { SipServer } from '../../src/home-network/sip-server/sip-server.ts';
import type { DigestAlgorithm } from '../../src/protocols/sip/authentication/digest-fields.ts';
import { SipRequest, type SipResponse } from '../../src/protocols/sip/message/sip-message.ts';
import { SipTestNetwork } from '../../src/protocols/sip/test-support/sip-network.ts';
import { TestUser } from '../../src/protocols/sip/test-support/test-user.ts';

const homeAddress = '198.51.100.10';
const homeAgent = { address: '198.51.100.1', port: 5060 };
const registrar = { address: '203.0.113.5', port: 5060 };
const careOf = { wlan: '10.2.0.2', umts: '10.1.0.2' } as const;
const password = 'correct horse battery staple';

test('SipProxyFunction: a binding becomes REGISTER, 401, REGISTER, 200; a handover needs no challenge and takes back the former contact', () => {
  for (const algorithm of ['MD5', 'SHA-256'] as const) {
    const bench = new Bench(algorithm);
    bench.forwardTo(careOf.wlan);
    assert.deepEqual(bench.ladder(), ['REGISTER', '401', 'REGISTER', '200']);
    bench.forwardTo(careOf.umts);
    assert.deepEqual(bench.ladder(), ['REGISTER', '200', 'REGISTER', '200']);
    assert.deepEqual(bench.server.contactsOf('bob', bench.network.now), [`sip:bob@${careOf.umts}:5060`]);
    bench.forwardTo(undefined);
    assert.deepEqual(bench.server.contactsOf('bob', bench.network.now), []);
  }
});

test('SipProxyFunction: the mobile node calls without credentials of its own, over any access', () => {
  const bench = new Bench('SHA-256');
  bench.forwardTo(careOf.wlan);
  const elsewhere = bench.user('192.0.2.9');
  elsewhere.answerWith(180, 200);
  for (const address of [careOf.wlan, careOf.umts, homeAddress]) {
    const answer = bench.ask(bench.user(address), requestOf('INVITE', 'sip:carol@192.0.2.9', bob));
    assert.equal(answer?.statusCode, 200);
    const { headers } = elsewhere.lastRequest.request;
    assert.deepEqual(
      [headers.has('Record-Route'), headers.has('Proxy-Authorization'), headers.has('Authorization')],
      [false, false, false],
    );
  }
});

test('SipProxyFunction: what the registrar’s proxy has for the user goes to where he is now', () => {
  const bench = new Bench('MD5');
  const stranger = bench.user('192.0.2.9');
  const [wlan, umts] = [bench.user(careOf.wlan), bench.user(careOf.umts)];
  const toHomeAgent = (uri: string) =>
    bench.askFromRegistrar(requestOf('MESSAGE', uri, 'sip:carol@x.example'));
  assert.equal(toHomeAgent('sip:bob@198.51.100.1')?.statusCode, 480);
  for (const [user, address] of [
    [wlan, careOf.wlan],
    [umts, careOf.umts],
  ] as const) {
    user.answerWith(200);
    bench.forwardTo(address);
    for (const uri of ['sip:bob@home.example', 'sip:bob@198.51.100.1', `sip:bob@${address}:5060`]) {
      assert.equal(toHomeAgent(uri)?.statusCode, 200, uri);
      assert.equal(user.lastRequest.request.requestUri, `sip:bob@${address}:5060`);
    }
    assert.equal(
      bench.ask(stranger, requestOf('MESSAGE', bob, 'sip:carol@x.example'), registrar)?.statusCode,
      200,
    );
  }
});

test('SipProxyFunction: is nobody else’s relay, nor the mobile node’s in another name, and tells it once', () => {
  const bench = new Bench('MD5');
  bench.forwardTo(careOf.wlan);
  const elsewhere = bench.user('192.0.2.9');
  const stranger = bench.user('192.0.2.66');
  const mobileNode = bench.user(careOf.wlan);
  const toBob = requestOf('MESSAGE', bob, 'sip:carol@x.example');
  const inDialog = requestOf('BYE', 'sip:carol@192.0.2.9', bob);
  inDialog.headers.set('To', '<sip:carol@192.0.2.9>;tag=1');
  const inBobsName = requestOf('INVITE', 'sip:carol@192.0.2.9', bob);
  for (const request of [toBob, inDialog, inBobsName])
    assert.equal(bench.ask(stranger, request)?.statusCode, 403, request.method);
  for (const request of [
    requestOf('INVITE', 'sip:carol@192.0.2.9', 'sip:alice@home.example'),
    requestOf('REGISTER', 'sip:home.example', bob),
  ])
    assert.equal(bench.ask(mobileNode, request)?.statusCode, 403, request.method);
  const stray = bench.askFromRegistrar(requestOf('INVITE', 'sip:carol@192.0.2.9', 'sip:eve@x.example'));
  assert.equal(stray?.statusCode, 403);
  assert.deepEqual(elsewhere.events, []);
  assert.deepEqual(
    bench.events.filter((event) => (event as { type: string }).type === 'relay-refused'),
    [
      { type: 'relay-refused', homeAddress: '', source: '192.0.2.66:5060', count: 1 },
      { type: 'relay-refused', homeAddress, source: `${careOf.wlan}:5060`, count: 1 },
    ],
  );
});

test('SipProxyFunction: a wrong password is tried once per request, and no password shows in events, messages or dumps', () => {
  const bench = new Bench('MD5', 'wrong password');
  bench.forwardTo(careOf.wlan);
  assert.deepEqual(bench.ladder(), ['REGISTER', '401', 'REGISTER', '403']);
  const answer = bench.ask(bench.user(careOf.wlan), requestOf('INVITE', 'sip:carol@192.0.2.9', bob));
  assert.equal(answer?.statusCode, 403);
  const good = new Bench('SHA-256');
  good.forwardTo(careOf.wlan);
  for (const { machine, network, events } of [bench, good]) {
    const shown = inspect([machine, network.messages, events], { depth: 20 }) + JSON.stringify(events);
    assert.ok(!shown.includes(password) && !shown.includes('wrong password'));
  }
});

const bob = 'sip:bob@home.example';

class Bench {
  readonly network = new SipTestNetwork();
  readonly events: object[] = [];
  readonly machine: SipProxyFunction;
  readonly server: SipServer;
  readonly #users = new Map<string, TestUser>();
  #proxy: TestUser | undefined;

  constructor(algorithm: DigestAlgorithm, ownPassword = password) {
    this.server = new SipServer({
      listen: [{ transport: 'udp', ...registrar }],
      address: registrar,
      domain: 'home.example',
      users: [{ name: 'bob', password }],
      digestAlgorithms: [algorithm],
      random: new SeededRandomSource(1),
    });
    this.machine = new SipProxyFunction({
      local: homeAgent,
      registrar,
      accounts: [
        {
          homeAddress,
          identity: {
            publicIdentity: bob,
            privateIdentity: 'bob',
            password: ownPassword,
            homeDomain: 'home.example',
          },
        },
      ],
      addressesOf: () => [careOf.wlan, careOf.umts],
      random: new SeededRandomSource(2),
    });
    for (const machine of [this.server, this.machine]) {
      machine.start(0);
      this.network.add(
        {
          handleInput: (input, now) => machine.handleInput(input, now),
          handleTimeout: (now) => machine.handleTimeout(now),
          pollTimeout: () => machine.pollTimeout(),
          pollOutput: () => {
            let output = machine.pollOutput();
            for (; output?.kind === 'event'; output = machine.pollOutput()) this.events.push(output.event);
            return output;
          },
        },
        () => {},
      );
    }
  }

  user(address: string): TestUser {
    const user = this.#users.get(address) ?? new TestUser(this.network, address);
    this.#users.set(address, user);
    return user;
  }

  forwardTo(careOfAddress: string | undefined): void {
    this.network.ladder.length = 0;
    const change = { kind: 'binding-changed', homeAddress } as const;
    this.machine.handleInput(
      careOfAddress === undefined ? change : { ...change, careOfAddress },
      this.network.now,
    );
    this.settle();
  }

  /** Methods and status codes since the binding changed. */
  ladder(): string[] {
    return this.network.ladder.map((line) => /udp (?:SIP\/2\.0 )?(\S+)/.exec(line)?.[1] ?? line);
  }

  /** The final response. */
  ask(user: TestUser, request: SipRequest, target = homeAgent): SipResponse | undefined {
    const transaction = user.endpoint.sendRequest(request, target, this.network.now);
    this.settle();
    return user.events
      .flatMap((event) =>
        event.kind === 'response' && event.transaction === transaction ? [event.response] : [],
      )
      .findLast(({ statusCode }) => statusCode >= 200);
  }

  /** From the host of the registrar, where its proxy is too. */
  askFromRegistrar(request: SipRequest): SipResponse | undefined {
    const listen = [{ transport: 'udp', address: registrar.address, port: 5070 }] as const;
    this.#proxy ??= new TestUser(this.network, registrar.address, { listen });
    return this.ask(this.#proxy, request);
  }

  settle(): void {
    this.network.run(this.network.now + 200);
  }
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
