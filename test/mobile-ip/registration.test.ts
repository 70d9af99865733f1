/** Client and home agent of Mobile IP with each other, in virtual time over access links of every kind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import type { HomeAgentOptions } from '../../src/home-network/home-agent/home-agent-options.ts';
import type { MobileIpClientOptions } from '../../src/mobile-node/mobile-ip-client/mobile-ip-client-options.ts';
import type { SecurityAssociation } from '../../src/protocols/mobile-ip/authentication.ts';
import {
  type AgentEnd,
  type MobileNodeEnd,
  RegistrationNetwork,
  timeOfDayOffsetMs,
} from './registration-network.ts';

const homeAgent = { address: '10.0.0.1', port: 434 };
const association: SecurityAssociation = { spi: 256, algorithm: 'hmac-sha256', key: Buffer.alloc(32, 9) };
const names = ['umts', 'wlan', 'wimax', 'cdma'] as const;
const addresses: Readonly<Record<string, string>> = {
  umts: '192.0.2.10',
  wlan: '198.51.100.7',
  wimax: '203.0.113.9',
  cdma: '100.64.0.4',
};
/** Round trips of the paper's four networks, in rough numbers. */
const delays: Readonly<Record<string, number>> = { umts: 150, wlan: 5, wimax: 40, cdma: 220 };

function agentOptions(extra: Partial<HomeAgentOptions> = {}): HomeAgentOptions {
  return {
    address: homeAgent.address,
    mobileNodes: [
      { homeAddress: '10.0.0.50', securityAssociations: [association] },
      { homeAddress: '10.0.0.51', securityAssociations: [association] },
    ],
    timeOfDayOffsetMs,
    ...extra,
  };
}

const oneBinding: Partial<HomeAgentOptions> = {
  mobileNodes: [{ homeAddress: '10.0.0.50', securityAssociations: [association], isMultipathAllowed: false }],
};

function clientOptions(extra: Partial<MobileIpClientOptions> = {}): MobileIpClientOptions {
  return {
    homeAddress: '10.0.0.50',
    homeAgent,
    securityAssociation: association,
    accesses: names.map((name, index) => ({ name, index: index + 1 })),
    timeOfDayOffsetMs,
    random: new SeededRandomSource(4),
    ...extra,
  };
}

interface Lab {
  readonly network: RegistrationNetwork;
  readonly agent: AgentEnd;
  readonly mobileNode: MobileNodeEnd;
}

function lab(
  client: Partial<MobileIpClientOptions> = {},
  agent: Partial<HomeAgentOptions> = {},
  seed = 1,
): Lab {
  const network = new RegistrationNetwork(seed);
  for (const name of names) network.setPath(addresses[name]!, { delayMs: delays[name]! });
  return {
    network,
    agent: network.addAgent(agentOptions(agent)),
    mobileNode: network.addMobileNode(clientOptions(client)),
  };
}

function attach({ network, mobileNode }: Lab, ...accesses: readonly string[]): void {
  for (const access of accesses) mobileNode.client.attach(access, addresses[access]!, network.now);
  network.settle();
}

function forwardOver({ network, mobileNode }: Lab, access: string): void {
  mobileNode.client.forwardOver(access, network.now);
  network.settle();
}

function downlink({ agent }: Lab): string | undefined {
  return agent.tunnels.get('10.0.0.50')?.rules.at(0)?.endpoints.at(0)?.remote.address;
}

function uplink({ mobileNode }: Lab): string | undefined {
  return mobileNode.tunnel?.rules.at(0)?.endpoints.at(0)?.local.address;
}

test('MobileIpClient: registers four accesses at once, although their requests overtake each other', () => {
  const all = lab();
  attach(all, ...names);
  all.network.run(5000);
  assert.equal(all.agent.agent.bindings, 4);
  assert.deepEqual(all.agent.agent.refusals, new Map());
  for (const name of names) assert.equal(all.mobileNode.client.isBound(name), true);
  assert.equal(uplink(all), addresses['umts']);
  assert.equal(downlink(all), addresses['umts'], 'the agent has the order of the mobile node');
  const samples = all.mobileNode.eventsOf('round-trip-measured').slice(0, 4);
  for (const { access, rttMs } of samples) assert.equal(rttMs, 2 * delays[access]!);
});

