import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Extension } from '../../protocols/mobile-ip/extension.ts';
import {
  decodeMessage,
  encodeMessage,
  type MobileIpMessage,
  type RegistrationRequest,
} from '../../protocols/mobile-ip/message.ts';
import { lowerHalf, ntpTimestamp, upperHalf } from '../../protocols/mobile-ip/timestamp.ts';
import { encodeTunnelledEcho, type TunnelledEcho } from '../../protocols/mobile-ip/tunnel-data.ts';
import { addressesOf } from './mobility-record.ts';

import {
  agent,
  association,
  Bench,
  forwardOver,
  homeAddress,
  multipath,
  nat,
  ofPath,
  timeOfDayOffsetMs,
  tunnelRequest,
  umts,
  wlan,
} from './test-bench.ts';

test('HomeAgent: accepts a registration, opens the tunnel, answers for the home address on the home link', () => {
  const bench = new Bench();
  const reply = bench.register();
  assert.equal(reply.code, 0);
  assert.equal(reply.lifetimeSeconds, 300);
  assert.deepEqual(reply.extensions, [
    { kind: 'udp-tunnel-reply', code: 0, forced: true, keepaliveSeconds: 110 },
  ]);
  const endpoint = { local: agent, remote: umts, encapsulation: 'rfc3519' };
  assert.deepEqual(bench.tunnel(), {
    homeAddress,
    homeAgent: agent.address,
    endpoints: [endpoint],
    rules: [{ selector: {}, endpoints: [endpoint] }],
  });
  const order = bench.effects.map(({ type }) => type);
  assert.deepEqual(order, ['journal', 'tunnel', 'proxy-arp', 'gratuitous-arp']);
  assert.deepEqual(
    bench.events.map(({ type }) => type),
    ['binding-changed', 'binding-registered'],
  );
  bench.advance(10_000);
  assert.equal(bench.effects.filter(({ type }) => type === 'gratuitous-arp').length, 3);
});

test('HomeAgent: nothing is in force or answered before the journal has it', () => {
  const bench = new Bench();
  bench.isHeld = true;
  bench.receive(encodeMessage(bench.request(), association));
  assert.deepEqual(
    bench.effects.map(({ type }) => type),
    ['journal'],
  );
  assert.equal(bench.sent.length, 0);
  assert.equal(bench.agent.bindings, 0);
  bench.agent.handleInput({ kind: 'effect-completed', id: bench.held[0]! }, 5);
  bench.drain();
  assert.equal(bench.lastReply().code, 0);
  assert.equal(bench.agent.bindings, 1);
});

test('HomeAgent: a journal that fails denies with 130 and changes nothing; what waited is dealt with next', () => {
  const bench = new Bench();
  bench.isHeld = true;
  bench.receive(encodeMessage(bench.request(), association));
  bench.receive(encodeMessage(bench.request(), association));
  assert.equal(bench.held.length, 1);
  bench.agent.handleInput({ kind: 'effect-completed', id: bench.held[0]!, error: 'disk full' }, 5);
  bench.drain();
  assert.equal(bench.lastReply().code, 130);
  assert.equal(bench.agent.bindings, 0);
  assert.equal(bench.held.length, 2);
  bench.agent.handleInput({ kind: 'effect-completed', id: bench.held[1]! }, 6);
  bench.drain();
  assert.equal(bench.lastReply().code, 0);
});

test('HomeAgent: no more than 16 requests of one mobile node wait for the journal', () => {
  const bench = new Bench();
  bench.isHeld = true;
  for (let i = 0; i < 20; i++) bench.receive(encodeMessage(bench.request(), association));
  assert.equal(bench.refused('too-many-requests'), 3);
});

