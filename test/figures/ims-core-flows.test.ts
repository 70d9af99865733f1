/** Flows of a mobile node to its P-CSCF (RFC 5626): kept alive while they are registered, registered anew when they fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instant } from '../../src/base/instant.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import type { ServingCscfOptions } from '../../src/ims-core/s-cscf/serving-cscf-options.ts';
import { ImsUserAgent } from '../../src/mobile-node/sip-user-agent/ims-user-agent.ts';
import { BackToBackUserAgent } from '../../src/protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { SipEndpoint } from '../../src/protocols/sip/endpoint.ts';
import { defaultRegistrationPolicy } from '../../src/protocols/sip/registration/binding.ts';
import { ImsCoreLab } from './ims-core-lab.ts';

const access = {
  index: 1,
  address: '10.0.0.10',
  signallingPort: 5060,
  proxyCscf: { address: '10.0.1.1', port: 5060 },
  accessNetworkInfo: undefined,
};

test('ImsUserAgent: keeps its flow alive by STUN from the registration to the deregistration, and no longer', () => {
  const { core, userAgent, keepAlives } = registered();
  core.run(600_000);
  const sent = keepAlives();
  assert.ok(sent >= 20 && sent <= 26, `${sent}`);
  userAgent.deregister(1, access, core.now);
  core.network.flush();
  core.run(1_000);
  const before = keepAlives();
  core.run(200_000);
  assert.equal(keepAlives(), before);
});

test('ImsUserAgent: a flow without answers is registered anew, and kept again when that has worked', () => {
  const { core, keepAlives, registrations } = registered();
  core.run(20_000);
  const before = registrations();
  // The P-CSCF has lost power for a while: nothing comes back.
  core.network.fate = (line) => (line.startsWith('\u0001\u0001') ? [] : [5]);
  core.run(75_000);
  core.network.fate = () => [5];
  assert.ok(registrations() > before, 'no REGISTER');
  const sent = keepAlives();
  core.run(120_000);
  assert.ok(keepAlives() - sent >= 4);
});

test('ImsUserAgent: sends no STUN where the core does not know flows (RFC 5626 §8)', () => {
  const { core, keepAlives } = registered({
    registration: { ...defaultRegistrationPolicy, supportsOutbound: false },
  });
  core.run(300_000);
  assert.equal(keepAlives(), 0);
});

test('ImsUserAgent: asks its P-CSCF over one access at once, and nobody where the core does not know flows', () => {
  const { core, userAgent, answered } = registered();
  const [first, second] = [userAgent.checkFlow(1, core.now), userAgent.checkFlow(1, core.now)];
  core.network.flush();
  core.run(100);
  assert.deepEqual(answered, [first, second]);
  assert.notEqual(first, second);
  assert.equal(userAgent.checkFlow(2, core.now), undefined);
  const without = registered({ registration: { ...defaultRegistrationPolicy, supportsOutbound: false } });
  assert.equal(without.userAgent.checkFlow(1, without.core.now), undefined);
});

test('P-CSCF: a flow whose connection has gone is answered 430, and the S-CSCF tries the next flow of the device', () => {
  const user = (name: string) => ({
    publicIdentity: `sip:${name}@home1.net`,
    password: 'secret',
    criteria: '',
  });
  const core = new ImsCoreLab({ subscribers: [user('mn'), user('cn')] });
  const at = (address: string, seed: number, name = 'mn') =>
    core.user({ identity: `sip:${name}@home1.net`, password: 'secret', address, seed });
  const [old, recent, cn] = [at('10.0.2.10', 1), at('10.0.0.10', 2), at('10.0.0.20', 3, 'cn')];
  const contact = (address: string, regId: number) =>
    `<sip:ue@${address}:5060>;+sip.instance="<urn:uuid:1>";reg-id=${regId};expires=3600`;
  old.register(core.now, contact('10.0.2.10', 1));
  cn.register(core.now);
  core.run(1_000);
  // Too long for a datagram: the flow is a connection.
  recent.headers = [['X-Padding', 'x'.repeat(1_300)]];
  recent.register(core.now, contact('10.0.0.10', 2));
  core.run(1_000);
  core.network.breakConnections('10.0.0.10');
  core.run(1_000);
  core.takeLadder();
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(1_000);
  const ladder = core.takeLadder();
  assert.deepEqual(
    ladder.filter((line) => / 430$|→ MN'? /.test(line) && !line.endsWith('ACK')),
    ['P → S 430', "P → MN' INVITE"],
  );
  assert.equal(cn.responses.at(-1)!.statusCode, 200);
});

function registered(serving: Partial<ServingCscfOptions> = {}) {
  const core = new ImsCoreLab({
    subscribers: [{ publicIdentity: 'sip:mn@home1.net', password: 'secret', criteria: '' }],
    serving,
  });
  const random = new SeededRandomSource(10);
  const listen = (['udp', 'tcp'] as const).map((transport) => ({
    transport,
    address: '10.0.0.10',
    port: 5060,
  }));
  const agent = new BackToBackUserAgent({ endpoint: new SipEndpoint({ listen, random }), random });
  const identity = {
    publicIdentity: 'sip:mn@home1.net',
    privateIdentity: 'mn@home1.net',
    password: 'secret',
    homeDomain: 'home1.net',
    instance: 'urn:uuid:00000000-0000-1000-8000-000000000001',
    expiresSeconds: 3_600,
  };
  const userAgent = new ImsUserAgent({ identity, agent, random });
  const answered: string[] = [];
  const machine = {
    handleInput: agent.handleInput.bind(agent),
    handleTimeout: (now: Instant) => {
      agent.handleTimeout(now);
      userAgent.handleTimeout(now);
    },
    pollTimeout: () => agent.pollTimeout() ?? userAgent.pollTimeout(),
    pollOutput: () => {
      for (let output = agent.pollOutput(); output !== undefined; output = agent.pollOutput()) {
        if (output.kind !== 'event') return output;
        const { event } = output;
        if (event.type === 'outside-response-arrived')
          userAgent.handleResponse(event.transaction, event.response, core.now);
        else if (event.type === 'kept-flow-failed') userAgent.handleFlowFailure(event.flow, core.now);
        else if (event.type === 'flow-answered') answered.push(event.check);
      }
      return undefined;
    },
  };
  agent.start(core.now);
  core.network.add(machine, () => {});
  userAgent.register(access, core.now);
  core.network.flush();
  core.run(2_000);
  assert.equal(userAgent.isRegistered(1), true);
  const fromNode = (start: string) =>
    core.network.ladder.filter(
      (line) => line.includes(' 10.0.0.10:5060 → ') && line.includes(`:5060 udp ${start}`),
    ).length;
  return {
    core,
    userAgent,
    answered,
    keepAlives: () => fromNode('\u0000\u0001'),
    registrations: () => fromNode('REGISTER'),
  };
}
