/** Route optimisation (MIP–SIP §3, "and possibly to connected correspondent nodes"): mobile node, home agent and correspondent in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../src/base/malformed.ts';
import { decodeMessage } from '../../src/protocols/mobile-ip/message.ts';
import type { VirtualPacket } from '../../src/sim/virtual-packet.ts';
import { CorrespondentEnd, NumberedStream, RefusingAgent } from './correspondent-end.ts';
import {
  association,
  careOfAddressOf,
  homeAddress,
  homeAgentAddress,
  linkOf,
  MobileNodeNetwork,
  peerAddress,
  timeOfDayOffsetMs,
} from './mobile-node-network.ts';

const delays = { umts: 75, wlan: 5 };
const names = ['umts', 'wlan'] as const;
const correspondentKey = { ...association, spi: 512, key: Buffer.alloc(32, 9) };
const homeDelayMs = 40;

test('RouteOptimisingClient: a handover tells home agent and correspondent at the same instant, and each sends the new way when it knows', () => {
  const all = started();
  all.lab.run(2000);
  const ladder = messagesOf(all);
  all.lab.requestHandover('wlan');
  all.lab.run(500);
  assert.deepEqual(ladder, [
    // At the core, 5 ms from the mobile node; the correspondent is 1 ms from it, the home agent 40.
    '5 mn→ha request 300 s over wlan',
    '5 mn→cn request 60 s over wlan',
    '7 cn→mn reply 0 over wlan',
    '85 ha→mn reply 0 over wlan',
  ]);
  assert.deepEqual(all.lab.events('handover-completed').at(-1)?.bindingMs, 90, 'as without a correspondent');
});

test('RouteOptimisingClient: a correspondent that falls silent is left after three echoes, asked again ever more rarely, and used again at once', () => {
  const all = started({ accesses: ['wlan'] });
  all.lab.run(2000);
  const ladder = messagesOf(all);
  const from = all.lab.now;
  all.correspondent?.kill();
  all.lab.run(5000);
  all.correspondent?.start();
  all.lab.run(5000);
  assert.deepEqual(ladder, [
    // The third echo has been waited for by then; at the core 5 ms later.
    '1417 mn→cn request 60 s over wlan',
    '2417 mn→cn request 60 s over wlan',
    '4417 mn→cn request 60 s over wlan',
    '8417 mn→cn request 60 s over wlan',
    '8419 cn→mn reply 0 over wlan',
  ]);
  const changes = all.lab.log.flatMap(({ at, event }) =>
    event.type === 'correspondent-route-changed' && at > from ? [[at - from, event.access]] : [],
  );
  assert.deepEqual(changes, [
    [1412, undefined],
    [8424, 'wlan'],
  ]);
  assert.deepEqual(all.lab.node.status().correspondents, [{ address: peerAddress, access: 'wlan' }]);
});

test('RouteOptimisingClient: packets of the correspondent never see the home agent, and the way is shorter by its distance', () => {
  const byHome = started({ correspondents: [] });
  const directly = started();
  for (const { lab } of [byHome, directly]) lab.requestHandover('wlan');
  const delaysOf = (all: RouteOptimisationLab): number[] => {
    all.lab.run(3000);
    const before = all.homeAgentPackets;
    const { mobile, peer } = stream(all);
    all.lab.run(2000);
    assert.equal(all.homeAgentPackets - before > 0, all === byHome);
    return [...new Set([...mobile.delays, ...peer.delays])];
  };
  assert.deepEqual(delaysOf(byHome), [5 + 40 + 40 + 1], 'access, home link there and back, peer');
  assert.deepEqual(delaysOf(directly), [5 + 1]);
});

test('RouteOptimisingClient: what goes to others goes by the home agent', () => {
  const all = started();
  all.lab.run(2000);
  const other = { address: '203.0.113.3', port: 7000 };
  const host = all.lab.network.addHost('other');
  host.addAddress(other.address, host.attach('eth0', linkOf(1)));
  const stranger = new NumberedStream(other, { address: homeAddress, port: 7001 });
  const mobile = new NumberedStream({ address: homeAddress, port: 7001 }, other);
  host.run<never, never, never>({ machine: stranger }).perform((now) => stranger.start(now));
  all.lab.mobileHost.run<never, never, never>({ machine: mobile }).perform((now) => mobile.start(now));
  all.lab.run(2000);
  assert.deepEqual([...new Set(stranger.delays)], [75 + 40 + 40 + 1]);
  assert.deepEqual([...new Set(mobile.delays)], [75 + 40 + 40 + 1]);
});

test('RouteOptimisingClient: a stream and a connection lose nothing in twenty soft handovers', () => {
  const all = started();
  all.lab.run(2000);
  const { mobile, peer, stop } = stream(all);
  const connection = all.lab.connect();
  const before = all.homeAgentPackets;
  for (let count = 0; count < 20; count++) {
    all.lab.requestHandover(names[(count + 1) % 2]!);
    all.lab.run(1500);
  }
  connection.stop();
  stop();
  all.lab.run(3000);
  assert.equal(all.homeAgentPackets, before, 'all of it went directly');
  for (const [from, to] of [
    [mobile, peer],
    [peer, mobile],
  ] as const)
    assert.deepEqual(sorted(to.received), numbers(from.sent));
  assert.deepEqual(
    [connection.peer.received, connection.mobile.received],
    [connection.mobile.sent, connection.peer.sent],
  );
});

test('RouteOptimisingClient: with the first binding a stream changes over to the shorter way, and loses nothing', () => {
  const all = started({ isRunning: false });
  const { mobile, peer, stop } = stream(all);
  all.lab.run(2000);
  assert.equal(mobile.delays.at(-1), 75 + 40 + 40 + 1);
  all.startCorrespondent();
  all.lab.run(70_000);
  assert.deepEqual([mobile.delays.at(-1), peer.delays.at(-1)], [76, 76]);
  stop();
  all.lab.run(1000);
  assert.deepEqual(sorted(peer.received), numbers(mobile.sent));
  assert.deepEqual(sorted(mobile.received), numbers(peer.sent));
});

test('RouteOptimisingClient: a correspondent that is not there, has another key or refuses changes nothing', () => {
  for (const [extra, event] of [
    [{ isRunning: false }, 'correspondent-unreachable'],
    [{ key: Buffer.alloc(32, 1) }, 'correspondent-unreachable'],
    [{ isRunning: false, isRefusing: true }, 'correspondent-refused'],
  ] as const) {
    const all = started(extra);
    const { mobile, peer, stop } = stream(all);
    all.lab.run(2000);
    all.lab.requestHandover('wlan');
    all.lab.run(20_000);
    stop();
    all.lab.run(1000);
    assert.equal(all.lab.events('handover-completed').at(-1)?.bindingMs, 90);
    assert.deepEqual([...new Set(peer.delays)], [156, 86]);
    assert.deepEqual(sorted(peer.received), numbers(mobile.sent));
    assert.deepEqual(sorted(mobile.received), numbers(peer.sent));
    assert.deepEqual(all.lab.events('correspondent-route-changed'), []);
    const accesses = all.lab.events(event).map(({ access }) => access);
    assert.deepEqual([...new Set(accesses)].toSorted(), ['umts', 'wlan']);
  }
});

test('RouteOptimisingClient: when the program at the correspondent dies, packets are back on the way by the home agent within 2 s', () => {
  const all = started();
  all.lab.requestHandover('wlan');
  all.lab.run(2000);
  const { mobile, peer, stop } = stream(all);
  const connection = all.lab.connect();
  all.lab.run(1000);
  all.correspondent?.kill();
  all.lab.run(5000);
  assert.equal(peer.delays.at(-1), 86);
  stop();
  all.lab.run(1000);
  const lost = mobile.sent - peer.received.length;
  assert.ok(lost > 0 && lost <= 2000 / 20, `${lost} lost`);
  assert.deepEqual(sorted(mobile.received), numbers(peer.sent), 'nothing was lost towards us');
  all.correspondent?.start();
  all.lab.run(60_000);
  assert.equal(routes(all).at(-1), 'wlan', 'and directly again when it is back');
  connection.stop();
  all.lab.run(5000);
  assert.deepEqual([connection.peer.received, connection.peer.isBroken], [connection.mobile.sent, false]);
});

test('RouteOptimisingClient: a correspondent that ends tells so, and one that revokes too; both are asked again', () => {
  const all = started({ accesses: ['umts'] });
  const { mobile, peer } = stream(all);
  all.correspondent?.process.handleInput({ kind: 'revoke', homeAddress });
  all.lab.run(1000);
  assert.deepEqual(routes(all), ['umts', undefined]);
  assert.deepEqual([mobile.delays.at(-1), peer.delays.at(-1)], [156, 156]);
  all.lab.run(8000);
  assert.deepEqual(routes(all), ['umts', undefined, 'umts']);
  all.correspondent?.stop();
  all.lab.run(400);
  assert.deepEqual(routes(all).at(-1), undefined, 'long before probes would tell');
  all.lab.run(600);
  assert.deepEqual([mobile.delays.at(-1), peer.delays.at(-1)], [156, 156]);
});

test('RouteOptimisingClient: a mobile node that ends takes its bindings back, and the correspondent sends as before', () => {
  const all = started();
  stream(all);
  all.lab.run(1000);
  assert.equal(all.toHomeAddress, 0);
  all.lab.stop();
  all.lab.run(1000);
  assert.equal(all.correspondent?.agent.bindings, 0);
  assert.ok(all.toHomeAddress > 40, 'plain packets on their usual route');
});

test('RouteOptimisingClient: of an access that is lost the correspondent hears over another one', () => {
  const all = started();
  all.lab.run(2000);
  all.lab.detach('umts');
  all.lab.run(1000);
  const { bindings } = all.correspondent!.agent.record(homeAddress);
  assert.deepEqual(
    bindings.map(({ careOfAddress }) => careOfAddress),
    [careOfAddressOf(2)],
  );
  const { mobile, peer } = stream(all);
  all.lab.run(1000);
  assert.deepEqual([mobile.delays.at(-1), peer.delays.at(-1)], [6, 6]);
});

test('RouteOptimisingClient: an access over which only the home agent is reached keeps its packets, by way of the home agent', () => {
  const all = started();
  all.lab.run(2000);
  all.dropped = careOfAddressOf(2);
  all.lab.requestHandover('wlan');
  const { mobile, peer } = stream(all);
  all.lab.run(10_000);
  assert.deepEqual(
    [mobile.delays.at(-1), peer.delays.at(-1)],
    [76, 86],
    'to us over UMTS, which is bound there',
  );
  all.dropped = undefined;
  all.lab.run(30_000);
  assert.deepEqual([mobile.delays.at(-1), peer.delays.at(-1)], [6, 6]);
});

test('RouteOptimisingClient: the correspondent is reached while the home agent is not', () => {
  const all = started({ lifetimeSeconds: 20 });
  all.lab.requestHandover('wlan');
  all.lab.run(2000);
  const { mobile, peer } = stream(all);
  all.lab.killAgent();
  all.lab.run(40_000);
  assert.deepEqual([mobile.delays.at(-1), peer.delays.at(-1)], [6, 6]);
});

interface StartOptions {
  /** Of the mobile node's configuration; empty: none. */
  readonly correspondents?: readonly [];
  readonly isRunning?: boolean;
  readonly isRefusing?: boolean;
  readonly accesses?: readonly string[];
  readonly lifetimeSeconds?: number;
  /** That the mobile node has for the correspondent; by default the right one. */
  readonly key?: Uint8Array;
}

