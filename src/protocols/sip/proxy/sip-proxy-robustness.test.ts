/** Calls through a proxy that forks, over a network that loses, repeats and reorders: each comes to one end, and nothing is left over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, randomFraction, SeededRandomSource } from '../../../base/random-source.ts';
import { SipEndpoint } from '../endpoint.ts';
import { SipTestNetwork } from '../test-support/sip-network.ts';
import { testRequest } from '../test-support/test-request.ts';
import { TestUser } from '../test-support/test-user.ts';
import type { SipEvent } from '../transaction/sip-event.ts';
import { SipProxy } from './sip-proxy.ts';

const proxyTarget = { address: '10.0.0.9', port: 5060 };
const callees = ['10.0.0.2', '10.0.0.3'];

test('SipProxy: in 300 runs over a bad network every request ends exactly once for the caller and nothing is left over', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { alice, endpoints } = play(seed);
    const finals = alice.events.filter((event) => isFinalOutcome(event));
    const kinds = new Set(
      finals.map((event) => (event.kind === 'response' ? event.response.statusCode : event.kind)),
    );
    assert.equal(kinds.size, 1, `seed ${seed}: ${alice.summary}`);
    assert.equal(alice.summary.indexOf('terminated'), alice.summary.length - 1, `seed ${seed}`);
    for (const { counters } of endpoints)
      assert.equal(counters.clientTransactions + counters.serverTransactions, 0, `seed ${seed}`);
  }
});

function play(seed: number): { alice: TestUser; endpoints: SipEndpoint[] } {
  const random = new SeededRandomSource(seed);
  const network = new SipTestNetwork();
  const proxy = addProxy(network, random);
  const alice = new TestUser(network, '10.0.0.1');
  const users = callees.map((address) => new TestUser(network, address));
  for (const user of users) user.reaction = (event) => react(network, random, user, event);
  const loss = randomFraction(random) * 0.4;
  network.fate = () => (randomFraction(random) < loss ? [] : [1 + randomBelow(random, 300)]);
  const isInvite = randomFraction(random) < 0.7;
  const transaction = alice.endpoint.sendRequest(
    testRequest(isInvite ? 'INVITE' : 'OPTIONS'),
    proxyTarget,
    0,
  );
  network.after(randomBelow(random, 10_000), () => alice.endpoint.cancel(transaction, network.now));
  network.runToEnd();
  return { alice, endpoints: [alice, ...users].map((user) => user.endpoint).concat(proxy.endpoint) };
}

/** Some callees answer, some let it ring until they are cancelled or timer C comes. */
function react(network: SipTestNetwork, random: SeededRandomSource, user: TestUser, event: SipEvent): void {
  if (event.kind === 'cancelled') user.respond(user.lastRequest, 487);
  if (event.kind !== 'request') return;
  if (event.request.method === 'INVITE') user.respond(event, 180);
  const statusCode = [undefined, 200, 302, 404, 503, 603][randomBelow(random, 6)];
  if (statusCode === undefined) return;
  network.after(randomBelow(random, 8_000), () => {
    user.respond(event, statusCode);
    network.flush();
  });
}

function addProxy(network: SipTestNetwork, random: SeededRandomSource): SipProxy {
  const endpoint = new SipEndpoint({ listen: [{ transport: 'udp', ...proxyTarget }], random });
  const proxy = new SipProxy({ endpoint, ownNames: ['p.test'] });
  const targets = callees.map((address) => ({ nextHop: { address, port: 5060 } }));
  proxy.start(0);
  network.add(proxy, () => {
    const { now } = network;
    for (let event = proxy.pollEvent(now); event !== undefined; event = proxy.pollEvent(now)) {
      if (event.kind === 'request') proxy.forward(event.transaction, targets, now);
      else if (event.kind === 'response-chosen') proxy.respond(event.transaction, event.response, now);
    }
  });
  return proxy;
}

function isFinalOutcome(event: SipEvent): boolean {
  return event.kind === 'timed-out' || (event.kind === 'response' && event.response.statusCode >= 200);
}