test('HomeAgent: the reply codes for what a request asks', () => {
  const cases: readonly (readonly [number, Partial<RegistrationRequest>])[] = [
    [129, { extensions: [] }],
    [
      129,
      {
        homeAddress: '10.0.0.99',
        extensions: [{ kind: 'network-access-identifier', identifier: 'mn@home.example' }, tunnelRequest],
      },
    ],
    [134, { decapsulationByMobileNode: false }],
    [136, { homeAgent: '10.0.0.255' }],
    [138, { reverseTunnel: false }],
    [139, { genericRoutingEncapsulation: true, extensions: [] }],
    [142, { extensions: [{ ...tunnelRequest, encapsulation: 47 } as Extension] }],
    [142, { minimalEncapsulation: true, extensions: [{ ...tunnelRequest, encapsulation: 0 } as Extension] }],
    [153, ofPath(1, umts, forwardOver(7))],
    [
      129,
      ofPath(1, umts, { ...forwardOver(1), selector: { differentiatedServices: { first: 8 } } } as Extension),
    ],
    [0, { extensions: [{ ...tunnelRequest, encapsulation: 0 } as Extension] }],
    [0, { broadcasts: true }],
    [
      0,
      {
        homeAddress: '0.0.0.0',
        extensions: [{ kind: 'network-access-identifier', identifier: 'mn@home.example' }, tunnelRequest],
      },
    ],
  ];
  for (const [code, changes] of cases) {
    const bench = new Bench();
    const reply = bench.register(changes);
    assert.equal(reply.code, code, JSON.stringify(changes));
    assert.equal(bench.agent.bindings, code === 0 ? 1 : 0);
    assert.equal(bench.refused('denied'), code === 0 ? 0 : 1);
    assert.equal(reply.homeAgent, agent.address);
    if (changes.homeAddress === '0.0.0.0') assert.equal(reply.homeAddress, homeAddress);
  }
});

test('HomeAgent: a request to a broadcast address learns the unicast one (136), a UDP Tunnel Request behind the authentication is 134', () => {
  const bench = new Bench();
  bench.receive(encodeMessage(bench.request(), association), umts, { address: '10.0.0.255', port: 434 });
  assert.equal(bench.lastReply().code, 136);
  const octets = encodeMessage(bench.request(), association);
  bench.receive(Buffer.concat([octets, Buffer.from('9006000080040000', 'hex')]));
  assert.equal(bench.lastReply().code, 134);
});

test('HomeAgent: a poorly formed extension inside what is authenticated is 134', () => {
  const bench = new Bench();
  assert.equal(bench.register({ extensions: [tunnelRequest, multipath(0)] }).code, 134);
  assert.equal(
    bench.register({ extensions: [tunnelRequest, multipath(1, { bulk: true, overwrite: true })] }).code,
    134,
  );
});

test('HomeAgent: a mobile node that may have one care-of address only is told so (152)', () => {
  const bench = new Bench();
  const request = bench.request({ ...ofPath(1, umts), homeAddress: '10.0.0.51' });
  bench.receive(encodeMessage(request, { ...association, spi: 300 }));
  assert.equal(bench.lastReply().code, 152);
});

test('HomeAgent: lifetimes are cut to the policy, behind address translation to 60 s, and never lengthened', () => {
  const bench = new Bench({ maximumLifetimeSeconds: 600 });
  assert.equal(bench.register({ lifetimeSeconds: 65_535 }).lifetimeSeconds, 600);
  assert.equal(bench.register({ lifetimeSeconds: 20 }).lifetimeSeconds, 20);
  assert.equal(bench.register({ lifetimeSeconds: 300 }, nat).lifetimeSeconds, 60);
});

test('HomeAgent: behind address translation the tunnel leads to where the request came from', () => {
  const bench = new Bench();
  const reply = bench.register({}, nat);
  assert.deepEqual(bench.tunnel()?.endpoints[0]?.remote, nat);
  // Not forced: it was needed.
  assert.equal(reply.extensions.find(({ kind }) => kind === 'udp-tunnel-reply')?.kind, 'udp-tunnel-reply');
  assert.equal(JSON.stringify(reply.extensions).includes('"forced":false'), true);
  const moved = { ...nat, port: 62_000 };
  bench.register({}, moved);
  assert.deepEqual(bench.tunnel()?.endpoints[0]?.remote, moved);
});

test('HomeAgent: the SIP function is told whether others can send to the care-of address, also when only that has changed', () => {
  const bench = new Bench();
  const told = () =>
    bench.events.flatMap((event) =>
      event.type === 'binding-changed' ? [[event.careOfAddress, event.isBehindNat]] : [],
    );
  const own = () => addressesOf(bench.agent.record(homeAddress));
  bench.register({}, nat);
  assert.deepEqual(own(), [homeAddress], 'others are behind the same translator');
  bench.register({});
  assert.deepEqual(own(), [homeAddress, umts.address]);
  assert.deepEqual(told(), [
    [umts.address, true],
    [umts.address, false],
  ]);
});