/** Bound over both accesses, and UMTS forwards. */
function started(options: StartOptions = {}): RouteOptimisationLab {
  const { correspondents, isRunning = true, isRefusing = false, accesses = names } = options;
  const securityAssociation = { ...correspondentKey, key: options.key ?? correspondentKey.key };
  const lab = new MobileNodeNetwork({
    delays,
    homeDelayMs,
    hasSip: false,
    mobileIp: {
      correspondents: correspondents ?? [{ address: peerAddress, securityAssociation }],
      ...(options.lifetimeSeconds !== undefined && { lifetimeSeconds: options.lifetimeSeconds }),
    },
  });
  const all = new RouteOptimisationLab(lab);
  if (isRunning) all.startCorrespondent();
  const refusing = new RefusingAgent({ address: peerAddress, port: 434 }, correspondentKey);
  if (isRefusing) lab.peerHost.run<never, never, never>({ machine: refusing }).perform(() => {});
  for (const access of accesses) {
    lab.attach(access);
    lab.run(1000);
  }
  return all;
}

class RouteOptimisationLab {
  readonly lab: MobileNodeNetwork;
  correspondent: CorrespondentEnd | undefined;
  /** Tunnelled packets of streams and connections that came to or from the home agent. */
  homeAgentPackets = 0;
  /** Plain packets to the home address in the core. */
  toHomeAddress = 0;
  onPacket: ((packet: VirtualPacket) => void) | undefined;
  /** The care-of address between which and the correspondent nothing gets through. */
  dropped: string | undefined;

