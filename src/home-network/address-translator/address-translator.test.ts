import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyAddressOf, type NatComponent } from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import { maximumBindingsPerSession } from './limits.ts';
import { audio, correspondent, Lab, mobile3g, mobileWlan } from './test-lab.ts';

test('AddressTranslator: an INITIAL_REQUEST is answered with x:a and y:b when the engine has the bindings', () => {
  const lab = new Lab();
  lab.engineIsHeld = true;
  const session = lab.session();
  const request = lab.client.open(session, [audio], 0);
  lab.network.settle();
  assert.deepEqual(lab.outcomes(), [], 'no answer before effect-completed');
  lab.releaseEngine();
  const [installed] = lab.completed(request);
  assert.deepEqual(installed?.mobileNode, audio.mobileNode);
  assert.equal(installed?.towardsCorrespondent?.address, '198.51.100.1');
  assert.deepEqual(lab.uplink(installed, mobile3g)?.rewrite, {
    source: installed?.towardsCorrespondent?.address,
    sourcePort: installed?.towardsCorrespondent?.port,
    destination: correspondent.address,
    destinationPort: correspondent.port,
  });
  assert.equal(lab.translator.bindings, 1);
  assert.deepEqual(
    lab.events.map(({ kind }) => kind),
    ['controller-available', 'session-changed'],
  );
});

test('AddressTranslator: a reservation with one end known installs nothing; the UPDATE with the other end does', () => {
  const lab = new Lab();
  const session = lab.session();
  const { correspondent: _unknown, ...offered } = audio;
  const [reserved] = lab.run((client) => client.open(session, [offered], 0));
  assert.ok(reserved?.towardsCorrespondent !== undefined && reserved.towardsMobileNode !== undefined);
  assert.equal(lab.kernel.size, 0);
  const [complete] = lab.run((client) => client.update(session, [{ ...reserved, correspondent }], 0));
  assert.deepEqual(complete, { ...reserved, correspondent });
  assert.equal(lab.kernel.size, 2);
});

test('AddressTranslator: a handover of all components is one transaction, and the old address is accepted for the grace time', () => {
  const lab = new Lab({ graceTimeMs: 1000 });
  const session = lab.session();
  const video = { ...audio, mobileNode: { address: mobile3g, port: 6002 } };
  const installed = lab.run((client) => client.open(session, [audio, video], 0));
  lab.transactions = 0;
  const moved = installed.map((one) => ({
    ...one,
    mobileNode: { address: mobileWlan, port: one.mobileNode?.port ?? 0 },
  }));
  assert.deepEqual(
    lab.run((client) => client.update(session, moved, 0)),
    moved,
  );
  assert.equal(lab.transactions, 1);
  for (const component of moved) {
    assert.equal(lab.downlink(component)?.rewrite.destination, mobileWlan);
    assert.ok(lab.uplink(component, mobileWlan));
    assert.ok(lab.uplink(component, mobile3g));
  }
  lab.network.run(1000);
  for (const component of moved) assert.equal(lab.uplink(component, mobile3g), undefined);
});

test('AddressTranslator: when the engine refuses, session and bindings are as they were', () => {
  const lab = new Lab();
  const session = lab.session();
  const installed = lab.run((client) => client.open(session, [audio], 0));
  lab.engineError = 'NETLINK_REFUSED';
  const moved = installed.map((one) => ({ ...one, mobileNode: { address: mobileWlan, port: 6000 } }));
  assert.equal(
    lab.refusal((client) => client.update(session, moved, 0)),
    resultCode.bindingFailure,
  );
  const second = lab.session();
  assert.equal(
    lab.refusal((client) => client.open(second, [audio], 0)),
    resultCode.bindingFailure,
  );
  lab.engineError = undefined;
  assert.equal(lab.translator.bindings, 1);
  assert.equal(lab.translator.sessions, 1);
  assert.deepEqual(
    lab.run((client) => client.query(session, 0)),
    installed,
  );
  assert.deepEqual(
    lab.run((client) => client.update(session, moved, 0)),
    moved,
  );
});