test('MobileIpClient: a soft handover between accesses that are both up loses no packet, in either direction', () => {
  const all = lab();
  attach(all, ...names);
  all.network.run(5000);
  let number = 0;
  const traffic = (until: number): void => {
    while (all.network.now < until) {
      all.network.sendToHomeAddress(all.agent, '10.0.0.50', number);
      all.network.sendFromHomeAddress(all.mobileNode, number);
      number += 1;
      all.network.run(all.network.now + 10);
    }
  };
  for (let handover = 0; handover < 50; handover++) {
    forwardOver(all, names[(handover + 1) % 4]!);
    traffic(all.network.now + 2000);
    assert.equal(uplink(all), addresses[names[(handover + 1) % 4]!]);
    assert.equal(downlink(all), uplink(all));
  }
  all.network.run(all.network.now + 1000);
  const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
  const everyNumber = Array.from({ length: number }, (_, index) => index);
  assert.deepEqual(sorted(all.mobileNode.received), everyNumber);
  assert.deepEqual(sorted(all.agent.received), everyNumber);
  const confirmed = all.mobileNode.eventsOf('forwarding-confirmed').slice(-50);
  // One round trip, but for the rule of one request per second and access.
  for (const { access, durationMs } of confirmed)
    assert.ok(durationMs <= 1000 + 2 * delays[access]!, `${access} ${durationMs}`);
});

test('MobileIpClient: an access that dies is left at once, and its binding is taken back over another', () => {
  const all = lab();
  attach(all, ...names);
  all.network.run(5000);
  all.network.setPath(addresses['umts']!, undefined);
  all.mobileNode.client.detach('umts', all.network.now);
  all.network.settle();
  assert.equal(uplink(all), addresses['wlan']);
  all.network.run(5100);
  assert.equal(downlink(all), addresses['wlan']);
  assert.equal(all.agent.agent.bindings, 3);
  assert.deepEqual(all.mobileNode.eventsOf('binding-lost'), [
    { type: 'binding-lost', access: 'umts', reason: 'detached' },
  ]);
});

test('MobileIpClient: whichever accesses die in whichever order, the last one carries everything', () => {
  const orders = names.slice(1).flatMap((a) =>
    names
      .slice(1)
      .filter((b) => b !== a)
      .map((b) => [a, b]),
  );
  assert.equal(orders.length, 6);
  for (const order of orders) {
    const all = lab();
    attach(all, ...names);
    all.network.run(5000);
    for (const access of ['umts', ...order]) {
      all.network.setPath(addresses[access]!, undefined);
      all.mobileNode.client.detach(access, all.network.now);
      all.network.run(all.network.now + 3000);
    }
    const left = names.slice(1).find((name) => !order.includes(name))!;
    assert.equal(uplink(all), addresses[left]);
    assert.equal(downlink(all), addresses[left]);
    assert.equal(all.agent.agent.bindings, 1);
  }
});

test('MobileIpClient: requests are never closer than a second per access, and back off without an agent', () => {
  const all = lab();
  all.agent.isUp = false;
  attach(all, 'umts');
  all.network.run(130_000);
  const gaps = sendTimes(all)
    .map((at, index, every) => at - (every[index - 1] ?? at))
    .slice(1);
  assert.deepEqual(gaps, [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]);
  assert.deepEqual(all.mobileNode.eventsOf('home-agent-unreachable'), [
    { type: 'home-agent-unreachable', access: 'umts' },
  ]);
  all.agent.isUp = true;
  all.network.run(300_000);
  assert.equal(all.agent.agent.bindings, 1);
});

test('MobileIpClient: the first retransmission waits for two round trips and 100 ms', () => {
  const all = lab();
  all.network.setPath(addresses['cdma']!, { delayMs: 700 });
  attach(all, 'cdma');
  all.network.run(20_000);
  // The first was given up after a second, before its reply was there; the second waits for 2 s.
  assert.equal(all.agent.agent.bindings, 1);
  assert.equal(all.mobileNode.client.isBound('cdma'), true);
  const times = sendTimes(all);
  assert.deepEqual(times.slice(0, 2), [0, 1000]);
  all.agent.isUp = false;
  all.network.run(times[1]! + 150_000 + 2901);
  assert.equal(sendTimes(all).at(-1)! - sendTimes(all).at(-2)!, 2 * 1400 + 100);
});