test('HomeAgent: nobody without a key gets an answer, and a wrong authenticator is answered with 131', () => {
  const bench = new Bench();
  const silent = [
    encodeMessage(bench.request()),
    encodeMessage(bench.request({ homeAddress: '10.0.0.77' }), association),
    Buffer.concat([encodeMessage(bench.request(), association), Buffer.from('22080000010001020304', 'hex')]),
    Uint8Array.of(1, 2, 3),
    Buffer.concat([encodeMessage(bench.request()), Buffer.from('7f00', 'hex')]),
  ];
  for (const payload of silent) bench.receive(payload);
  assert.equal(bench.sent.length, 0);
  bench.receive(encodeMessage(bench.request(), { ...association, key: Buffer.alloc(16, 8) }));
  assert.equal(bench.lastReply().code, 131);
  bench.receive(encodeMessage(bench.request(), { ...association, spi: 999 }));
  assert.equal(bench.lastReply().code, 131);
  assert.equal(bench.agent.bindings, 0);
  assert.deepEqual(Object.fromEntries(bench.agent.refusals), {
    'not-authenticated': 2,
    'unknown-mobile-node': 1,
    malformed: 2,
    'bad-authenticator': 2,
  });
});

test('HomeAgent: refusals of one kind are told once a minute, with how many there were', () => {
  const bench = new Bench();
  const forged = (): Uint8Array => encodeMessage(bench.request(), { ...association, key: Buffer.alloc(16) });
  for (let i = 0; i < 50; i++) bench.receive(forged());
  bench.advance(60_001);
  bench.receive(forged());
  const told = bench.events.filter((event) => event.type === 'request-refused');
  assert.deepEqual(
    told.map(({ reason, count, source }) => [reason, count, source]),
    [
      ['bad-authenticator', 1, '192.0.2.10:434'],
      ['bad-authenticator', 50, '192.0.2.10:434'],
    ],
  );
});

test('HomeAgent: a clock that is wrong is answered with 133 and the own time', () => {
  const bench = new Bench();
  const identification = ntpTimestamp(timeOfDayOffsetMs - 20_000);
  const reply = bench.register({ identification });
  assert.equal(reply.code, 133);
  assert.equal(lowerHalf(reply.identification), lowerHalf(identification));
  assert.equal(upperHalf(reply.identification), upperHalf(ntpTimestamp(timeOfDayOffsetMs)));
  assert.equal(bench.refused('outside-tolerance'), 1);
});

test('HomeAgent: a replayed or overtaken request changes nothing, whoever sends it', () => {
  const bench = new Bench();
  const [first, second] = [bench.request(), bench.request({ careOfAddress: wlan.address })].map((request) =>
    encodeMessage(request, association),
  ) as [Uint8Array, Uint8Array];
  bench.receive(first);
  bench.receive(second, wlan);
  const state = JSON.stringify(bench.tunnel());
  bench.receive(first);
  assert.equal(bench.lastReply().code, 133);
  const attacker = { address: '203.0.113.66', port: 5000 };
  bench.receive(second, attacker);
  assert.equal(bench.lastReply().code, 133);
  assert.equal(bench.refused('replayed'), 2);
  assert.equal(JSON.stringify(bench.tunnel()), state);
  assert.deepEqual(
    bench.agent.record(homeAddress).bindings.map(({ remote }) => remote),
    [wlan],
  );
});

test('HomeAgent: a request that the network doubled is answered as before and extends nothing', () => {
  const bench = new Bench();
  const payload = encodeMessage(bench.request({ lifetimeSeconds: 20 }), association);
  bench.receive(payload);
  bench.advance(5000);
  bench.receive(payload);
  assert.equal(bench.lastReply().code, 0);
  assert.equal(bench.lastReply().lifetimeSeconds, 20);
  bench.advance(20_000);
  assert.equal(bench.agent.bindings, 0);
  const deregistration = encodeMessage(bench.request({ lifetimeSeconds: 0 }), association);
  bench.receive(deregistration);
  bench.receive(deregistration);
  assert.equal(bench.lastReply().code, 0);
});