test('AddressTranslator: no more sessions and bindings than the operator says, of which a controller among several has a share', () => {
  const sessionsOf = (lab: Lab): readonly (number | undefined)[] =>
    [1, 2, 3, 4, 5, 6].map(() => {
      const [request, outcomes] = [lab.client.open(lab.session(), [audio], 0), lab.outcomes()];
      const outcome = outcomes.find((event) => event.request === request);
      return outcome?.kind === 'request-refused' ? outcome.resultCode : undefined;
    });
  const full = resultCode.resourceFailure;
  const alone = new Lab({ maximumSessions: 5 });
  assert.deepEqual(sessionsOf(alone), [undefined, undefined, undefined, undefined, undefined, full]);
  const shared = new Lab({ maximumSessions: 5, controllers: ['as.example', 'other.example'] });
  assert.deepEqual(sessionsOf(shared), [undefined, undefined, undefined, undefined, full, full]);
  const many = new Lab({ maximumSessions: 1 });
  assert.equal(
    many.refusal((client) => client.open(many.session(), [audio, audio, audio], 0)),
    full,
  );
});

test('AddressTranslator: the end of a session takes its bindings away and gives the ports back', () => {
  const lab = new Lab({ pool: { addresses: ['198.51.100.1'], firstPort: 20_000, lastPort: 20_001 } });
  for (let round = 0; round < 3; round++) {
    const session = lab.session();
    lab.run((client) => client.open(session, [audio], 0));
    lab.run((client) => client.close(session, 0));
    assert.equal(lab.kernel.size, 0);
    assert.equal(lab.translator.sessions, 0);
    assert.equal(lab.translator.bindings, 0);
  }
});

test('AddressTranslator: a full pool is 4014 and changes nothing', () => {
  const lab = new Lab({ pool: { addresses: ['198.51.100.1'], firstPort: 20_000, lastPort: 20_002 } });
  lab.run((client) => client.open(lab.session(), [audio], 0));
  assert.equal(
    lab.refusal((client) => client.open(lab.session(), [audio, audio], 0)),
    resultCode.resourceFailure,
  );
  assert.equal(lab.translator.bindings, 1);
  assert.equal(lab.kernel.size, 2);
});

test('AddressTranslator: RTP and RTCP get neighbouring ports, RTP the even one', () => {
  const lab = new Lab();
  lab.run((client) => client.open(lab.session(), [audio], 0));
  const rtcp = { ...audio, mobileNode: { address: mobile3g, port: 6001 } };
  const components = lab.run((client) => client.open(lab.session(), [audio, rtcp], 0));
  for (const side of ['towardsCorrespondent', 'towardsMobileNode'] as const) {
    const [first, second] = components.map((component) => component[side]?.port ?? 0);
    assert.equal((first ?? 1) % 2, 0);
    assert.equal(second, (first ?? 0) + 1);
  }
});

test('AddressTranslator: an absent port is the active end of TCP, whose port is kept', () => {
  const lab = new Lab();
  const tcp: NatComponent = { protocol: 'tcp', mobileNode: { address: mobile3g }, correspondent };
  const [component] = lab.run((client) => client.open(lab.session(), [tcp], 0));
  const uplink = lab.uplink(component, mobile3g, 'tcp');
  assert.deepEqual(Object.keys(uplink?.rewrite ?? {}), ['source', 'destination', 'destinationPort']);
  const [second] = lab.run((client) => client.open(lab.session(), [tcp], 0));
  assert.notEqual(second?.towardsCorrespondent?.address, component?.towardsCorrespondent?.address);
  const refused = lab.refusal((client) => client.open(lab.session(), [tcp], 0));
  assert.equal(refused, resultCode.resourceFailure, 'every address has a flow to that correspondent');
});

test('AddressTranslator: two peers who connect to one application come through different addresses, a third is refused', () => {
  const lab = new Lab();
  const listening = { protocol: 'tcp', mobileNode: { address: '10.1.0.2', port: 22 } } as const;
  const components = (host: number) => [{ ...listening, correspondent: { address: `203.0.113.${host}` } }];
  const [[first], [second]] = [1, 2].map((host) =>
    lab.run((client) => client.open(lab.session(), components(host), 0)),
  ) as [NatComponent[], NatComponent[]];
  assert.ok(first?.towardsMobileNode && second?.towardsMobileNode);
  assert.notEqual(first.towardsMobileNode.address, second.towardsMobileNode.address);
  assert.equal(lab.kernel.size, 4);
  assert.equal(
    lab.refusal((client) => client.open(lab.session(), components(3), 0)),
    resultCode.resourceFailure,
  );
  assert.equal(lab.kernel.size, 4);
});