  constructor(lab: MobileNodeNetwork) {
    this.lab = lab;
    const { network } = lab;
    const forward = network.forward.bind(network);
    network.forward = (packet) => {
      const ends = [packet.source, packet.destination];
      if (this.dropped !== undefined && ends.includes(this.dropped) && ends.includes(peerAddress)) return;
      const isTunnelled = packet.content.protocol === 'udp' && packet.content.tunnelled !== undefined;
      if (isTunnelled && ends.includes(homeAgentAddress)) this.homeAgentPackets++;
      if (packet.destination === homeAddress) this.toHomeAddress++;
      this.onPacket?.(packet);
      forward(packet);
    };
  }

  startCorrespondent(): void {
    this.correspondent = new CorrespondentEnd(this.lab.peerHost, {
      address: peerAddress,
      mobileNodes: [{ homeAddress, securityAssociations: [correspondentKey] }],
      timeOfDayOffsetMs,
    });
  }
}

/** Ten seconds of it are 500 datagrams, each way. */
function stream({ lab }: RouteOptimisationLab) {
  const [here, there] = [
    { address: homeAddress, port: 7001 },
    { address: peerAddress, port: 7001 },
  ];
  const [mobile, peer] = [new NumberedStream(here, there), new NumberedStream(there, here)];
  lab.mobileHost.run<never, never, never>({ machine: mobile }).perform((now) => mobile.start(now));
  lab.peerHost.run<never, never, never>({ machine: peer }).perform((now) => peer.start(now));
  const stop = (): void => {
    mobile.stop();
    peer.stop();
  };
  return { mobile, peer, stop };
}

