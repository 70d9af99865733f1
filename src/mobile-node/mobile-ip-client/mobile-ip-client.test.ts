import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandomSource } from '../../base/random-source.ts';
import type { SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import type { Extension } from '../../protocols/mobile-ip/extension.ts';
import {
  decodeMessage,
  encodeMessage,
  type MobileIpMessage,
  type RegistrationReply,
  type RegistrationRequest,
} from '../../protocols/mobile-ip/message.ts';
import { MobileIpClient } from './mobile-ip-client.ts';
import type { MobileIpClientEvent, MobileIpClientOptions } from './mobile-ip-client-options.ts';

const association: SecurityAssociation = { spi: 256, algorithm: 'hmac-md5', key: Buffer.alloc(16, 7) };
const homeAgent = { address: '10.0.0.1', port: 434 };
const wlan = { address: '198.51.100.7', port: 434 };
const tunnelReply: Extension = { kind: 'udp-tunnel-reply', code: 0, forced: true, keepaliveSeconds: 0 };
const options: MobileIpClientOptions = {
  homeAddress: '10.0.0.50',
  homeAgent,
  securityAssociation: association,
  accesses: [
    { name: 'wlan', index: 1, accessTechnology: 4 },
    { name: 'umts', index: 2 },
  ],
  timeOfDayOffsetMs: 1_790_000_000_000,
  random: new SeededRandomSource(1),
};

/** A client on one access, and an agent played by hand. */
class Bench {
  readonly client: MobileIpClient;
  readonly events: MobileIpClientEvent[] = [];
  readonly requests: { readonly to: string; readonly request: RegistrationRequest }[] = [];
  now = 0;

  constructor(extra: Partial<MobileIpClientOptions> = {}) {
    this.client = new MobileIpClient({ ...options, ...extra });
    this.client.attach('wlan', wlan.address, 0);
    this.drain();
  }

  drain(): void {
    for (let output = this.client.pollOutput(); output !== undefined; output = this.client.pollOutput()) {
      if (output.kind === 'event') this.events.push(output.event);
      if (output.kind !== 'transmit' || output.transport !== 'udp' || output.payload[0] !== 1) continue;
      const { message } = decodeMessage(output.payload) as { message: RegistrationRequest };
      this.requests.push({ to: output.remote.address, request: message });
    }
  }

  advance(at: number): void {
    for (
      let next = this.client.pollTimeout();
      next !== undefined && next.at <= at;
      next = this.client.pollTimeout()
    ) {
      this.now = next.at;
      this.client.handleTimeout(this.now);
      this.drain();
    }
    this.now = at;
  }

  get last(): RegistrationRequest {
    return this.requests.at(-1)!.request;
  }

  reply(changes: Partial<RegistrationReply> = {}): RegistrationReply {
    return {
      kind: 'registration-reply',
      code: 0,
      lifetimeSeconds: 300,
      homeAddress: '10.0.0.50',
      homeAgent: homeAgent.address,
      identification: this.last.identification,
      extensions: [tunnelReply],
      ...changes,
    };
  }

  receive(message: MobileIpMessage, remote = homeAgent, local = wlan): void {
    this.receiveOctets(encodeMessage(message, association), remote, local);
  }

  receiveOctets(payload: Uint8Array, remote = homeAgent, local = wlan): void {
    this.client.handleInput({ kind: 'datagram-received', local, remote, payload }, this.now);
    this.drain();
  }

  told(type: MobileIpClientEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }
}

test('MobileIpClient: a request has what the agent needs to know', () => {
  const bench = new Bench({ networkAccessIdentifier: 'mn@home.example' });
  const { request, to } = bench.requests[0]!;
  assert.equal(to, homeAgent.address);
  assert.equal(request.decapsulationByMobileNode && request.reverseTunnel, true);
  assert.equal(request.simultaneousBindings, false);
  assert.deepEqual(
    request.extensions.map(({ kind }) => kind),
    ['network-access-identifier', 'udp-tunnel-request', 'multipath', 'flow-binding', 'revocation-support'],
  );
  const multipath = request.extensions.find((extension) => extension.kind === 'multipath');
  assert.deepEqual([multipath?.bindingId, multipath?.accessTechnology, multipath?.overwrite], [1, 4, false]);
});

test('MobileIpClient: believes no reply that is not to its last request, from its agent, with one right authenticator', () => {
  const bench = new Bench();
  const reply = bench.reply();
  bench.receive({ ...reply, identification: reply.identification ^ 1n });
  bench.receive({ ...reply, homeAddress: '10.0.0.51' });
  bench.receive(reply, { ...homeAgent, address: '10.0.0.2' });
  bench.receive(reply, homeAgent, { ...wlan, port: 435 });
  bench.receiveOctets(encodeMessage(reply));
  bench.receiveOctets(encodeMessage(reply, { ...association, key: Buffer.alloc(16) }));
  const octets = encodeMessage(reply, association);
  bench.receiveOctets(Buffer.concat([octets, octets.subarray(octets.length - 22)]));
  assert.deepEqual(bench.events, []);
  bench.receive(reply);
  assert.equal(bench.client.isBound('wlan'), true);
  bench.receive({ ...reply, code: 129 });
  assert.equal(bench.told('binding-refused'), 0, 'the request is answered');
});

test("MobileIpClient: the upper half of the identification is the agent's to choose", () => {
  const bench = new Bench();
  bench.receive(bench.reply({ identification: bench.last.identification ^ (1n << 40n) }));
  assert.equal(bench.client.isBound('wlan'), true);
});

test('MobileIpClient: an accepted registration without an assenting UDP Tunnel Reply is no binding', () => {
  for (const extensions of [[], [{ ...tunnelReply, code: 64 } as Extension]]) {
    const bench = new Bench();
    bench.receive(bench.reply({ extensions }));
    assert.equal(bench.client.isBound('wlan'), false);
    assert.equal(bench.told('binding-refused'), 1);
  }
  const assenting = new Bench();
  assenting.receive(assenting.reply({ extensions: [{ ...tunnelReply, code: 63 } as Extension] }));
  assert.equal(assenting.client.isBound('wlan'), true);
});

test('MobileIpClient: the granted lifetime counts from the sending, and never exceeds what was asked for', () => {
  const bench = new Bench({ lifetimeSeconds: 100 });
  bench.now = 400;
  bench.receive(bench.reply({ lifetimeSeconds: 65_535 }));
  bench.advance(99_999);
  assert.equal(bench.client.isBound('wlan'), true);
  bench.advance(100_000);
  assert.equal(bench.client.isBound('wlan'), false);
});

test('MobileIpClient: a registration without a reply in time is a lost round trip, one that was replaced is not', () => {
  const bench = new Bench();
  bench.advance(3000);
  assert.deepEqual(
    bench.events.filter((event) => event.type === 'round-trip-lost'),
    [
      { type: 'round-trip-lost', access: 'wlan', sentAt: 0, timeoutMs: 1000 },
      { type: 'round-trip-lost', access: 'wlan', sentAt: 1000, timeoutMs: 2000 },
    ],
  );
  bench.receive(bench.reply());
  bench.advance(10_000);
  bench.client.forwardOver('wlan', bench.now);
  bench.drain();
  assert.equal(bench.told('round-trip-lost'), 2);
});

test('MobileIpClient: a handover right after a registration is told at once, and on average there is one request per second and access', () => {
  const bench = new Bench();
  const umts = { address: '192.0.2.10', port: 434 };
  bench.receive(bench.reply());
  bench.client.attach('umts', umts.address, 0);
  bench.drain();
  const sent: [number, string][] = [];
  const answerAll = (): void => {
    while (bench.requests.length > sent.length) {
      const { careOfAddress } = bench.last;
      sent.push([bench.now, careOfAddress]);
      bench.receive(bench.reply(), homeAgent, careOfAddress === umts.address ? umts : wlan);
    }
  };
  sent.push([0, wlan.address]);
  answerAll();
  for (let at = 100; at < 10_000; at += 100) {
    bench.advance(at);
    answerAll();
    bench.client.forwardOver(at % 200 === 0 ? 'umts' : 'wlan', at);
    bench.drain();
    answerAll();
  }
  // One of the two is told at 200 ms, the other at 300 ms; then they are as many as seconds.
  assert.deepEqual(sent.slice(2, 4), [
    [200, umts.address],
    [300, wlan.address],
  ]);
  for (const { address } of [wlan, umts]) {
    const times = sent.filter(([, careOfAddress]) => careOfAddress === address).map(([at]) => at);
    assert.ok(times.length > 8);
    times.forEach((at, index) => {
      assert.ok(at >= 1000 * (index - 1), `request ${index} at ${at}`);
    });
  }
});

test('MobileIpClient: while a request is without answer a handover waits for its second', () => {
  const bench = new Bench();
  bench.advance(500);
  bench.client.forwardOver('wlan', 500);
  bench.drain();
  assert.equal(bench.requests.length, 1);
  bench.advance(1000);
  assert.equal(bench.requests.length, 2);
});

test('MobileIpClient: refusals that say what would be accepted are followed (136, 69, 152)', () => {
  const moved = new Bench();
  moved.receive(moved.reply({ code: 136, homeAgent: '10.0.0.9' }));
  moved.advance(1000);
  assert.deepEqual([moved.requests[1]?.to, moved.last.homeAgent], ['10.0.0.9', '10.0.0.9']);

  const shorter = new Bench();
  shorter.receive(shorter.reply({ code: 69, lifetimeSeconds: 60 }));
  shorter.advance(1000);
  assert.equal(shorter.last.lifetimeSeconds, 60);

  const single = new Bench();
  single.receive(single.reply({ code: 152 }));
  single.advance(1000);
  assert.deepEqual(
    single.last.extensions.map(({ kind }) => kind),
    ['udp-tunnel-request', 'revocation-support'],
  );
  for (const bench of [moved, shorter, single]) assert.equal(bench.told('binding-refused'), 0);
});

test('MobileIpClient: other refusals are tried again after 5, 10, 20 s, and a binding outlives them', () => {
  const bench = new Bench({ lifetimeSeconds: 300 });
  bench.receive(bench.reply());
  const sent: number[] = [];
  for (const at of [150_000, 155_000, 165_000, 185_000]) {
    bench.advance(at);
    sent.push(bench.requests.length);
    bench.receive(bench.reply({ code: 129, extensions: [{ kind: 'message-string', text: 'not now' }] }));
  }
  assert.deepEqual(sent, [2, 3, 4, 5]);
  assert.equal(bench.client.isBound('wlan'), true);
  const refusal = bench.events.find((event) => event.type === 'binding-refused');
  assert.deepEqual(refusal, { type: 'binding-refused', access: 'wlan', code: 129, reason: 'not now' });
});

test('MobileIpClient: an agent that lost the bindings (153) gets all accesses registered again', () => {
  const bench = new Bench();
  const umts = { address: '192.0.2.10', port: 434 };
  bench.receive(bench.reply());
  bench.client.attach('umts', umts.address, 0);
  bench.drain();
  bench.receive(bench.reply({ code: 153 }), homeAgent, umts);
  assert.equal(bench.client.isBound('wlan'), false);
  bench.advance(1000);
  const lists = bench.requests
    .slice(-2)
    .map(({ request }) =>
      request.extensions.flatMap((extension) =>
        extension.kind === 'flow-binding' ? [extension.bindingIds] : [],
      ),
    );
  assert.deepEqual(lists, [[[1]], [[2]]]);
});

test('MobileIpClient: a clock that agrees is not changed by a 133; the next request is simply later', () => {
  const bench = new Bench();
  const first = bench.last.identification;
  bench.receive(bench.reply({ code: 133 }));
  bench.advance(1000);
  assert.equal(bench.told('clock-resynchronised'), 0);
  assert.ok(bench.last.identification > first);
});

test('MobileIpClient: revocations are taken once, in order, from the home agent, and always acknowledged then', () => {
  const bench = new Bench();
  const support: Extension = { kind: 'revocation-support', informs: true, timestamp: 1000 };
  bench.receive(bench.reply({ extensions: [tunnelReply, support] }));
  const revocation: MobileIpMessage = {
    kind: 'registration-revocation',
    byHomeAgent: true,
    informs: true,
    homeAddress: '10.0.0.50',
    homeDomainAddress: homeAgent.address,
    foreignDomainAddress: '192.0.2.99',
    revocationIdentifier: 1000,
    extensions: [],
  };
  const acknowledged = (message: MobileIpMessage): number => {
    const payload = encodeMessage(message, association);
    bench.client.handleInput(
      { kind: 'datagram-received', local: wlan, remote: homeAgent, payload },
      bench.now,
    );
    let count = 0;
    for (let output = bench.client.pollOutput(); output !== undefined; output = bench.client.pollOutput())
      if (output.kind === 'transmit' && output.transport === 'udp' && output.payload[0] === 15) count += 1;
    return count;
  };
  assert.equal(acknowledged({ ...revocation, byHomeAgent: false }), 0);
  assert.equal(acknowledged({ ...revocation, revocationIdentifier: 999 }), 0);
  assert.equal(acknowledged(revocation), 1);
  assert.equal(bench.client.isBound('wlan'), true, 'it was about another care-of address');
  assert.equal(acknowledged(revocation), 0, 'a replay');
  assert.equal(
    acknowledged({ ...revocation, revocationIdentifier: 1001, foreignDomainAddress: wlan.address }),
    1,
  );
  assert.equal(bench.client.isBound('wlan'), false);
});

test('MobileIpClient: whatever octets arrive, nothing is thrown and nothing changes', () => {
  const bench = new Bench();
  bench.receive(bench.reply());
  const told = bench.events.length;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(1, 3, 4, 7, 15, 0x45), (octets, type) => {
      bench.receiveOctets(Uint8Array.from([type, ...octets]));
      bench.receiveOctets(octets);
    }),
    { seed: 5, numRuns: 1000 },
  );
  assert.equal(bench.events.length, told);
  assert.equal(bench.client.isBound('wlan'), true);
});