test('MobileIpClient: renews at half of the lifetime that is granted, and loses what runs out', () => {
  const all = lab({ lifetimeSeconds: 100 }, { maximumLifetimeSeconds: 40 });
  attach(all, 'wlan');
  all.network.run(30_000);
  assert.deepEqual(sendTimes(all), [0, 20_000]);
  all.agent.isUp = false;
  all.network.run(60_000);
  assert.equal(all.mobileNode.client.isBound('wlan'), false);
  assert.equal(all.mobileNode.tunnel, undefined);
  assert.deepEqual(all.mobileNode.eventsOf('binding-lost'), [
    { type: 'binding-lost', access: 'wlan', reason: 'expired' },
  ]);
});

test('MobileIpClient: a clock that is days off is set right by the agent, once', () => {
  for (const offMs of [-172_800_000, -8000, 8000, 172_800_000]) {
    const all = lab({ timeOfDayOffsetMs: timeOfDayOffsetMs + offMs });
    attach(all, ...names);
    all.network.run(5000);
    assert.equal(all.agent.agent.bindings, 4);
    const changes = all.mobileNode.eventsOf('clock-resynchronised');
    assert.equal(changes.length, 1, 'one reply sets the clock for all accesses');
    assert.ok(Math.abs(changes[0]!.byMs + offMs) < 1500);
  }
});

test('MobileIpClient: behind address translation echoes keep the way open and a forgotten mapping is found out', () => {
  const all = lab({ probeIntervalMs: 1000 });
  all.network.setPath(addresses['wlan']!, { delayMs: 5, natAddress: '203.0.113.200' });
  attach(all, 'wlan');
  all.network.run(3000);
  assert.equal(all.mobileNode.eventsOf('binding-accepted')[0]?.isBehindNat, true);
  assert.equal(all.mobileNode.eventsOf('binding-accepted')[0]?.lifetimeSeconds, 60);
  assert.equal(downlink(all), '203.0.113.200');
  const before = all.agent.tunnels.get('10.0.0.50')?.endpoints[0]?.remote.port;
  all.network.forgetTranslations();
  all.network.run(8500);
  const after = all.agent.tunnels.get('10.0.0.50')?.endpoints[0]?.remote.port;
  assert.notEqual(after, before);
  assert.equal(all.mobileNode.eventsOf('round-trip-lost').length >= 3, true);
  all.network.sendToHomeAddress(all.agent, '10.0.0.50', 1);
  all.network.run(9000);
  assert.deepEqual(all.mobileNode.received, [1]);
});

test('MobileIpClient: without probing it sends keep-alives at the interval that the agent says', () => {
  const all = lab({ lifetimeSeconds: 1800 }, { keepaliveSeconds: 20 });
  attach(all, 'wlan');
  all.network.run(100_000);
  const echoes = all.mobileNode.eventsOf('round-trip-measured').filter(({ by }) => by === 'echo');
  assert.equal(echoes.length, 4);
});

test('MobileIpClient: echoes measure every bound access several times a second, whichever forwards', () => {
  const all = lab({ probeIntervalMs: 200 });
  attach(all, ...names);
  all.network.run(11_000);
  const echoes = all.mobileNode.eventsOf('round-trip-measured').filter(({ by }) => by === 'echo');
  for (const name of names) {
    const mine = echoes.filter(({ access }) => access === name);
    assert.ok(mine.length >= 45, `${name}: ${mine.length}`);
    for (const { rttMs } of mine) assert.ok(Math.abs(rttMs - 2 * delays[name]!) < 1e-6);
  }
  all.network.setPath(addresses['wlan']!, undefined);
  all.network.run(13_000);
  const lost = all.mobileNode.eventsOf('round-trip-lost');
  assert.ok(
    lost.length > 0 && lost.every(({ access, timeoutMs }) => access === 'wlan' && timeoutMs === 1000),
  );
});