test('HomeAgent: requests over four accesses that overtake each other are all accepted', () => {
  const bench = new Bench();
  const payloads = [1, 2, 3, 4].map((id) =>
    encodeMessage(bench.request(ofPath(id, { address: `192.0.2.${id}`, port: 434 })), association),
  );
  for (const [index, payload] of [...payloads.entries()].reverse())
    bench.receive(payload, { address: `192.0.2.${index + 1}`, port: 434 });
  assert.equal(bench.agent.bindings, 4);
  assert.equal(bench.agent.refusals.size, 0);
});

test('HomeAgent: a binding that runs out is gone without a message', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  bench.register({ ...ofPath(2, wlan), lifetimeSeconds: 10 }, wlan);
  const sent = bench.sent.length;
  bench.advance(10_000);
  assert.deepEqual(bench.forwarding(), [umts.address]);
  bench.advance(300_000);
  assert.equal(bench.agent.bindings, 0);
  assert.equal(bench.sent.length, sent);
  assert.deepEqual(bench.effects.at(-1), { type: 'proxy-arp', homeAddress, enabled: false });
  assert.equal(bench.agent.pollTimeout(), undefined);
});

test('HomeAgent: answers the echo in the tunnel where it came from; anything else in the tunnel is refused', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  bench.register(ofPath(2, wlan), wlan);
  const echo: TunnelledEcho = {
    isReply: false,
    source: homeAddress,
    destination: agent.address,
    identifier: 7,
    sequenceNumber: 9,
  };
  bench.receive(encodeTunnelledEcho(echo, 'rfc3519'), umts);
  const { remote, payload } = bench.sent.at(-1)!;
  assert.equal(remote, '192.0.2.10:434', 'although the other path forwards');
  assert.deepEqual(
    payload,
    encodeTunnelledEcho(
      { ...echo, isReply: true, source: agent.address, destination: homeAddress },
      'rfc3519',
    ),
  );
  const sent = bench.sent.length;
  bench.receive(encodeTunnelledEcho(echo, 'rfc3519'), { ...umts, port: 9999 });
  bench.receive(encodeTunnelledEcho({ ...echo, source: '10.0.0.51' }, 'rfc3519'), umts);
  bench.receive(encodeTunnelledEcho({ ...echo, destination: '10.0.0.2' }, 'rfc3519'), umts);
  bench.receive(encodeTunnelledEcho({ ...echo, isReply: true }, 'rfc3519'), umts);
  bench.receive(encodeTunnelledEcho(echo, 'plain'), umts);
  assert.equal(bench.sent.length, sent);
  assert.equal(bench.refused('spoofed-tunnel-packet'), 5);
});

test('HomeAgent: revokes, again until it is acknowledged, and only who understands it', () => {
  const bench = new Bench();
  const support: Extension = { kind: 'revocation-support', informs: true, timestamp: 1 };
  const reply = bench.register(ofPath(1, umts, support));
  assert.equal(
    reply.extensions.some(({ kind }) => kind === 'revocation-support'),
    true,
  );
  bench.register(ofPath(2, wlan), wlan);
  const sent = bench.sent.length;
  bench.agent.handleInput({ kind: 'revoke', homeAddress }, bench.now);
  bench.drain();
  assert.equal(bench.agent.bindings, 0);
  bench.advance(3500);
  const messages = bench.sent
    .slice(sent)
    .map(({ payload }) => (decodeMessage(payload) as { message: MobileIpMessage }).message);
  assert.equal(messages.length, 3);
  const [, , last] = messages;
  assert.ok(last?.kind === 'registration-revocation');
  assert.equal(last.byHomeAgent && last.informs && last.foreignDomainAddress === umts.address, true);
  const acknowledgment: MobileIpMessage = {
    kind: 'revocation-acknowledgment',
    informs: true,
    homeAddress,
    revocationIdentifier: last.revocationIdentifier,
    extensions: [],
  };
  bench.receive(encodeMessage({ ...acknowledgment, revocationIdentifier: 5 }, association));
  bench.receive(encodeMessage(acknowledgment));
  assert.equal(bench.refused('replayed'), 1);
  assert.equal(bench.refused('not-authenticated'), 1);
  bench.receive(encodeMessage(acknowledgment, association));
  assert.deepEqual(bench.events.at(-1), {
    type: 'revocation-acknowledged',
    homeAddress,
    careOfAddress: umts.address,
  });
  bench.advance(60_000);
  assert.equal(bench.sent.length, sent + 3);
});

