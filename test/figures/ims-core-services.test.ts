/** The IMS core with its own HSS: users who are not registered, profiles that change, S-CSCFs that die. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { HomeSubscriberServer } from '../../src/ims-core/hss/home-subscriber-server.ts';
import type { InitialFilterCriterion, SessionCase, Subscriber } from '../../src/ims-core/hss/subscriber.ts';
import { ImsCoreLab, type LabOptions, type TestUser, WithoutEvents } from './ims-core-lab.ts';
import { MortalFunction } from './mortal-function.ts';

function subscriber(name: string, more: Partial<Subscriber> = {}): Subscriber {
  return {
    privateIdentity: `${name}@home1.net`,
    publicIdentities: [{ identity: `sip:${name}@home1.net` }],
    credentials: { password: 'secret' },
    initialFilterCriteria: [],
    ...more,
  };
}

function inviteCriterion(priority: number, sessionCase: SessionCase): InitialFilterCriterion {
  return {
    priority,
    trigger: {
      combination: 'any-group',
      servicePoints: [
        { groups: [0], condition: { method: 'INVITE' } },
        { groups: [0], condition: { sessionCase } },
      ],
    },
    applicationServer: { serverName: 'sip:as.home1.net', defaultHandling: 'continue' },
  };
}

const mailbox = subscriber('mailbox', {
  hasUnregisteredServices: true,
  initialFilterCriteria: [
    inviteCriterion(1, 'terminating-unregistered'),
    inviteCriterion(2, 'terminating-unregistered'),
    inviteCriterion(3, 'originating-unregistered'),
    inviteCriterion(4, 'terminating-registered'),
  ],
});

class ServiceLab {
  readonly hss: HomeSubscriberServer;
  readonly core: ImsCoreLab;

  constructor(options: Partial<LabOptions> = {}) {
    this.hss = new HomeSubscriberServer({
      diameter: {
        originHost: 'hss.home1.net',
        originRealm: 'home1.net',
        originStateId: 1,
        listen: [{ address: '10.0.1.5', port: 3868 }],
        peers: ['icscf', 'scscf', 'scscf2'].map((name) => ({ host: `${name}.home1.net` })),
        random: new SeededRandomSource(5),
      },
      subscribers: [subscriber('mn'), subscriber('cn'), mailbox],
      digestRealm: 'home1.net',
    });
    const homeSubscriberServer = new WithoutEvents(this.hss);
    this.core = new ImsCoreLab({ subscribers: [], homeSubscriberServer, ...options });
  }

  /** Registered. */
  user(name: string, address: string, seed: number): TestUser {
    const user = this.core.user({ identity: `sip:${name}@home1.net`, password: 'secret', address, seed });
    user.register(this.core.now);
    this.core.run(2_000);
    return user;
  }

  get served(): (string | undefined)[] {
    return this.core.applicationServer.invites.map(({ headers }) => headers.get('P-Served-User'));
  }
}

test('IMS core: a call to an unregistered user passes all his servers', () => {
  const service = new ServiceLab();
  const cn = service.user('cn', '10.0.0.20', 20);
  cn.call(service.core.now, 'sip:mailbox@home1.net');
  service.core.run(2_000);
  assert.deepEqual(service.served, Array(2).fill('<sip:mailbox@home1.net>;sescase=term;regstate=unreg'));
  assert.equal(cn.responses.at(-1)?.statusCode, 480);
});

test('IMS core: an application server calls in the name of a user who is not registered', () => {
  const service = new ServiceLab();
  const cn = service.user('cn', '10.0.0.20', 20);
  const server = service.core.user({
    ...{ identity: 'sip:service@as.home1.net', password: '', address: '10.0.0.30', seed: 30 },
    proxyCscf: '10.0.1.2;orig',
  });
  server.headers = [['P-Asserted-Identity', '<sip:mailbox@home1.net>']];
  server.call(service.core.now, 'sip:cn@home1.net');
  service.core.run(2_000);
  assert.deepEqual(service.served, ['<sip:mailbox@home1.net>;sescase=orig;regstate=unreg']);
  assert.equal(cn.requests[0]?.method, 'INVITE');
  assert.equal(server.responses.at(-1)?.statusCode, 200);
});

test('IMS core: who registers is served as registered from then on, though he was served before', () => {
  const service = new ServiceLab();
  const cn = service.user('cn', '10.0.0.20', 20);
  cn.call(service.core.now, 'sip:mailbox@home1.net');
  service.core.run(2_000);
  service.user('mailbox', '10.0.0.40', 40);
  cn.call(service.core.now, 'sip:mailbox@home1.net');
  service.core.run(2_000);
  assert.equal(service.served.at(-1), '<sip:mailbox@home1.net>;sescase=term;regstate=reg');
  assert.equal(cn.responses.at(-1)?.statusCode, 200);
});

test('IMS core: a profile that the HSS pushes counts for the next call, a user who is gone is deregistered', () => {
  const service = new ServiceLab();
  const { core, hss } = service;
  const mn = service.user('mn', '10.0.0.10', 10);
  const cn = service.user('cn', '10.0.0.20', 20);
  const criteria = [inviteCriterion(1, 'terminating-registered')];
  hss.updateSubscribers([subscriber('mn', { initialFilterCriteria: criteria }), subscriber('cn')], core.now);
  core.run(500);
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(2_000);
  assert.deepEqual(service.served, ['<sip:mn@home1.net>;sescase=term;regstate=reg']);
  hss.updateSubscribers([subscriber('cn')], core.now);
  core.run(2_000);
  assert.ok(
    [mn, cn].every(({ requests }) => requests.some(({ method }) => method === 'BYE')),
    'his calls end with his registration',
  );
});

test('IMS core: when the S-CSCF of a user is dead, the I-CSCF asks what another must be able to do, and takes it', () => {
  const mortals: MortalFunction[] = [];
  const service = new ServiceLab({
    hasSecondServer: true,
    runMortal: (address, create) => {
      if (address !== '10.0.1.3') return new WithoutEvents(create(0));
      mortals.push(new MortalFunction(create, new SeededRandomSource(1)));
      return mortals[0]!;
    },
  });
  const { core } = service;
  const mn = service.user('mn', '10.0.0.10', 10);
  assert.equal(mn.responses.at(-1)?.statusCode, 200);
  mortals[0]?.kill();
  core.network.abandon(mortals[0]!);
  mn.responses.length = 0;
  core.takeLadder();
  mn.register(core.now);
  core.run(30_000);
  assert.deepEqual(
    mn.responses.map(({ statusCode }) => statusCode),
    [401, 200],
  );
  // A new user is tried at the dead one first.
  const cn = service.user('cn', '10.0.0.20', 20);
  core.run(30_000);
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(2_000);
  assert.equal(cn.responses.at(-1)?.statusCode, 200);
});
