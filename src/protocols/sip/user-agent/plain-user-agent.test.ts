import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { SipEndpoint } from '../endpoint.ts';
import { sdp } from '../test-support/call-parties.ts';
import { RawPeer } from '../test-support/raw-peer.ts';
import { type SipTestMachine, SipTestNetwork } from '../test-support/sip-network.ts';
import { PlainUserAgent, type PlainUserAgentEvent } from './plain-user-agent.ts';

test('PlainUserAgent calls, is answered, changes the session and is hung up on', () => {
  const { network, alice, bob } = setUp();
  const call = alice.agent.call(
    { requestUri: 'sip:bob@10.0.0.2', routes: [], from: '<sip:alice@test>', body: 'v=0\r\n' },
    0,
  );
  network.run(100);
  const offered = bob.last('call-offered');
  assert.equal(offered.offer, 'v=0\r\n');
  bob.agent.progress(offered.call, { statusCode: 180 }, network.now);
  bob.agent.accept(offered.call, sdp('10.0.0.2'), network.now);
  network.run(300);
  assert.equal(alice.last('progressed').statusCode, 180);
  assert.equal(alice.last('established').answer, sdp('10.0.0.2'));
  assert.equal(alice.agent.modify(call, 'INVITE', sdp('10.0.0.1', undefined, 'sendonly'), network.now), true);
  network.run(400);
  bob.agent.answerOffer(bob.last('offer-arrived').token, sdp('10.0.0.2', undefined, 'recvonly'), network.now);
  network.run(500);
  assert.match(alice.last('modified').answer, /recvonly/);
  bob.agent.hangUp(offered.call, network.now);
  network.run(600);
  assert.equal(alice.last('ended').call, call);
  assert.deepEqual(
    bob.events.map(({ type }) => type),
    ['call-offered', 'established', 'offer-arrived', 'ended'],
  );
});

test('PlainUserAgent answers early and reliably, and takes an UPDATE before it accepts', () => {
  const { network, alice, bob } = setUp();
  const call = alice.agent.call(
    { requestUri: 'sip:bob@10.0.0.2', routes: [], from: '<sip:alice@test>', body: sdp('10.0.0.1', 'none') },
    0,
  );
  network.run(100);
  const { call: offered } = bob.last('call-offered');
  bob.agent.progress(offered, { statusCode: 183, body: sdp('10.0.0.2', 'none') }, network.now);
  network.run(200);
  assert.match(alice.last('progressed').answer, /curr:qos/);
  alice.agent.modify(call, 'UPDATE', sdp('10.0.0.1', 'sendrecv'), network.now);
  network.run(300);
  bob.agent.answerOffer(bob.last('offer-arrived').token, sdp('10.0.0.2', 'sendrecv'), network.now);
  bob.agent.accept(offered, undefined, network.now);
  network.run(400);
  assert.deepEqual([alice.last('modified').statusCode, alice.last('established').answer], [200, '']);
});

test('PlainUserAgent declines, and the caller hears with which status', () => {
  const { network, alice, bob } = setUp();
  alice.agent.call(
    { requestUri: 'sip:bob@10.0.0.2', routes: [], from: '<sip:alice@test>', body: sdp('10.0.0.1') },
    0,
  );
  network.run(100);
  bob.agent.decline(bob.last('call-offered').call, 486, network.now);
  network.run(200);
  assert.deepEqual([alice.last('ended').statusCode, bob.last('ended').statusCode], [486, 486]);
});

test('PlainUserAgent answers OPTIONS, refuses extensions that it does not know and methods that make no sense', () => {
  const network = new SipTestNetwork();
  const peer = new RawPeer(network, '10.0.0.9');
  const user = new User(network, '10.0.0.5', 3);
  peer.send('OPTIONS');
  peer.send('SUBSCRIBE');
  peer.send('INVITE', { headers: [['Require', 'precondition, gruu']] });
  network.run(100);
  assert.deepEqual(
    ['OPTIONS', 'SUBSCRIBE', 'INVITE'].map((method) => peer.statuses(method)),
    [[200], [405], [420]],
  );
  const refused = peer.received.find((message) => message.kind === 'response' && message.statusCode === 420);
  assert.equal(refused!.headers.get('Unsupported'), 'gruu');
  assert.deepEqual(user.events, []);
});

class User implements SipTestMachine {
  readonly agent: PlainUserAgent;
  readonly events: PlainUserAgentEvent[] = [];

  constructor(network: SipTestNetwork, address: string, seed: number) {
    const random = new SeededRandomSource(seed);
    const endpoint = new SipEndpoint({ listen: [{ transport: 'udp', address, port: 5060 }], random });
    this.agent = new PlainUserAgent({ endpoint, random, path: { contact: `<sip:${address}>` } });
    this.agent.start(network.now);
    network.add(this, () => {});
  }

  handleInput(input: NetworkInput, now: number): void {
    this.agent.handleInput(input, now);
  }

  handleTimeout(now: number): void {
    this.agent.handleTimeout(now);
  }

  pollTimeout(): ReturnType<PlainUserAgent['pollTimeout']> {
    return this.agent.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    for (let output = this.agent.pollOutput(); output !== undefined; output = this.agent.pollOutput()) {
      if (output.kind !== 'event') return output;
      this.events.push(output.event);
    }
    return undefined;
  }

  last<Type extends PlainUserAgentEvent['type']>(type: Type): Extract<PlainUserAgentEvent, { type: Type }> {
    const found = this.events.filter(
      (event): event is Extract<PlainUserAgentEvent, { type: Type }> => event.type === type,
    );
    assert.ok(found.length > 0, `no ${type} among ${this.events.map((event) => event.type)}`);
    return found.at(-1)!;
  }
}

function setUp(): { network: SipTestNetwork; alice: User; bob: User } {
  const network = new SipTestNetwork();
  return { network, alice: new User(network, '10.0.0.1', 1), bob: new User(network, '10.0.0.2', 2) };
}