test('MobileIpClient: a class of flows that moves at the same time does not delay the confirmation of the general way', () => {
  const all = lab();
  attach(all, ...names);
  all.network.run(5000);
  const confirmedAt = (): number => {
    const from = all.network.now;
    while (all.mobileNode.client.confirmedAccess !== 'cdma') all.network.run(all.network.now + 1);
    return all.network.now - from;
  };
  forwardOver(all, 'cdma');
  const selector = { protocol: 17, correspondentPorts: [5060, 5060] } as const;
  // More often than requests may tell it, over all accesses together.
  for (const access of ['wlan', 'wimax', 'umts', 'wimax', 'wlan']) {
    all.network.run(all.network.now + 1);
    all.mobileNode.client.preferFlows([{ selector, accesses: [access] }], all.network.now);
    all.network.settle();
  }
  assert.ok(confirmedAt() <= 2 * delays['cdma']!);
  all.network.run(all.network.now + 2000);
  assert.deepEqual(
    all.agent.tunnels.get('10.0.0.50')?.rules.map(({ endpoints }) => endpoints[0]?.remote.address),
    [addresses['wlan'], addresses['cdma'], addresses['cdma']],
    'both are in force',
  );
});

test('MobileIpClient: with an agent that allows one care-of address it registers the preferred access only', () => {
  const all = lab({}, oneBinding);
  attach(all, ...names);
  all.network.run(5000);
  assert.equal(all.agent.agent.bindings, 1);
  assert.equal(downlink(all), addresses['umts']);
  forwardOver(all, 'wlan');
  all.network.run(8000);
  assert.equal(all.agent.agent.bindings, 1);
  assert.equal(downlink(all), addresses['wlan']);
  assert.equal(uplink(all), addresses['wlan']);
  assert.equal(all.mobileNode.eventsOf('forwarding-confirmed').at(-1)?.access, 'wlan');
  all.mobileNode.client.stop(all.network.now);
  all.network.run(9000);
  assert.equal(all.agent.agent.bindings, 0);
});

test('MobileIpClient: with an agent that allows one care-of address it measures the other accesses by requests that move nothing', () => {
  const all = lab({ probeIntervalMs: 200, lifetimeSeconds: 60 }, oneBinding);
  attach(all, ...names);
  all.network.run(3000);
  const changes = all.agent.events.length;
  all.network.run(63_000);
  const measured = all.mobileNode.eventsOf('round-trip-measured').filter(({ sentAt }) => sentAt > 3000);
  for (const name of ['wlan', 'wimax', 'cdma']) {
    const mine = measured.filter(({ access }) => access === name);
    assert.ok(mine.length >= 28 && mine.length <= 31, `${name}: ${mine.length} in a minute`);
    for (const { rttMs } of mine) assert.equal(Math.round(rttMs), 2 * delays[name]!);
  }
  assert.equal(downlink(all), addresses['umts']);
  const others = all.agent.events.slice(changes).filter(({ type }) => type !== 'binding-registered');
  assert.deepEqual(others, [], 'the agent has nothing to tell but renewals');
  assert.deepEqual(all.mobileNode.eventsOf('round-trip-lost'), []);
  all.network.setPath(addresses['cdma']!, undefined);
  all.network.run(75_000);
  const lost = all.mobileNode.eventsOf('round-trip-lost');
  assert.ok(lost.length >= 5 && lost.every(({ access }) => access === 'cdma'), `${lost.length} lost`);
});

test('MobileIpClient: with an agent that allows one care-of address a handover waits for no measurement, and what moved away is measured', () => {
  const all = lab({ probeIntervalMs: 200 }, oneBinding);
  attach(all, ...names);
  all.network.run(3000);
  for (let handover = 0; handover < 40; handover++) {
    const to = names[(handover + 1) % 4]!;
    const from = all.network.now;
    forwardOver(all, to);
    // At every phase of the measurements.
    all.network.run(from + 2500 + 50 * handover);
    const { access, durationMs } = all.mobileNode.eventsOf('forwarding-confirmed').at(-1) ?? assert.fail();
    assert.deepEqual([access, Math.round(durationMs)], [to, 2 * delays[to]!]);
    assert.deepEqual([downlink(all), all.agent.agent.bindings], [addresses[to], 1]);
  }
});

