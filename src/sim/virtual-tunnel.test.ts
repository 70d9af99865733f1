/** The tunnel end and the access router of virtual time, by themselves and on hosts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { perfectLink } from '../access-network/link-characteristics.ts';
import type { TunnelBinding, TunnelEndpoint } from '../protocols/mobile-ip/tunnel-state.ts';
import { VirtualAccessRouter } from './virtual-access-router.ts';
import type { VirtualLink } from './virtual-link.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { octetsOf, type VirtualPacket } from './virtual-packet.ts';
import { VirtualTunnel } from './virtual-tunnel.ts';

const homeAddress = '10.0.0.50';
const homeAgent = { address: '10.0.0.1', port: 434 };
const wlan = { address: '192.0.2.7', port: 434 };
const umts = { address: '198.51.100.7', port: 434 };
const correspondent = '203.0.113.9';

test('VirtualTunnel: a packet gets 32 octets by RFC 3519 and 28 as in Table 1 of the MIP-SIP paper', () => {
  for (const [encapsulation, octets] of [
    ['rfc3519', 32],
    ['plain', 28],
  ] as const) {
    const tunnel = new VirtualTunnel('mobile-node');
    tunnel.apply({ kind: 'bind', binding: bindingOf('mobile-node', encapsulation) });
    const [outer] = tunnel.encapsulate(datagram(homeAddress, correspondent)) ?? [];
    assert.equal(outer && octetsOf(outer), octetsOf(datagram(homeAddress, correspondent)) + octets);
  }
});

test('VirtualTunnel: packets take the endpoint of the first rule that fits, whichever end sends', () => {
  for (const placement of ['mobile-node', 'home-agent'] as const) {
    const tunnel = new VirtualTunnel(placement);
    tunnel.apply({ kind: 'bind', binding: bindingOf(placement) });
    const [from, to] =
      placement === 'mobile-node' ? [homeAddress, correspondent] : [correspondent, homeAddress];
    const usual = tunnel.encapsulate(datagram(from, to)) ?? [];
    const voice = tunnel.encapsulate({ ...datagram(from, to), sourcePort: 40_000, destinationPort: 40_000 });
    const far = (packet: VirtualPacket) => (placement === 'mobile-node' ? packet.source : packet.destination);
    assert.deepEqual(
      [usual, voice ?? []].map(([outer]) => outer && far(outer)),
      [umts.address, wlan.address],
    );
  }
});

test('VirtualTunnel: only an endpoint of the binding may send for a home address; others are counted', () => {
  const agent = new VirtualTunnel('home-agent');
  const [mobile, forger] = [new VirtualTunnel('mobile-node'), new VirtualTunnel('mobile-node')];
  agent.apply({ kind: 'bind', binding: bindingOf('home-agent') });
  mobile.apply({ kind: 'bind', binding: bindingOf('mobile-node') });
  const [outer] = mobile.encapsulate(datagram(homeAddress, correspondent)) ?? [];
  assert.deepEqual(outer && agent.decapsulate(outer), datagram(homeAddress, correspondent));
  const foreign = { ...umts, address: '198.51.100.66' };
  const binding = bindingOf('mobile-node');
  const rules = [{ selector: {}, endpoints: [{ ...binding.endpoints[0]!, local: foreign }] }];
  forger.apply({ kind: 'bind', binding: { ...binding, rules } });
  const [forged] = forger.encapsulate(datagram(homeAddress, correspondent)) ?? [];
  assert.equal(forged && agent.decapsulate(forged), undefined);
  assert.deepEqual([...agent.refused], [['198.51.100.66:434', 1]]);
});

test('VirtualTunnel: from the end of a correspondent only its own packets are accepted', () => {
  const mobile = new VirtualTunnel('mobile-node');
  const direct = {
    local: umts,
    remote: { address: correspondent, port: 434 },
    encapsulation: 'rfc3519',
  } as const;
  const endpoints = [{ ...direct, correspondentAddress: correspondent }];
  mobile.apply({ kind: 'bind', binding: { ...bindingOf('mobile-node'), endpoints } });
  const outer = (tunnelled: VirtualPacket): VirtualPacket => ({
    source: correspondent,
    sourcePort: 434,
    destination: umts.address,
    destinationPort: umts.port,
    content: { protocol: 'udp', payload: new Uint8Array(4), tunnelled },
  });
  const genuine = datagram(correspondent, homeAddress);
  assert.deepEqual(mobile.decapsulate(outer(genuine)), genuine);
  assert.equal(mobile.decapsulate(outer(datagram('203.0.113.10', homeAddress))), undefined);
  assert.deepEqual([...mobile.refused], [[`${correspondent}:434`, 1]]);
});

test('VirtualHost: a stream to the home address goes by way of the home agent and finds back', () => {
  const network = new VirtualNetwork(1);
  const host = (name: string, address: string): [ReturnType<VirtualNetwork['addHost']>, VirtualLink] => {
    const one = network.addHost(name);
    const link = one.attach('eth0', { uplink: perfectLink, downlink: perfectLink });
    one.addAddress(address, link);
    return [one, link];
  };
  const [mobile] = host('mn', umts.address);
  const [agent, homeLink] = host('ha', homeAgent.address);
  const [peer] = host('cn', correspondent);
  mobile.addAddress(homeAddress);
  network.route(homeAddress, homeLink);
  mobile.openTunnel('mobile-node').apply({ kind: 'bind', binding: bindingOf('mobile-node') });
  agent.openTunnel('home-agent').apply({ kind: 'bind', binding: bindingOf('home-agent') });
  const heard: string[] = [];
  const listener = {
    handleInput: (input: { kind: string; remote?: { address: string } }) =>
      void heard.push(`${input.kind} ${input.remote?.address ?? ''}`),
    handleTimeout: () => {},
    pollTimeout: () => undefined,
  };
  const outputs = (list: object[]) => ({ ...listener, pollOutput: () => list.shift() as never });
  const local = { address: correspondent, port: 22 };
  peer.run({ machine: outputs([{ kind: 'listen', transport: 'tcp', local }]) as never }).perform(() => {});
  const connect = {
    kind: 'connect',
    connection: 'o1',
    remote: local,
    local: { address: homeAddress, port: 0 },
  };
  mobile.run({ machine: outputs([connect]) as never }).perform(() => {});
  network.simulation.runFor(10);
  assert.deepEqual(heard.toSorted(), [`connection-accepted ${homeAddress}`, 'connection-established ']);
});

test('VirtualAccessRouter: translates what leaves, lets answers in and nothing else, and keeps flows apart', () => {
  const router = new VirtualAccessRouter({ natAddress: '192.0.2.1' });
  const first = router.outbound(datagram('10.0.0.2', correspondent));
  const second = router.outbound(datagram('10.0.0.3', correspondent));
  assert.deepEqual([first?.source, first?.sourcePort], ['192.0.2.1', 5000]);
  assert.deepEqual([second?.source, second?.sourcePort], ['192.0.2.1', 5001]);
  const answer = { ...datagram(correspondent, '192.0.2.1'), sourcePort: 6000, destinationPort: 5001 };
  assert.deepEqual(router.inbound(answer)?.destination, '10.0.0.3');
  assert.deepEqual(router.inbound(answer)?.destinationPort, 5000);
  assert.equal(router.inbound({ ...answer, source: '203.0.113.66' }), undefined);
});

test('VirtualAccessRouter: strict filtering lets only the address of the link out', () => {
  const router = new VirtualAccessRouter({ strictSource: '10.0.0.2' });
  assert.notEqual(router.outbound(datagram('10.0.0.2', correspondent)), undefined);
  assert.equal(router.outbound(datagram(homeAddress, correspondent)), undefined);
  assert.equal(router.filtered, 1);
});

function datagram(source: string, destination: string): VirtualPacket {
  const content = { protocol: 'udp', payload: new Uint8Array(100) } as const;
  return { source, sourcePort: 5000, destination, destinationPort: 6000, content };
}

/** Over UMTS; what both ends send from port 40000, such as voice, over the WLAN. */
function bindingOf(
  placement: 'mobile-node' | 'home-agent',
  encapsulation: TunnelEndpoint['encapsulation'] = 'rfc3519',
): TunnelBinding {
  const endpointOf = (access: typeof wlan): TunnelEndpoint =>
    placement === 'mobile-node'
      ? { local: access, remote: homeAgent, encapsulation }
      : { local: homeAgent, remote: access, encapsulation };
  return {
    homeAddress,
    homeAgent: homeAgent.address,
    endpoints: [endpointOf(umts), endpointOf(wlan)],
    rules: [
      { selector: { homePorts: [40_000, 40_000] }, endpoints: [endpointOf(wlan)] },
      { selector: {}, endpoints: [endpointOf(umts)] },
    ],
  };
}
