import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { HomeSubscriberServer } from '../../src/ims-core/hss/home-subscriber-server.ts';
import { type Subscriber, trimFilterCriteria } from '../../src/ims-core/hss/subscriber.ts';
import { ImsCoreLab, type TestUser, WithoutEvents } from './ims-core-lab.ts';

function subscriber(name: string, more: Partial<Subscriber> = {}): Subscriber {
  return {
    privateIdentity: `${name}@home1.net`,
    publicIdentities: [{ identity: `sip:${name}@home1.net` }],
    credentials: { password: 'secret' },
    initialFilterCriteria: [],
    ...more,
  };
}

/** The core with its own HSS. */
function lab(): { core: ImsCoreLab; mn: TestUser; cn: TestUser } {
  const homeSubscriberServer = new HomeSubscriberServer({
    diameter: {
      originHost: 'hss.home1.net',
      originRealm: 'home1.net',
      originStateId: 1,
      listen: [{ address: '10.0.1.5', port: 3868 }],
      peers: [{ host: 'icscf.home1.net' }, { host: 'scscf.home1.net' }],
      random: new SeededRandomSource(5),
    },
    subscribers: [
      subscriber('mn', {
        publicIdentities: [
          { identity: 'sip:mn@home1.net' },
          { identity: 'sip:anna@home1.net' },
          { identity: 'sip:imsi@home1.net', isBarred: true },
        ],
        initialFilterCriteria: trimFilterCriteria('sip:as.home1.net'),
      }),
      subscriber('cn'),
      subscriber('mailbox', { hasUnregisteredServices: true }),
    ],
    digestRealm: 'home1.net',
  });
  const core = new ImsCoreLab({
    subscribers: [],
    homeSubscriberServer: new WithoutEvents(homeSubscriberServer),
  });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  const cn = core.user({ identity: 'sip:cn@home1.net', password: 'secret', address: '10.0.0.20', seed: 20 });
  mn.register(core.now);
  cn.register(core.now);
  core.run(2_000);
  core.takeLadder();
  return { core, mn, cn };
}

function lastStatus(user: TestUser): number | undefined {
  return user.responses.at(-1)?.statusCode;
}

test('IMS core with its HSS: the TRIM subscriber registers all his identities, and the AS sees it', () => {
  const { core, mn } = lab();
  assert.equal(lastStatus(mn), 200);
  assert.deepEqual(mn.responses.at(-1)!.headers.getAll('P-Associated-URI'), [
    '<sip:mn@home1.net>',
    '<sip:anna@home1.net>',
  ]);
  assert.equal(core.applicationServer.registers.length, 1);
  assert.match(core.applicationServer.registers[0]!.body, /Contact: <sip:ue@10\.0\.0\.10:5060>/);
});

test('IMS core with its HSS: calls from and to the TRIM subscriber pass his AS, whichever identity is called', () => {
  const { core, mn, cn } = lab();
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(mn), 200);
  cn.dialog = undefined;
  mn.dialog = undefined;
  cn.call(core.now, 'sip:anna@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(cn), 200);
  assert.equal(mn.requests[0]!.headers.get('P-Called-Party-ID'), '<sip:anna@home1.net>');
  const cases = core.applicationServer.invites.map((invite) => invite.headers.get('P-Served-User'));
  assert.deepEqual(cases, [
    '<sip:mn@home1.net>;sescase=orig;regstate=reg',
    '<sip:anna@home1.net>;sescase=term;regstate=reg',
  ]);
});

test('IMS core with its HSS: a barred identity is not called, an unknown one is unknown, an absent one unavailable', () => {
  const { core, mn, cn } = lab();
  for (const [target, statusCode] of [
    ['sip:imsi@home1.net', 404],
    ['sip:nobody@home1.net', 404],
    ['sip:mailbox@home1.net', 480],
  ] as const) {
    cn.call(core.now, target);
    core.run(1_000);
    assert.equal(lastStatus(cn), statusCode, target);
  }
  mn.headers = [['Expires', '0']];
  mn.register(core.now, '*');
  core.run(1_000);
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(cn), 480);
});

test('IMS core with its HSS: nobody registers the identity of somebody else', () => {
  const { core, mn } = lab();
  mn.registerAs(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(mn), 403);
});

test('IMS core with its HSS: who has gone may come again', () => {
  const { core, mn } = lab();
  mn.register(core.now, `${mn.contact};expires=0`);
  core.run(1_000);
  mn.register(core.now);
  core.run(1_000);
  assert.equal(lastStatus(mn), 200);
  assert.equal(core.applicationServer.registers.length, 3);
});