test('MobileIpClient: with an agent that allows one care-of address nothing is sent over idle accesses without probing, nor from an address that has the binding', () => {
  const quiet = lab({}, oneBinding);
  attach(quiet, 'umts', 'wlan');
  quiet.network.run(30_000);
  const later = quiet.mobileNode.eventsOf('round-trip-measured').filter(({ sentAt }) => sentAt > 0);
  assert.deepEqual([...new Set(later.map(({ access }) => access))], ['umts']);
  // Two accesses behind two address translators.
  const twins = lab({ probeIntervalMs: 200 }, oneBinding);
  const same = '192.0.2.10';
  for (const access of ['umts', 'wlan']) twins.mobileNode.client.attach(access, same, 0);
  twins.network.run(30_000);
  assert.equal(twins.agent.agent.bindings, 1);
  assert.deepEqual(
    twins.agent.events.filter(({ type }) => type === 'binding-removed'),
    [],
  );
});

test('MobileIpClient: with a wrong key nothing is accepted, believed or told as refused by the agent', () => {
  const stranger = lab({ securityAssociation: { ...association, key: Buffer.alloc(32, 1) } });
  attach(stranger, 'wlan');
  stranger.network.run(10_000);
  assert.deepEqual(stranger.mobileNode.eventsOf('binding-refused'), []);
  assert.equal(stranger.agent.agent.refusals.get('bad-authenticator'), 4);
  assert.equal(stranger.agent.agent.bindings, 0);
});

test('MobileIpClient: a revoked binding is acknowledged, told and negotiated anew after a while', () => {
  const all = lab();
  attach(all, 'wlan', 'umts');
  all.network.run(3000);
  const careOfAddress = addresses['wlan']!;
  all.agent.agent.handleInput({ kind: 'revoke', homeAddress: '10.0.0.50', careOfAddress }, all.network.now);
  all.network.run(4000);
  assert.equal(all.agent.events.filter(({ type }) => type === 'revocation-acknowledged').length, 1);
  assert.deepEqual(all.mobileNode.eventsOf('binding-lost'), [
    { type: 'binding-lost', access: 'wlan', reason: 'revoked' },
  ]);
  assert.equal(all.agent.agent.bindings, 1);
  all.network.run(12_000);
  assert.equal(all.agent.agent.bindings, 2);
});

test('MobileIpClient: flows of a class take the accesses that they prefer, in both directions', () => {
  const all = lab();
  attach(all, 'umts', 'wlan');
  all.network.run(3000);
  const voice = { protocol: 17, homePorts: [40_000, 40_009] } as const;
  all.mobileNode.client.preferFlows([{ selector: voice, accesses: ['wlan'] }], all.network.now);
  all.network.run(6000);
  const first = all.agent.tunnels.get('10.0.0.50')?.rules[0];
  assert.deepEqual(first?.selector, voice);
  assert.equal(first?.endpoints[0]?.remote.address, addresses['wlan']);
  assert.equal(all.mobileNode.tunnel?.rules[0]?.endpoints[0]?.local.address, addresses['wlan']);
  assert.equal(all.agent.tunnels.get('10.0.0.50')?.rules[1]?.endpoints[0]?.remote.address, addresses['umts']);
  all.mobileNode.client.detach('wlan', all.network.now);
  all.network.run(9000);
  assert.equal(all.agent.tunnels.get('10.0.0.50')?.rules[0]?.endpoints[0]?.remote.address, addresses['umts']);
});

test('MobileIpClient: a new address on the same access replaces the old one', () => {
  const all = lab();
  attach(all, 'wlan');
  all.network.run(3000);
  all.network.setPath('198.51.100.99', { delayMs: 5 });
  all.mobileNode.client.attach('wlan', '198.51.100.99', all.network.now);
  all.network.run(4000);
  assert.equal(downlink(all), '198.51.100.99');
  assert.equal(all.agent.agent.bindings, 1);
});

test('MobileIpClient: tells the care-of address whenever it changes, for the SIP user agent', () => {
  const all = lab();
  attach(all, 'umts', 'wlan');
  all.network.run(3000);
  forwardOver(all, 'wlan');
  all.network.run(5000);
  all.mobileNode.client.detach('wlan', all.network.now);
  all.mobileNode.client.detach('umts', all.network.now);
  all.network.settle();
  assert.deepEqual(
    all.mobileNode.eventsOf('care-of-address-changed').map(({ access }) => access),
    // The WLAN answers first.
    ['wlan', 'umts', 'wlan', 'umts', undefined],
  );
});