test('HomeAgent: revocation gives up after four messages, and stops when the mobile node registers again', () => {
  const support: Extension = { kind: 'revocation-support', informs: false, timestamp: 1 };
  const bench = new Bench();
  bench.register({ extensions: [tunnelRequest, support] });
  bench.agent.handleInput({ kind: 'revoke', homeAddress, careOfAddress: umts.address }, bench.now);
  bench.drain();
  bench.advance(60_000);
  assert.equal(bench.sent.length, 1 + 4);
  assert.equal(bench.register({ extensions: [tunnelRequest, support] }).code, 0);
  bench.agent.handleInput({ kind: 'revoke', homeAddress, careOfAddress: umts.address }, bench.now);
  bench.drain();
  bench.register({ extensions: [tunnelRequest, support] });
  const sent = bench.sent.length;
  bench.advance(120_000);
  assert.equal(bench.sent.length, sent);
});

test('HomeAgent: a restart from the journal has every confirmed binding, its replay protection and its deadlines', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  const replayed = encodeMessage(bench.request(ofPath(2, wlan, forwardOver(2))), association);
  bench.receive(replayed, wlan);
  const torn = `${bench.journal.at(-1)}`.slice(0, -7);
  for (const journal of [bench.journal, [...bench.journal, torn], bench.agent.journalSnapshot()]) {
    // The clock of another boot.
    const again = new Bench({ journal, timeOfDayOffsetMs: timeOfDayOffsetMs - 5_000_000 }, 5_000_100);
    assert.deepEqual(again.tunnel(), bench.tunnel());
    assert.deepEqual(
      again.events.map(({ type }) => type),
      ['binding-changed'],
    );
    again.receive(replayed, nat);
    assert.equal(again.refused('replayed'), 1);
    again.advance(5_000_000 + 299_999);
    assert.equal(again.agent.bindings, 2);
    again.advance(5_000_000 + 300_000);
    assert.equal(again.agent.bindings, 0);
  }
});

test('HomeAgent: a damaged line inside the journal is told, a mobile node that is no longer served is forgotten', () => {
  const bench = new Bench();
  bench.register();
  const again = new Bench({ journal: ['{"homeAddress":', ...bench.journal], mobileNodes: [] });
  assert.deepEqual(again.events, [{ type: 'journal-damaged', line: 1 }]);
  assert.equal(again.agent.bindings, 0);
});

test('HomeAgent: a correspondent routes its own packets into the tunnel and says nothing on its link', () => {
  const bench = new Bench({ role: 'correspondent' });
  bench.register(ofPath(1, umts));
  bench.register({ ...ofPath(1, umts), lifetimeSeconds: 0 }, { address: homeAddress, port: 434 });
  bench.advance(10_000);
  assert.deepEqual(
    bench.effects.map(({ type }) => type),
    ['journal', 'tunnel', 'journal', 'tunnel'],
  );
});

test('HomeAgent: whatever octets arrive, nothing is thrown and nothing changes', () => {
  const bench = new Bench();
  bench.register(ofPath(1, umts));
  const tunnel = JSON.stringify(bench.tunnel());
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(1, 3, 4, 7, 15, 0x45), (octets, type) => {
      bench.receive(Uint8Array.from([type, ...octets]));
      bench.receive(octets);
    }),
    { seed: 6, numRuns: 1000 },
  );
  assert.equal(JSON.stringify(bench.tunnel()), tunnel);
  assert.equal(bench.agent.bindings, 1);
});

test('HomeAgent: 10,000 mobile nodes register, renew and run out', () => {
  const mobileNodes = Array.from({ length: 10_000 }, (_, index) => ({
    homeAddress: `10.1.${index >> 8}.${index & 255}`,
    securityAssociations: [association],
  }));
  const bench = new Bench({ mobileNodes });
  for (const { homeAddress: address } of mobileNodes)
    bench.register({ homeAddress: address, lifetimeSeconds: 60 });
  assert.equal(bench.agent.bindings, 10_000);
  bench.advance(30_000);
  for (const { homeAddress: address } of mobileNodes.slice(0, 5000))
    bench.register({ homeAddress: address, lifetimeSeconds: 60 });
  bench.advance(60_000);
  assert.equal(bench.agent.bindings, 5000);
  bench.advance(90_000);
  assert.equal(bench.agent.bindings, 0);
});