test('AddressTranslator: a mobile node that goes to IPv6 and back gets a y:b of that version, and each is its own for good', () => {
  const lab = new Lab({ graceTimeMs: 1000 });
  const session = lab.session();
  const rtcp = {
    ...audio,
    mobileNode: { address: mobile3g, port: 6001 },
    correspondent: { ...correspondent, port: 7001 },
  };
  const first = lab.run((client) => client.open(session, [audio, rtcp], 0));
  const asking = first.map((one) => ({ ...one, towardsMobileNode: anyAddressOf(6) }));
  lab.transactions = 0;
  const reserved = lab.run((client) => client.update(session, asking, 0));
  assert.equal(lab.transactions, 0, 'nothing is in use yet');
  const [even, odd] = reserved.map(({ towardsMobileNode }) => towardsMobileNode);
  assert.deepEqual([even?.address, odd?.address], ['2001:db8::1', '2001:db8::1']);
  assert.deepEqual([(even?.port ?? 1) % 2, odd?.port], [0, (even?.port ?? 0) + 1]);
  assert.deepEqual(
    lab.run((client) => client.query(session, 0)),
    first,
  );
  const mobile6 = (one: NatComponent) => ({
    ...one,
    mobileNode: { address: '2001:db8:1::2', port: one.mobileNode?.port ?? 0 },
  });
  const moved = lab.run((client) => client.update(session, reserved.map(mobile6), 0));
  assert.deepEqual(moved, reserved.map(mobile6));
  assert.equal(lab.downlink(moved[0])?.rewrite.destination, '2001:db8:1::2');
  assert.equal(lab.downlink(moved[0])?.rewrite.source, '2001:db8::1');
  assert.ok(lab.uplink(moved[0], '2001:db8:1::2') && lab.uplink(first[0], mobile3g), 'both are accepted');
  lab.network.run(1000);
  assert.ok(lab.uplink(moved[0], '2001:db8:1::2') && lab.uplink(first[0], mobile3g) === undefined);
  const back = first.map((one) => ({ ...one, towardsMobileNode: anyAddressOf(4) }));
  assert.deepEqual(
    lab.run((client) => client.update(session, back, 0)),
    first,
    'the first y:b again',
  );
  lab.run((client) => client.close(session, 0));
  assert.deepEqual([lab.kernel.size, lab.translator.bindings], [0, 0]);
});

test('AddressTranslator: a mobile node in the other version of IP without an address for it is refused', () => {
  const lab = new Lab({ pool: { addresses: ['198.51.100.1'], firstPort: 20_000, lastPort: 20_009 } });
  const session = lab.session();
  const [first] = lab.run((client) => client.open(session, [audio], 0));
  assert.ok(first);
  const mobileNode = { address: '2001:db8:1::2', port: 6000 };
  for (const towardsMobileNode of [first.towardsMobileNode ?? assert.fail(), anyAddressOf(6)])
    assert.equal(
      lab.refusal((client) => client.update(session, [{ ...first, mobileNode, towardsMobileNode }], 0)),
      resultCode.bindingFailure,
    );
  assert.deepEqual(
    lab.run((client) => client.query(session, 0)),
    [first],
  );
});

test('AddressTranslator: a session that is restored, or grows, while its ends are of two versions of IP', () => {
  const lab = new Lab();
  const mixed = { ...audio, mobileNode: { address: '2001:db8:1::2', port: 6000 } };
  const restored = {
    ...mixed,
    towardsCorrespondent: { address: '198.51.100.1', port: 20_100 },
    towardsMobileNode: { address: '2001:db8::1', port: 20_100 },
  };
  const session = lab.session();
  assert.deepEqual(
    lab.run((client) => client.open(session, [restored], 0)),
    [restored],
  );
  const { correspondent: _unknown, ...offered } = mixed;
  const [added] = lab.run((client) =>
    client.update(
      session,
      [{ ...offered, towardsCorrespondent: anyAddressOf(4), towardsMobileNode: anyAddressOf(6) }],
      0,
    ),
  );
  assert.match(added?.towardsCorrespondent?.address ?? '', /^198\.51\.100\./);
  assert.equal(added?.towardsMobileNode?.address, '2001:db8::1');
});

