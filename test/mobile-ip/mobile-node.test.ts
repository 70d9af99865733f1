/** Mobile IP, policy and SIP in one mobile node (MIP–SIP §3), with a real home agent in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessPolicyOptions } from '../../src/mobile-node/access-selection/access-policy.ts';
import { PreferenceOrder } from '../../src/mobile-node/access-selection/preference-order.ts';
import { UtilitySelector } from '../../src/mobile-node/access-selection/utility-selector.ts';
import {
  homeAddress,
  MobileNodeNetwork,
  type MobileNodeNetworkOptions,
  registrationRequestOf,
} from './mobile-node-network.ts';

const delays = { umts: 75, wlan: 5, wimax: 25 };
const names = Object.keys(delays);

test('MobileNode: binds every access at once, and TCP from the home address goes over the one that is preferred', () => {
  const all = started();
  assert.deepEqual(all.agent.bindings, 3);
  assert.deepEqual([all.current, all.forwarding], ['umts', 'umts']);
  const { mobile, peer, stop } = all.connect();
  all.run(2000);
  stop();
  all.run(2000);
  assert.ok(mobile.sent > 1000);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

test('MobileNode: a soft handover is over when the home agent forwards over the new access', () => {
  const all = started();
  all.requestHandover('wlan');
  all.run(1000);
  const { bindingMs, totalMs, kind } = all.events('handover-completed').at(-1)!;
  assert.equal(all.forwarding, 'wlan');
  assert.deepEqual(
    [kind, totalMs, bindingMs],
    ['soft', 12, 12],
    'two ways over 5 ms of access and 1 ms of home link',
  );
});

test('MobileNode: a handover to an access that has just come takes one round trip too', () => {
  const all = new MobileNodeNetwork({ delays, selector: new PreferenceOrder(['umts', 'wlan', 'wimax']) });
  all.attach('umts');
  all.run(3000);
  all.attach('wlan');
  all.run(100);
  all.requestHandover('wlan');
  all.run(500);
  const { to, bindingMs } = all.events('handover-completed').at(-1)!;
  assert.deepEqual([to, bindingMs], ['wlan', 12]);
});

test('MobileNode: TCP lives through twenty handovers and loses no octet', () => {
  const all = started();
  const { mobile, peer, stop } = all.connect();
  for (let count = 1; count <= 20; count++) {
    all.requestHandover(names[count % 3]!);
    all.run(1500);
    assert.equal(all.current, names[count % 3]);
  }
  stop();
  all.run(5000);
  assert.ok(!mobile.isBroken && !peer.isBroken);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

test('MobileNode: binding update and re-INVITE leave at the same instant, that first, and neither waits for the other (figure 2)', () => {
  const all = started();
  const { phone, peer } = all.call();
  const heard = phone.length;
  const from = all.now;
  const sent: [number, string][] = [];
  all.network.onPacket = ({ content, source }) => {
    const { payload } = content.protocol === 'udp' ? content : { payload: new Uint8Array() };
    const text = Buffer.from(payload).toString('latin1', 0, 6);
    const isSip = ['INVITE', 'ACK si', 'SIP/2.'].includes(text);
    if (source === '10.2.0.2' && (isSip || registrationRequestOf(payload) !== undefined))
      sent.push([all.now - from, isSip ? text.slice(0, 3) : 'BU']);
  };
  all.requestHandover('wlan');
  all.run(1000);
  assert.deepEqual(sent, [
    [5, 'BU'],
    [5, 'INV'],
    [17, 'ACK'],
  ]);
  const { sessions, sipMs, bindingMs } = all.events('handover-completed').at(-1)!;
  assert.deepEqual([sessions.length, sipMs, bindingMs], [1, 12, 12]);
  const [medium] = peer.findLast((event) => event.type === 'session-established')?.media ?? [];
  assert.equal(medium?.address, '10.2.0.2', 'media go directly to the new care-of address');
  assert.equal(phone.length, heard, 'the softphone hears nothing of it');
});

test('MobileNode: without SIP it moves by Mobile IP alone', () => {
  const all = started({ hasSip: false });
  all.requestHandover('wimax');
  all.run(1000);
  assert.deepEqual(all.path, ['umts', 'wimax']);
  assert.equal(all.forwarding, 'wimax');
});

test('MobileNode: a binding update that the home agent refuses takes the tunnel back to the old access; sessions that moved stay', () => {
  const all = started();
  all.call();
  all.refuseRegistrations('wlan');
  all.requestHandover('wlan');
  all.run(2000);
  assert.deepEqual(all.path, ['umts', '(wlan)']);
  assert.match(all.events('handover-failed')[0]?.reason ?? '', /^home agent: 1\d\d/);
  assert.deepEqual([all.current, all.forwarding], ['umts', 'umts']);
  assert.deepEqual(all.sessions, ['wlan'], 'the peer was told, and sends there');
  all.detach('wlan');
  all.run(2000);
  assert.deepEqual(all.sessions, ['umts'], 'it follows when that access is lost');
});

test('MobileNode: an access that was refused waits for its penalty', () => {
  const all = started({ selector: new PreferenceOrder(['wlan', 'umts', 'wimax']) });
  all.requestHandover('umts');
  all.run(2000);
  all.refuseRegistrations('wlan', 1);
  all.requestHandover('wlan');
  all.run(29_000);
  assert.deepEqual(all.path, ['umts', 'wlan', 'umts', '(wlan)']);
  all.run(2000);
  assert.equal(all.path.at(-1), 'wlan');
});

test('MobileNode: SIP that fails does not undo Mobile IP, and loses nothing of SIP', () => {
  // The peer refuses REGISTER.
  const all = new MobileNodeNetwork({ delays, registration: 'mobile-node' });
  all.startPeer();
  all.attach('umts');
  all.run(3000);
  assert.deepEqual([all.current, all.forwarding], ['umts', 'umts']);
  assert.equal(all.events('registration-failed')[0]?.statusCode, 405);
  assert.deepEqual(all.path, ['umts']);
});

test('MobileNode: the home agent cannot be reached over the only access: SIP goes on, Mobile IP follows when it can be', () => {
  const all = new MobileNodeNetwork({ delays });
  all.dropTowardsAgent(true);
  all.attach('wlan');
  all.run(10_000);
  assert.deepEqual(all.path, ['wlan']);
  assert.equal(all.events('handover-completed')[0]?.bindingMs, undefined);
  assert.deepEqual(all.call().phone.length > 0, true);
  all.dropTowardsAgent(false);
  all.run(20_000);
  assert.equal(all.forwarding, 'wlan');
});

test('MobileNode: when the home agent dies, nothing is moved to and fro, and SIP stays', () => {
  const all = started();
  all.call();
  all.killAgent();
  all.run(60_000);
  assert.deepEqual(all.path, ['umts']);
  assert.deepEqual(all.sessions, ['umts']);
});

test('MobileNode: an access whose link is lost is left at once, for tunnel and sessions alike', () => {
  const all = started({ selector: new PreferenceOrder(['wlan', 'umts', 'wimax']) });
  all.call();
  const { mobile, peer, stop } = all.connect();
  all.run(1000);
  all.detach('wlan');
  all.run(400);
  assert.deepEqual([all.current, all.forwarding, all.sessions], ['umts', 'umts', ['umts']]);
  all.run(3000);
  stop();
  all.run(5000);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

for (const missedProbes of [2, 3, 5])
  test(`MobileNode: a link that is up but leads nowhere is left after ${missedProbes} unanswered probes`, () => {
    const probeIntervalMs = 200;
    const all = started({
      selector: new PreferenceOrder(['wlan', 'umts', 'wimax']),
      mobileIp: { missedProbes, probeIntervalMs },
    });
    all.call();
    all.run(1000);
    const from = all.now;
    all.cutOff('wlan');
    assert.ok(all.runUntil(() => all.current === 'umts', 30_000));
    // Each probe is waited for a second; they leave every 200 ms.
    assert.equal(all.probesLost('wlan', from), missedProbes);
    assert.ok(all.now - from <= probeIntervalMs * missedProbes + 1000 + 12, `${all.now - from} ms`);
    all.run(1000);
    assert.deepEqual([all.forwarding, all.sessions], ['umts', ['umts']]);
    all.restore('wlan');
    all.run(10_000);
    assert.equal(all.current, 'wlan', 'and used again when it answers');
    all.run(1000);
    assert.deepEqual(all.sessions, ['wlan']);
  });

test('MobileNode: a handover to an access that leads nowhere is given up, and what was there stays', () => {
  const all = started();
  all.call();
  const { mobile, peer, stop } = all.connect();
  all.cutOff('wlan');
  all.requestHandover('wlan');
  all.run(5000);
  assert.deepEqual([all.current, all.forwarding, all.sessions], ['umts', 'umts', ['umts']]);
  stop();
  all.run(10_000);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

for (const order of permutations(names))
  for (const way of ['lost', 'cut off'] as const)
    test(`MobileNode: ${order.join(', ')} ${way} one after the other: the last one carries all`, () => {
      const all = started({ selector: utility() });
      all.call();
      const { mobile, peer, stop } = all.connect();
      all.run(12_000);
      for (const name of order.slice(0, 2)) {
        if (way === 'lost') all.detach(name);
        else all.cutOff(name);
        all.run(8000);
      }
      const last = order[2]!;
      assert.deepEqual([all.current, all.forwarding, all.sessions], [last, last, [last]]);
      stop();
      all.run(15_000);
      assert.ok(!mobile.isBroken && !peer.isBroken);
      assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
    });

test('MobileNode: a load step on the WLAN moves the node before a packet is lost', () => {
  const all = started({ selector: utility() });
  all.run(15_000);
  assert.equal(all.current, 'wlan');
  const { mobile, peer, stop } = all.connect();
  all.run(1000);
  all.setDelay('wlan', 150);
  all.run(3000);
  assert.equal(all.current, 'wimax');
  assert.equal(all.events('handover-completed').at(-1)?.kind, 'soft');
  assert.deepEqual(all.events('access-silent'), []);
  stop();
  all.run(3000);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
});

test('MobileNode: with a home agent that allows one care-of address the others are measured too, and a load step moves the node there', () => {
  const all = started({ selector: utility(), isMultipathAllowed: false });
  all.run(30_000);
  assert.equal(all.current, 'wlan', 'the best by what was measured over accesses that never had the binding');
  assert.ok(all.path.length <= 2, all.path.join());
  const { mobile, peer, stop } = all.connect();
  all.call();
  all.run(1000);
  all.setDelay('wlan', 150);
  all.run(8000);
  assert.deepEqual([all.current, all.sessions, all.agent.bindings], ['wimax', ['wimax'], 1]);
  assert.equal(all.events('handover-completed').at(-1)?.kind, 'soft');
  stop();
  all.run(3000);
  assert.deepEqual([peer.received, mobile.received], [mobile.sent, peer.sent]);
  all.cutOff('umts');
  all.run(15_000);
  assert.deepEqual(
    all.events('access-silent').map(({ access }) => access),
    ['umts'],
    'a link that leads nowhere is found out before it is needed',
  );
});

for (const dwellMs of [10_000, 30_000])
  test(`MobileNode: a saw-tooth load causes at most one handover per dwell time of ${dwellMs / 1000} s`, () => {
    const all = started({ selector: utility({ dwellMs }) });
    all.run(15_000);
    const before = all.path.length;
    for (let second = 0; second < 120; second++) {
      all.setDelay('wlan', second % 8 < 4 ? 5 : 200);
      all.run(1000);
    }
    const handovers = all.path.length - before;
    assert.ok(handovers >= 1 && handovers <= 120_000 / dwellMs + 1, `${handovers} handovers in 120 s`);
  });

test('MobileNode: inside the hysteresis band nothing moves, however the delays swing; outside of it, it does', () => {
  const swing = (hysteresis: number): string[] => {
    const all = started({
      delays: { umts: 20, wlan: 20 },
      selector: utility({ hysteresis, dwellMs: 0, equalCoverageHysteresis: 0 }, ['umts', 'wlan']),
    });
    for (let second = 0; second < 60; second++) {
      all.setDelay('wlan', 18 + (second % 2));
      all.run(1000);
    }
    return all.path;
  };
  assert.deepEqual(swing(0.8), ['umts']);
  assert.deepEqual(swing(0), ['umts', 'wlan']);
});

test('MobileNode: a class of flows goes its own way, in both directions, and comes back with the policy of the rest', () => {
  const bulkClass = { name: 'bulk', selector: { protocol: 6, correspondentPorts: [5201, 5201] } } as const;
  const all = started({
    selector: utility({}, names, [
      { name: 'bulk', policy: { powerWeight: 0.1, costWeight: 0.8, loadWeight: 0.1 } },
    ]),
    mobileIp: { flowClasses: [bulkClass] },
  });
  all.run(15_000);
  assert.equal(all.current, 'wlan');
  // WiMAX costs least here.
  assert.deepEqual(
    all.carriersOf(() => all.connect(5201)),
    ['10.3.0.2'],
  );
  assert.deepEqual(
    all.carriersOf(() => all.connect(5202)),
    ['10.2.0.2'],
  );
  all.requestHandover('umts');
  all.run(2000);
  assert.deepEqual(
    all.carriersOf(() => all.connect(5201)),
    ['10.1.0.2'],
    "a person's wish is for all flows",
  );
});

test('MobileNode: a class of flows does not wait for the end of a handover that it has nothing to do with', () => {
  const voiceClass = { name: 'voice', selector: { protocol: 17, correspondentPorts: [5004, 5004] } } as const;
  const all = started({
    delays: { umts: 3, wlan: 5, wimax: 25 },
    selector: utility({ dwellMs: 0, costWeight: 0.7, loadWeight: 0.1 }, names, [
      { name: 'voice', policy: { powerWeight: 0.01, costWeight: 0.01, loadWeight: 0.98 } },
    ]),
    mobileIp: { flowClasses: [voiceClass] },
  });
  all.run(15_000);
  all.call();
  const [umts, wlan] = [1, 2];
  const voiceOver = () => all.agent.record(homeAddress).flows.at(0)?.bindingIds[0];
  assert.deepEqual([all.current, voiceOver()], ['wimax', umts]);
  // Nobody answers the re-INVITE any more, so the handover that a load begins lasts.
  all.killPeer();
  all.setDelay('wimax', 1000);
  assert.ok(all.runUntil(() => all.node.status().handover?.phase === 'transferring', 10_000));
  const before = all.events('handover-started').length;
  all.cutOff('umts');
  all.run(6000);
  assert.deepEqual(all.node.status().handover, { to: 'wlan', phase: 'transferring' });
  assert.equal(all.events('handover-started').length, before, 'the same one');
  assert.equal(voiceOver(), wlan, 'the class has left the access that leads nowhere');
});

test('MobileNode: a binding that the home agent takes back moves the node to another access, and SIP follows', () => {
  const all = started({ selector: new PreferenceOrder(['wlan', 'umts', 'wimax']) });
  all.call();
  all.revoke('wlan');
  all.run(2000);
  assert.deepEqual([all.current, all.forwarding, all.sessions], ['umts', 'umts', ['umts']]);
});

test('MobileNode: a policy that insists on an access without binding cannot keep SIP from where Mobile IP is', () => {
  const all = started({
    selector: { decide: ({ current }, at) => ({ at, current, chosen: current ?? 'wlan', judgements: [] }) },
  });
  all.call();
  assert.equal(all.current, 'wlan');
  all.revoke('wlan');
  all.run(2000);
  assert.equal(all.current, all.forwarding);
  assert.deepEqual(all.sessions, [all.forwarding]);
});

test("MobileNode: a person's wish holds against the policy", () => {
  const all = started({ selector: utility() });
  all.run(15_000);
  all.requestHandover('umts');
  all.run(20_000);
  assert.equal(all.current, 'umts');
  assert.equal(
    all.node.decisions.latest?.judgements.find(({ access }) => access === 'umts')?.verdict,
    "a person's wish",
  );
});

test('MobileNode: says of every handover by choice what was compared, with numbers from which it follows', () => {
  const all = started({ selector: utility() });
  all.run(15_000);
  const { moves, latest } = all.node.decisions;
  assert.equal(latest?.chosen, 'wlan');
  const last = moves.at(-1)!;
  const numbersOf = (name: string) => last.judgements.find(({ access }) => access === name)!.numbers;
  const { below = 0, U = 0, z = 0, J = 0, RNL = 0, P = 0, C = 0 } = numbersOf('wlan');
  assert.ok(U < below);
  assert.ok(Math.abs(RNL - (z + 5 * J)) < 1e-9);
  assert.ok(Math.abs(U - (0.2 * Math.log(P) + 0.3 * Math.log(C) + 0.5 * Math.log(RNL))) < 1e-9);
});

test('MobileNode: a re-INVITE goes to the peer itself where no proxy wanted to stay on the way, whatever proxy the access has', () => {
  const all = started({ proxies: { wlan: '203.0.113.99' } });
  all.call();
  all.requestHandover('wlan');
  all.run(1000);
  const [session] = all.events('handover-completed').at(-1)?.sessions ?? [];
  assert.equal(session?.method, 're-INVITE');
  assert.deepEqual(all.sessions, ['wlan']);
});

test("MobileNode: the home agent's SIP proxy may call a node that it registers; to others it is a stranger", () => {
  assert.equal(started({ registration: 'home-agent' }).callFromHomeAgent(), true);
  assert.equal(started({ registration: 'none' }).callFromHomeAgent(), false);
});

test('MobileNode: takes all bindings back when it stops', () => {
  const all = started();
  all.stop();
  all.run(1000);
  assert.equal(all.agent.bindings, 0);
  assert.ok(all.node.isStopped);
});

const scores = {
  umts: { coverage: 'large', power: 2, cost: 5 },
  wlan: { coverage: 'small', power: 1, cost: 1.5 },
  wimax: { coverage: 'small', power: 1.5, cost: 1 },
} as const;

function utility(
  changes: Partial<AccessPolicyOptions> = {},
  accesses: readonly string[] = names,
  classes: ConstructorParameters<typeof UtilitySelector>[0]['classes'] = [],
): UtilitySelector {
  return new UtilitySelector({
    load: { historyWindow: 5, jitterWeight: 5 },
    policy: {
      powerWeight: 0.2,
      costWeight: 0.3,
      loadWeight: 0.5,
      hysteresis: 0.2,
      equalCoverageHysteresis: 0,
      warmUpSamples: 3,
      dwellMs: 10_000,
      penaltyMs: 30_000,
      ...changes,
    },
    accesses: accesses.map((name) => ({ name, ...scores[name as keyof typeof scores] })),
    classes,
  });
}

function permutations(items: readonly string[]): string[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

function started(options: Partial<MobileNodeNetworkOptions> = {}): MobileNodeNetwork {
  const all = new MobileNodeNetwork({ delays, ...options });
  all.attach(...Object.keys(options.delays ?? delays));
  all.run(3000);
  return all;
}