test('MobileIpClient: registers with a correspondent as with the home agent; both follow a handover over the same sockets', () => {
  const all = lab();
  const correspondent = all.network.addAgent(agentOptions({ address: '172.16.0.9', role: 'correspondent' }));
  const direct = all.network.addMobileNode(
    clientOptions({ homeAgent: { address: '172.16.0.9', port: 434 } }),
  );
  attach(all, 'umts', 'wlan');
  for (const name of ['umts', 'wlan']) direct.client.attach(name, addresses[name]!, all.network.now);
  all.network.run(3000);
  for (const access of ['wlan', 'umts', 'wlan']) {
    forwardOver(all, access);
    direct.client.forwardOver(access, all.network.now);
    all.network.run(all.network.now + 3000);
    for (const end of [all.agent, correspondent])
      assert.equal(end.tunnels.get('10.0.0.50')?.rules[0]?.endpoints[0]?.remote.address, addresses[access]);
  }
  const flow = { correspondentAddress: '172.16.0.9', protocol: 6, homePort: 1, correspondentPort: 2 };
  all.network.sendToHomeAddress(correspondent, '10.0.0.50', 7, flow);
  all.network.sendFromHomeAddress(direct, 8);
  all.network.run(all.network.now + 1000);
  assert.deepEqual([direct.received, correspondent.received], [[7], [8]]);
  assert.deepEqual([all.mobileNode.received, all.agent.received], [[], []], 'not by way of home');
});

test('MobileIpClient: two mobile nodes that move at the same instant reach each other', () => {
  const all = lab();
  const other = all.network.addMobileNode(
    clientOptions({
      homeAddress: '10.0.0.51',
      accesses: [
        { name: 'a', index: 1 },
        { name: 'b', index: 2 },
      ],
    }),
  );
  all.network.setPath('192.0.2.77', { delayMs: 30 });
  all.network.setPath('192.0.2.78', { delayMs: 80 });
  attach(all, 'umts', 'wlan');
  other.client.attach('a', '192.0.2.77', 0);
  other.client.attach('b', '192.0.2.78', 0);
  all.network.run(5000);
  for (let round = 0; round < 10; round++) {
    all.mobileNode.client.forwardOver(round % 2 === 0 ? 'wlan' : 'umts', all.network.now);
    other.client.forwardOver(round % 2 === 0 ? 'b' : 'a', all.network.now);
    for (let step = 0; step < 20; step++) {
      all.network.sendToHomeAddress(all.agent, '10.0.0.50', round * 20 + step);
      all.network.sendToHomeAddress(all.agent, '10.0.0.51', round * 20 + step);
      all.network.run(all.network.now + 100);
    }
  }
  all.network.run(all.network.now + 1000);
  assert.equal(new Set(all.mobileNode.received).size, 200);
  assert.equal(new Set(other.received).size, 200);
});

test('HomeAgent: killed at any point it loses no binding that was confirmed', () => {
  for (let seed = 0; seed < 100; seed++) {
    const all = lab({}, {}, seed);
    // A slow disk, so that the process often dies between judging and writing.
    all.agent.journalMs = 300;
    const random = new SeededRandomSource(seed);
    attach(all, ...names);
    for (let step = 0; step < 10; step++) {
      forwardOver(all, names[randomBelow(random, 4)]!);
      all.network.run(all.network.now + randomBelow(random, 2500));
      const bound = names.filter((name) => all.mobileNode.client.isBound(name));
      if (randomFraction(random) < 0.3) all.agent.journal.push('{"homeAddress":"10.0.0.50","bindi');
      const before = all.agent.journal.at(-1);
      all.network.restart(all.agent);
      if (before?.endsWith('bindi')) all.agent.journal.pop();
      const record = all.agent.agent.record('10.0.0.50');
      for (const name of bound)
        assert.ok(
          record.bindings.some(({ careOfAddress }) => careOfAddress === addresses[name]),
          `seed ${seed} ${name}`,
        );
    }
    all.network.run(all.network.now + 10_000);
    assert.equal(downlink(all), uplink(all), `seed ${seed}`);
    assert.equal(all.agent.agent.bindings, 4);
  }
});