test('AddressTranslator: IPv6 components, and those between IPv6 and IPv4', () => {
  const lab = new Lab();
  const mobileNode = { address: '2001:db8:1::2', port: 6000 };
  const six = {
    protocol: 'udp',
    mobileNode,
    correspondent: { address: '2001:db8:7::7', port: 7000 },
  } as const;
  const [component] = lab.run((client) => client.open(lab.session(), [six], 0));
  assert.equal(component?.towardsMobileNode?.address, '2001:db8::1');
  const mixed = { ...six, correspondent };
  const [between] = lab.run((client) => client.open(lab.session(), [mixed], 0));
  assert.equal(between?.towardsCorrespondent?.address, '198.51.100.1');
  assert.equal(between?.towardsMobileNode?.address, '2001:db8::1');
});

test('AddressTranslator: components are added and removed in a session', () => {
  const lab = new Lab();
  const session = lab.session();
  const [first] = lab.run((client) => client.open(session, [audio], 0));
  const [second] = lab.run((client) => client.update(session, [audio], 0));
  assert.ok(first !== undefined && second !== undefined);
  assert.notDeepEqual(first.towardsCorrespondent, second.towardsCorrespondent);
  lab.run((client) => client.remove(session, [first], 0));
  assert.deepEqual(
    lab.run((client) => client.query(session, 0)),
    [second],
  );
  assert.equal(
    lab.refusal((client) => client.remove(session, [first], 0)),
    resultCode.bindingFailure,
  );
});

test('AddressTranslator: another end of the correspondent replaces the binding and keeps x:a and y:b', () => {
  const lab = new Lab();
  const session = lab.session();
  const [first] = lab.run((client) => client.open(session, [audio], 0));
  const other = { address: '203.0.113.8', port: 7777 };
  const [changed] = lab.run((client) =>
    client.update(session, [{ ...first, ...audio, correspondent: other }], 0),
  );
  assert.deepEqual(changed, { ...first, correspondent: other });
  assert.equal(lab.uplink(changed, mobile3g)?.rewrite.destination, other.address);
  assert.equal(lab.kernel.size, 2);
});

test('AddressTranslator: unknown, existing and overfull sessions are refused', () => {
  const lab = new Lab();
  const session = lab.session();
  assert.equal(
    lab.refusal((client) => client.update(session, [audio], 0)),
    resultCode.unknownSessionId,
  );
  assert.equal(
    lab.refusal((client) => client.query(session, 0)),
    resultCode.unknownSessionId,
  );
  assert.equal(
    lab.refusal((client) => client.close(session, 0)),
    resultCode.unknownSessionId,
  );
  lab.run((client) => client.open(session, [audio], 0));
  assert.equal(
    lab.refusal((client) => client.open(session, [audio], 0)),
    resultCode.sessionExists,
  );
  const many = Array.from({ length: maximumBindingsPerSession }, () => audio);
  const refused = lab.refusal((client) => client.update(session, many, 0));
  assert.equal(refused, resultCode.maximumBindingsReachedForEndpoint);
});

test('AddressTranslator: contradictions in a component are refused', () => {
  const lab = new Lab();
  const withoutPort = { ...audio, mobileNode: { address: mobile3g } };
  assert.equal(
    lab.refusal((client) => client.open(lab.session(), [withoutPort], 0)),
    resultCode.invalidAvpValue,
  );
  assert.equal(
    lab.refusal((client) => client.open(lab.session(), [{ protocol: 'udp' }], 0)),
    resultCode.invalidAvpValue,
  );
  assert.equal(
    lab.refusal((client) => client.open(lab.session(), [], 0)),
    resultCode.missingAvp,
  );
  const invented = { ...audio, towardsCorrespondent: { address: '198.51.100.1', port: 1 } };
  assert.equal(
    lab.refusal((client) => client.open(lab.session(), [invented], 0)),
    resultCode.bindingFailure,
  );
  assert.equal(lab.translator.bindings, 0);
});

test('AddressTranslator: a query answers with what the engine has counted', () => {
  const lab = new Lab();
  const session = lab.session();
  lab.run((client) => client.open(session, [audio], 0));
  lab.counters = [
    { packets: 7, octets: 700 },
    { packets: 3, octets: 300 },
  ];
  const [component] = lab.run((client) => client.query(session, 0));
  assert.deepEqual(component?.inCounters, { packets: 7, octets: 700 });
  assert.deepEqual(component?.outCounters, { packets: 3, octets: 300 });
});
