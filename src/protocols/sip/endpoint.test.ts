import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { SipEndpoint, type SipEndpointOptions } from './endpoint.ts';
import { createResponse } from './message/create-response.ts';
import { SipTestNetwork } from './test-support/sip-network.ts';
import { testRequest } from './test-support/test-request.ts';
import type { SipEvent } from './transaction/sip-event.ts';

const alice = '10.0.0.1';
const bob = '10.0.0.2';

test('SipEndpoint: an INVITE with 100, 180, 200 and ACK over UDP', () => {
  const { network, a, b, eventsOf } = pair();
  answer(network, b, (event) => {
    if (event.kind !== 'request') return;
    b.respond(event.transaction, createResponse(event.request, 180, { toTag: 'bob' }), network.now);
    b.respond(event.transaction, createResponse(event.request, 200, { toTag: 'bob' }), network.now);
  });
  a.sendRequest(testRequest('INVITE'), { address: bob, port: 5060 }, network.now);
  network.run(20);
  a.sendWithoutTransaction(testRequest('ACK', { toTag: 'bob' }), { address: bob, port: 5060 }, network.now);
  network.runToEnd();
  assert.deepEqual(summary(eventsOf(a)), ['response 180', 'response 200', 'terminated']);
  assert.deepEqual(summary(eventsOf(b)), ['request INVITE', 'ack', 'terminated']);
  assert.deepEqual(network.ladder, [
    '0.000 10.0.0.1:5060 → 10.0.0.2:5060 udp INVITE sip:bob@b.test SIP/2.0',
    '0.005 10.0.0.2:5060 → 10.0.0.1:5060 udp SIP/2.0 180 Ringing',
    '0.005 10.0.0.2:5060 → 10.0.0.1:5060 udp SIP/2.0 200 OK',
    '0.020 10.0.0.1:5060 → 10.0.0.2:5060 udp ACK sip:bob@b.test SIP/2.0',
  ]);
});

interface Pair {
  readonly network: SipTestNetwork;
  readonly a: SipEndpoint;
  readonly b: SipEndpoint;
  readonly eventsOf: (endpoint: SipEndpoint) => SipEvent[];
}

const reactions = new WeakMap<SipEndpoint, (event: SipEvent) => void>();

function pair(options: Partial<SipEndpointOptions> = {}): Pair {
  const network = new SipTestNetwork();
  const [a, b] = [alice, bob].map((address, index) => {
    const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, address, port: 5060 }));
    return new SipEndpoint({ listen, random: new SeededRandomSource(index + 1), ...options });
  }) as [SipEndpoint, SipEndpoint];
  const events = new Map<unknown, SipEvent[]>([
    [a, []],
    [b, []],
  ]);
  network.onActivity = (machine) => {
    const endpoint = machine as SipEndpoint;
    for (let event = endpoint.pollEvent(); event !== undefined; event = endpoint.pollEvent()) {
      events.get(endpoint)!.push(event);
      reactions.get(endpoint)?.(event);
    }
  };
  for (const endpoint of [a, b]) {
    endpoint.start(0);
    network.add(endpoint);
  }
  return { network, a, b, eventsOf: (endpoint) => events.get(endpoint)! };
}

function answer(_network: SipTestNetwork, endpoint: SipEndpoint, reaction: (event: SipEvent) => void): void {
  reactions.set(endpoint, reaction);
}

function summary(events: readonly SipEvent[]): string[] {
  return events.map((event) => {
    if (event.kind === 'request') return `request ${event.request.method}`;
    return event.kind === 'response' ? `response ${event.response.statusCode}` : event.kind;
  });
}
