import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { HomeSubscriberServer } from '../../src/ims-core/hss/home-subscriber-server.ts';
import type { Subscriber } from '../../src/ims-core/hss/subscriber.ts';
import type { ServingCscfOptions } from '../../src/ims-core/s-cscf/serving-cscf-options.ts';
import { Usim } from '../../src/protocols/aka/usim.ts';
import type { DigestSecret } from '../../src/protocols/sip/authentication/digest-client.ts';
import { ImsCoreLab, type TestUser, WithoutEvents } from './ims-core-lab.ts';

const key = {
  k: octets('465b5ce8b199b49faa5f0a2ee238a6bc'),
  opc: octets('cd63cb71954a9f4e48a5994e37a02baf'),
};
/** A user whom the HSS knows by a USIM, one by a password and one by HA1. */
const credentials: Readonly<Record<string, Subscriber['credentials']>> = {
  mn: key,
  cn: { password: 'secret' },
  old: { ha1: '33f1f9a3b7e8f2a4cdef7a6b1d0d3c11' },
};

function lab(serving: Partial<ServingCscfOptions> = {}): ImsCoreLab {
  const hss = new HomeSubscriberServer({
    diameter: {
      originHost: 'hss.home1.net',
      originRealm: 'home1.net',
      originStateId: 1,
      listen: [{ address: '10.0.1.5', port: 3868 }],
      peers: [{ host: 'icscf.home1.net' }, { host: 'scscf.home1.net' }],
      random: new SeededRandomSource(5),
    },
    subscribers: Object.entries(credentials).map(([name, secret]) => ({
      privateIdentity: `${name}@home1.net`,
      publicIdentities: [{ identity: `sip:${name}@home1.net` }],
      credentials: secret,
      initialFilterCriteria: [],
    })),
    digestRealm: 'home1.net',
  });
  return new ImsCoreLab({ subscribers: [], homeSubscriberServer: new WithoutEvents(hss), serving });
}

let terminals = 0;

function user(core: ImsCoreLab, name: string, password: DigestSecret): TestUser {
  const seed = 100 + terminals++;
  return core.user({ identity: `sip:${name}@home1.net`, password, address: `10.0.0.${seed}`, seed });
}

/** The answers to one registration, and what the core says to the user about keys. */
function register(core: ImsCoreLab, terminal: TestUser): readonly number[] {
  terminal.responses.length = 0;
  terminal.register(core.now);
  core.run(2_000);
  return terminal.responses.map(({ statusCode }) => statusCode);
}

test('IMS core: a USIM is challenged with AKAv1-MD5 and the P-CSCF keeps the keys to itself', () => {
  const core = lab();
  const mn = user(core, 'mn', new Usim(key));
  assert.deepEqual(register(core, mn), [401, 200]);
  const challenges = core.network.messages.filter((text) => text.includes('WWW-Authenticate'));
  assert.ok(challenges.every((text) => text.includes('algorithm=AKAv1-MD5')));
  assert.deepEqual(
    challenges.map((text) => /ck="[0-9a-f]{32}", ik="[0-9a-f]{32}"/.test(text)),
    [true, true, false],
    'S-CSCF to I-CSCF, I-CSCF to P-CSCF, P-CSCF to the user',
  );
});

test('IMS core: a refresh answers the nonce it has, so that a handover costs one round trip', () => {
  const core = lab();
  const mn = user(core, 'mn', new Usim(key));
  register(core, mn);
  assert.deepEqual(register(core, mn), [200]);
});

test('IMS core: a USIM ahead of the HSS resynchronises it (AUTS), once and for all', () => {
  const core = lab();
  const mn = user(core, 'mn', new Usim(key, 1_000_000));
  assert.deepEqual(register(core, mn), [401, 401, 200]);
  assert.ok(core.network.messages.some((text) => /auts="[A-Za-z0-9+/=]{20}"/.test(text)));
  const again = user(core, 'mn', new Usim(key, 1_000_000));
  assert.deepEqual(register(core, again), [401, 200], 'the next vector is fresh for a USIM of that state');
});

test('IMS core: a USIM with another key does not believe the network, a wrong password is refused', () => {
  const core = lab();
  const stranger = new Usim({ ...key, k: octets('00000000000000000000000000000001') });
  assert.deepEqual(register(core, user(core, 'mn', stranger)), [401]);
  assert.deepEqual(register(core, user(core, 'cn', 'wrong')), [401, 403]);
  assert.deepEqual(register(core, user(core, 'mn', 'secret')), [401], 'no algorithm that a password answers');
});

test('IMS core: offers every algorithm that the HSS has a secret for, the best first, and takes what the user answers', () => {
  const core = lab({ digestAlgorithms: ['SHA-512-256', 'SHA-256', 'MD5'] });
  const cn = user(core, 'cn', 'secret');
  assert.deepEqual(register(core, cn), [401, 200]);
  const offered = (terminal: TestUser): (string | undefined)[] =>
    terminal.responses[0]!.headers.getAll('WWW-Authenticate').map(
      (value) => /algorithm=([^,]*)/.exec(value)?.[1],
    );
  assert.deepEqual(offered(cn), ['SHA-512-256', 'SHA-256', 'MD5']);
  assert.ok(core.network.messages.some((text) => /^Authorization:.*algorithm=SHA-512-256/m.test(text)));
  const old = user(core, 'old', 'whatever');
  register(core, old);
  assert.deepEqual(offered(old), ['MD5'], 'all that HA1 in the HSS is good for');
});

function octets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