function sorted(received: readonly number[]): number[] {
  return received.toSorted((a, b) => a - b);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

/** Registrations in the core from now on, with the time since. */
function messagesOf(all: RouteOptimisationLab): string[] {
  const from = all.lab.now;
  const seen: string[] = [];
  const nameOf = (address: string): string =>
    ({ [homeAgentAddress]: 'ha', [peerAddress]: 'cn' })[address] ?? 'mn';
  const accessOf = (address: string): string | undefined =>
    names.find((_, index) => careOfAddressOf(index + 1) === address);
  all.onPacket = ({ source, destination, content }) => {
    if (content.protocol !== 'udp' || content.tunnelled !== undefined) return;
    const received = decodeMessage(content.payload);
    if (isMalformed(received)) return;
    const { message } = received;
    const what =
      message.kind === 'registration-reply'
        ? `reply ${message.code}`
        : message.kind === 'registration-request'
          ? `request ${message.lifetimeSeconds} s`
          : message.kind;
    const over = accessOf(source) ?? accessOf(destination);
    seen.push(`${all.lab.now - from} ${nameOf(source)}→${nameOf(destination)} ${what} over ${over}`);
  };
  return seen;
}

function routes({ lab }: RouteOptimisationLab): (string | undefined)[] {
  return lab.events('correspondent-route-changed').map(({ access }) => access);
}
