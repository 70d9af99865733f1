/** Nobody but the mobile node says where a correspondent sends its packets, and nobody speaks in its name through the tunnel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { perfectLink } from '../../src/access-network/link-characteristics.ts';
import type { TransportAddress } from '../../src/base/network.ts';
import type { RefusalReason } from '../../src/home-network/home-agent/home-agent-options.ts';
import type { SecurityAssociation } from '../../src/protocols/mobile-ip/authentication.ts';
import type { Extension } from '../../src/protocols/mobile-ip/extension.ts';
import { encodeMessage } from '../../src/protocols/mobile-ip/message.ts';
import { ntpTimestamp } from '../../src/protocols/mobile-ip/timestamp.ts';
import { tunnelDataHeader } from '../../src/protocols/mobile-ip/tunnel-data.ts';
import { VirtualNetwork } from '../../src/sim/virtual-network.ts';
import type { VirtualPacket } from '../../src/sim/virtual-packet.ts';
import { CorrespondentEnd } from './correspondent-end.ts';

const timeOfDayOffsetMs = 1_790_000_000_000;
const correspondent = { address: '203.0.113.2', port: 434 };
const careOf = { address: '10.1.0.2', port: 434 };
const forger = { address: '192.0.2.66', port: 434 };
const [bob, mallory] = [
  {
    homeAddress: '198.51.100.10',
    networkAccessIdentifier: 'bob@home.test',
    securityAssociations: [keyOf(1)],
  },
  { homeAddress: '198.51.100.66', networkAccessIdentifier: 'm@home.test', securityAssociations: [keyOf(2)] },
];
const link = { uplink: perfectLink, downlink: perfectLink };

test('correspondent: forged, replayed and foreign registrations change nothing, and each is told and counted', () => {
  const all = bench();
  const genuine = request(bob.homeAddress, careOf.address, keyOf(1), 0);
  all.send(careOf, genuine);
  const bound = all.bindings();
  assert.deepEqual(bound, ['10.1.0.2 at 10.1.0.2']);
  all.network.simulation.runFor(1000);
  const identity: Extension = { kind: 'network-access-identifier', identifier: 'm@home.test' };
  const attempts: readonly (readonly [Uint8Array, RefusalReason])[] = [
    [genuine, 'replayed'],
    [
      request(bob.homeAddress, forger.address, { ...keyOf(1), key: Buffer.alloc(32, 9) }, 1000),
      'bad-authenticator',
    ],
    [request(bob.homeAddress, forger.address, keyOf(2), 1000), 'bad-authenticator'],
    [request(bob.homeAddress, forger.address, keyOf(2), 1000, [identity]), 'denied'],
    [request('198.51.100.12', forger.address, keyOf(2), 1000), 'unknown-mobile-node'],
    [request(bob.homeAddress, forger.address, keyOf(1), -10_000), 'outside-tolerance'],
  ];
  for (const [payload, reason] of attempts) {
    const before = all.end.agent.refusals.get(reason) ?? 0;
    all.send(forger, payload);
    assert.equal(all.end.agent.refusals.get(reason), before + 1, reason);
    assert.deepEqual(all.bindings(), bound, reason);
    assert.ok(all.end.events.some((event) => event.type === 'request-refused' && event.reason === reason));
  }
});

test('correspondent: takes from the tunnel what comes from the bound care-of address, bears the home address and is for itself', () => {
  const all = bench();
  all.send(careOf, request(bob.homeAddress, careOf.address, keyOf(1), 0));
  const inner = packet(bob.homeAddress, correspondent.address);
  assert.deepEqual(all.end.tunnel.decapsulate(inTunnel(careOf, inner)), inner);
  for (const spoofed of [
    inTunnel(forger, inner),
    inTunnel({ ...careOf, port: 435 }, inner),
    inTunnel(careOf, packet(mallory.homeAddress, correspondent.address)),
    inTunnel(careOf, packet('192.0.2.1', correspondent.address)),
    // No relay to others behind its back.
    inTunnel(careOf, packet(bob.homeAddress, '203.0.113.3')),
  ])
    assert.equal(all.end.tunnel.decapsulate(spoofed), undefined);
  assert.equal(
    [...all.end.tunnel.refused.values()].reduce((sum, count) => sum + count),
    5,
  );
});

test('correspondent: sends its own packets through the tunnel, and no others', () => {
  const all = bench();
  all.send(careOf, request(bob.homeAddress, careOf.address, keyOf(1), 0));
  const { tunnel } = all.end;
  const [outer] = tunnel.encapsulate(packet(correspondent.address, bob.homeAddress)) ?? [];
  assert.equal(outer?.destination, careOf.address);
  assert.equal(tunnel.encapsulate(packet('203.0.113.9', bob.homeAddress)), undefined, 'on its usual route');
  assert.equal(tunnel.encapsulate(packet(correspondent.address, mallory.homeAddress)), undefined);
  all.network.simulation.runFor(60_000);
  assert.equal(tunnel.encapsulate(packet(correspondent.address, bob.homeAddress)), undefined, 'it ran out');
});

function keyOf(number: number): SecurityAssociation {
  return { spi: 512, algorithm: 'hmac-sha256', key: Buffer.alloc(32, number) };
}

function bench() {
  const network = new VirtualNetwork(1);
  const host = network.addHost('cn');
  host.addAddress(correspondent.address, host.attach('eth0', link));
  const end = new CorrespondentEnd(host, {
    address: correspondent.address,
    mobileNodes: [bob, mallory],
    timeOfDayOffsetMs,
  });
  network.simulation.runFor(1);
  const send = (source: TransportAddress, payload: Uint8Array): void => {
    const ends = { source: source.address, sourcePort: source.port };
    const to = { destination: correspondent.address, destinationPort: correspondent.port };
    network.forward({ ...ends, ...to, content: { protocol: 'udp', payload } });
    network.simulation.runFor(10);
  };
  const bindings = (): string[] =>
    end.agent
      .record(bob.homeAddress)
      .bindings.map(({ careOfAddress, remote }) => `${careOfAddress} at ${remote.address}`);
  return { network, end, send, bindings };
}

function request(
  homeAddress: string,
  careOfAddress: string,
  association: SecurityAssociation,
  ageMs: number,
  extensions: readonly Extension[] = [],
): Uint8Array {
  return encodeMessage(
    {
      kind: 'registration-request',
      simultaneousBindings: false,
      broadcasts: false,
      decapsulationByMobileNode: true,
      minimalEncapsulation: false,
      genericRoutingEncapsulation: false,
      reverseTunnel: true,
      lifetimeSeconds: 60,
      homeAddress,
      homeAgent: correspondent.address,
      careOfAddress,
      identification: ntpTimestamp(timeOfDayOffsetMs + ageMs),
      extensions: [
        ...extensions,
        { kind: 'udp-tunnel-request', forced: true, throughForeignAgent: false, encapsulation: 4 },
      ],
    },
    association,
  );
}

function packet(source: string, destination: string): VirtualPacket {
  const content = { protocol: 'udp', payload: new Uint8Array(20) } as const;
  return { source, sourcePort: 5000, destination, destinationPort: 6000, content };
}

function inTunnel(from: TransportAddress, tunnelled: VirtualPacket): VirtualPacket {
  return {
    source: from.address,
    sourcePort: from.port,
    destination: correspondent.address,
    destinationPort: correspondent.port,
    content: { protocol: 'udp', payload: tunnelDataHeader, tunnelled },
  };
}