test('HomeAgent: captured requests that are sent again, later, from anywhere, and changed, change nothing', () => {
  const all = lab();
  attach(all, ...names);
  all.network.run(5000);
  forwardOver(all, 'wlan');
  all.network.run(7000);
  const captured = all.network.log.filter(({ to }) => to.address === homeAgent.address);
  const tunnel = JSON.stringify(all.agent.tunnels.get('10.0.0.50'));
  all.network.setPath('203.0.113.66', { delayMs: 1 });
  const attacker = { address: '203.0.113.66', port: 434 };
  for (const { from, payload } of captured)
    for (const source of [from, attacker]) {
      all.network.send(source, homeAgent, payload);
      all.network.send(
        source,
        homeAgent,
        Uint8Array.from(payload, (octet, at) => (at === 13 ? octet ^ 1 : octet)),
      );
    }
  all.network.run(9000);
  assert.equal(JSON.stringify(all.agent.tunnels.get('10.0.0.50')), tunnel);
  assert.ok((all.agent.agent.refusals.get('replayed') ?? 0) > 0);
  assert.equal(all.agent.agent.refusals.get('bad-authenticator'), 2 * captured.length);
  const told = all.agent.events.flatMap((event) => (event.type === 'request-refused' ? [event.reason] : []));
  assert.deepEqual(told.sort(), ['bad-authenticator', 'outside-tolerance', 'replayed'], 'once each');
  for (const name of names) assert.equal(all.mobileNode.client.isBound(name), true);
  // Late replays are refused for their age even after a restart without memory of their paths.
  all.network.run(60_000);
  for (const { payload } of captured) all.network.send(attacker, homeAgent, payload);
  all.network.run(61_000);
  assert.equal(downlink(all), addresses['wlan']);
});

test('MobileIpClient and HomeAgent: a thousand seeded runs over links that lose, double and reorder end in agreement', () => {
  let refused = 0;
  for (let seed = 1; seed <= 1000; seed++) {
    const all = lab({}, {}, seed);
    const random = new SeededRandomSource(seed);
    all.agent.journalMs = randomBelow(random, 5);
    for (const name of names)
      all.network.setPath(addresses[name]!, {
        delayMs: delays[name]!,
        jitterMs: randomBelow(random, 400),
        loss: randomFraction(random) * 0.3,
        duplication: 0.1,
      });
    attach(all, ...names);
    for (let step = 0; step < 6; step++) {
      const name = names[randomBelow(random, 4)]!;
      const action = randomBelow(random, 4);
      if (action === 0) all.mobileNode.client.detach(name, all.network.now);
      else if (action === 1) attach(all, name);
      else forwardOver(all, name);
      all.network.run(all.network.now + randomBelow(random, 4000));
    }
    for (const name of names) all.network.setPath(addresses[name]!, { delayMs: delays[name]! });
    attach(all, ...names);
    all.network.run(all.network.now + 30_000);
    const told = `seed ${seed}`;
    for (const name of names) assert.equal(all.mobileNode.client.isBound(name), true, `${told} ${name}`);
    assert.equal(all.agent.agent.bindings, 4, told);
    assert.equal(downlink(all), uplink(all), told);
    assert.equal(uplink(all), addresses[all.mobileNode.client.forwardingAccess!], told);
    refused += all.agent.agent.refusals.get('outside-tolerance') ?? 0;
    assert.deepEqual(all.mobileNode.eventsOf('binding-refused'), [], told);
  }
  assert.equal(refused, 0);
});

/** When registration requests were made, by their own timestamps; milliseconds. */
function sendTimes({ network }: Lab): number[] {
  return network.log
    .filter(({ to, payload }) => to.address === homeAgent.address && payload[0] === 1)
    .map(({ payload }) => {
      const view = new DataView(payload.buffer, payload.byteOffset);
      const seconds = view.getUint32(16) - 2_208_988_800 + view.getUint32(20) / 2 ** 32;
      return Math.round(seconds * 1000 - timeOfDayOffsetMs);
    });
}
