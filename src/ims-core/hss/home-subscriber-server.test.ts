import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashHex } from '../../base/digest.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { type Avp, avp, avpValue } from '../../protocols/diameter/avp.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import type { CommandDefinition } from '../../protocols/diameter/dictionary/dictionary.ts';
import { DiameterEndpoint } from '../../protocols/diameter/endpoint.ts';
import { cxResultCode, resultCode } from '../../protocols/diameter/result-code.ts';
import { TestNetwork } from '../../protocols/diameter/test-network.ts';
import { HomeSubscriberServer } from './home-subscriber-server.ts';
import { type Subscriber, trimFilterCriteria } from './subscriber.ts';

const mobileNode: Subscriber = {
  privateIdentity: 'mn@ims.test',
  publicIdentities: [{ identity: 'sip:mn@ims.test' }, { identity: 'tel:+34910000001' }],
  credentials: { password: 'secret' },
  initialFilterCriteria: trimFilterCriteria('sip:192.0.2.30:5060'),
  allowedNetworks: ['visited.test'],
  mandatoryCapabilities: [1],
};
const correspondentNode: Subscriber = {
  privateIdentity: 'cn@ims.test',
  publicIdentities: [{ identity: 'sip:cn@ims.test' }],
  credentials: { ha1: '0123456789abcdef0123456789abcdef' },
  initialFilterCriteria: [],
  hasUnregisteredServices: true,
};
const barred: Subscriber = {
  ...correspondentNode,
  privateIdentity: 'barred@ims.test',
  publicIdentities: [{ identity: 'sip:barred@ims.test', isBarred: true }],
};
const serverName = 'sip:scscf.ims.test:6060';

test('HomeSubscriberServer: first registration, challenge, assignment, then the same S-CSCF', () => {
  const core = new Core();
  const first = core.authorize();
  assert.equal(outcome(first), `cx ${cxResultCode.firstRegistration}`);
  assert.equal(avpValue(avpValue(first, cxAvps.serverCapabilities) ?? [], cxAvps.mandatoryCapability), 1);
  assert.equal(outcome(core.challenge('SIP Digest')), 'base 2001');
  const again = core.authorize();
  assert.equal(outcome(again), `cx ${cxResultCode.subsequentRegistration}`, 'the S-CSCF that challenged');
  const assigned = core.assign(1);
  assert.equal(outcome(assigned), 'base 2001');
  assert.match(text(avpValue(assigned, cxAvps.userData)), /<PrivateID>mn@ims.test<\/PrivateID>/);
  assert.equal(avpValue(core.authorize(), cxAvps.serverName), serverName);
  assert.equal(avpValue(core.locate(), cxAvps.serverName), serverName);
  assert.deepEqual(core.events.at(-1)?.registration, {
    state: 'registered',
    serverName,
    serverHost: 'scscf.ims.test',
  });
});

test('HomeSubscriberServer: answers hold what TS 29.229 requires of every answer', () => {
  const answer = new Core().authorize();
  assert.equal(avpValue(answer, baseAvps.authSessionState), 1);
  const application = avpValue(answer, baseAvps.vendorSpecificApplicationId) ?? [];
  assert.equal(avpValue(application, baseAvps.authApplicationId), cxApplication.id);
  assert.equal(
    avpValue(answer, baseAvps.resultCode),
    undefined,
    'Result-Code or Experimental-Result, never both',
  );
});

test('HomeSubscriberServer: SIP Digest hands out HA1, and never the password', () => {
  const answer = new Core().challenge('SIP Digest');
  assert.equal(avpValue(answer, baseAvps.userName), 'mn@ims.test');
  assert.equal(avpValue(answer, cxAvps.publicIdentity), 'sip:mn@ims.test');
  const item = avpValue(answer, cxAvps.sipAuthDataItem) ?? [];
  const digest = avpValue(item, cxAvps.sipDigestAuthenticate) ?? [];
  assert.equal(avpValue(digest, cxAvps.digestHa1), hashHex('md5', 'mn@ims.test:ims.test:secret'));
  assert.equal(avpValue(digest, cxAvps.digestRealm), 'ims.test');
  assert.equal(avpValue(item, cxAvps.sipAuthorization), undefined);
  const stored = new Core().challenge('Unknown', correspondentNode);
  const storedItem = avpValue(stored, cxAvps.sipAuthDataItem) ?? [];
  assert.equal(
    avpValue(avpValue(storedItem, cxAvps.sipDigestAuthenticate) ?? [], cxAvps.digestHa1),
    '0123456789abcdef0123456789abcdef',
  );
});

test('HomeSubscriberServer: Digest-MD5 hands out a nonce and the password, as Kamailio asks for', () => {
  const core = new Core();
  const [first, second] = [core.challenge('Digest-MD5'), core.challenge('Digest-MD5')].map(
    (answer) => avpValue(answer, cxAvps.sipAuthDataItem) ?? [],
  );
  assert.equal(text(avpValue(first ?? [], cxAvps.sipAuthorization)), 'secret');
  const nonces = [first, second].map((item) => avpValue(item ?? [], cxAvps.sipAuthenticate));
  assert.equal(nonces[0]?.length, 16);
  assert.notDeepEqual(nonces[0], nonces[1]);
  const refused = `cx ${cxResultCode.authenticationSchemeNotSupported}`;
  assert.equal(outcome(core.challenge('Digest-MD5', correspondentNode)), refused, 'there is no password');
  assert.equal(outcome(core.challenge('Digest-AKAv1-MD5')), refused);
});

test('HomeSubscriberServer: unknown users and identities that do not belong together', () => {
  const core = new Core();
  assert.equal(outcome(core.authorize({ name: 'x@ims.test' })), `cx ${cxResultCode.userUnknown}`);
  assert.equal(outcome(core.authorize({ identity: 'sip:x@ims.test' })), `cx ${cxResultCode.userUnknown}`);
  assert.equal(
    outcome(core.authorize({ identity: 'sip:cn@ims.test' })),
    `cx ${cxResultCode.identitiesDontMatch}`,
  );
  assert.equal(outcome(core.locate('sip:x@ims.test')), `cx ${cxResultCode.userUnknown}`);
});

test('HomeSubscriberServer: roaming and barring', () => {
  const core = new Core();
  assert.equal(
    outcome(core.authorize({ network: 'elsewhere.test' })),
    `cx ${cxResultCode.roamingNotAllowed}`,
  );
  assert.equal(
    outcome(core.authorize({ network: '"visited.test"' })),
    `cx ${cxResultCode.firstRegistration}`,
  );
  const answer = core.authorize({ name: barred.privateIdentity, identity: 'sip:barred@ims.test' });
  assert.equal(outcome(answer), `base ${resultCode.authorizationRejected}`);
});

test('HomeSubscriberServer: deregistration needs a registration and ends it', () => {
  const core = new Core();
  assert.equal(outcome(core.authorize({ type: 1 })), `cx ${cxResultCode.identityNotRegistered}`);
  core.assign(1);
  assert.equal(avpValue(core.authorize({ type: 1 }), cxAvps.serverName), serverName);
  const ended = core.assign(5);
  assert.equal(outcome(ended), 'base 2001');
  assert.equal(avpValue(ended, cxAvps.userData), undefined);
  assert.equal(outcome(core.locate()), `cx ${cxResultCode.identityNotRegistered}`);
});

test('HomeSubscriberServer: SAR type 2 without a registration is accepted, as Kamailio sends it', () => {
  const core = new Core();
  assert.equal(outcome(core.assign(2)), 'base 2001');
  assert.equal(avpValue(core.locate(), cxAvps.serverName), serverName);
});

test('HomeSubscriberServer: services for unregistered users', () => {
  const core = new Core();
  const located = core.locate('sip:cn@ims.test');
  assert.equal(outcome(located), `cx ${cxResultCode.unregisteredService}`);
  assert.equal(outcome(core.assign(3, correspondentNode)), 'base 2001');
  assert.equal(avpValue(core.locate('sip:cn@ims.test'), cxAvps.serverName), serverName);
});

test('HomeSubscriberServer: another S-CSCF is refused until it challenges the user itself', () => {
  const core = new Core();
  core.assign(1);
  const other = 'sip:other.ims.test';
  assert.equal(outcome(core.assign(2, mobileNode, other)), `cx ${cxResultCode.identityAlreadyRegistered}`);
  assert.equal(outcome(core.assign(0, mobileNode, other)), `base ${resultCode.unableToComply}`);
  core.challenge('SIP Digest', mobileNode, other);
  assert.equal(outcome(core.assign(2, mobileNode, other)), 'base 2001');
});

test('HomeSubscriberServer: a failed challenge forgets the S-CSCF, though not a registration', () => {
  const core = new Core();
  core.challenge('SIP Digest');
  core.assign(9);
  assert.equal(outcome(core.authorize()), `cx ${cxResultCode.firstRegistration}`);
  core.assign(1);
  core.assign(9);
  assert.equal(outcome(core.authorize()), `cx ${cxResultCode.subsequentRegistration}`);
  assert.equal(outcome(core.assign(12)), `cx ${cxResultCode.inAssignmentType}`);
});

/** An S-CSCF and I-CSCF in one, and the HSS. */
class Core {
  readonly events: { readonly registration: unknown }[] = [];
  readonly #network = new TestNetwork();
  readonly #cscf: DiameterEndpoint;

  constructor() {
    const address = '192.0.2.10';
    const hss = new HomeSubscriberServer({
      diameter: {
        originHost: 'hss.ims.test',
        originRealm: 'ims.test',
        originStateId: 1,
        listen: [{ address, port: 3868 }],
        peers: [{ host: 'scscf.ims.test' }],
        random: new SeededRandomSource(1),
      },
      subscribers: [mobileNode, correspondentNode, barred],
      digestRealm: 'ims.test',
    });
    this.#cscf = new DiameterEndpoint({
      originHost: 'scscf.ims.test',
      originRealm: 'ims.test',
      originStateId: 1,
      applications: [cxApplication],
      peers: [{ host: 'hss.ims.test', address: { address, port: 3868 } }],
      random: new SeededRandomSource(2),
    });
    this.#network.add(address, hss, ({ event }) => this.events.push(event));
    this.#network.add('192.0.2.1', this.#cscf);
    hss.start(0);
    this.#network.settle();
    this.#cscf.start(0);
    this.#network.settle();
  }

  authorize({
    name = 'mn@ims.test',
    identity = 'sip:mn@ims.test',
    network = 'visited.test',
    type = 0,
  } = {}): readonly Avp[] {
    return this.#ask(cxCommands.userAuthorization, [
      avp(baseAvps.userName, name),
      avp(cxAvps.publicIdentity, identity),
      avp(cxAvps.visitedNetworkIdentifier, new TextEncoder().encode(network)),
      ...(type === 0 ? [] : [avp(cxAvps.userAuthorizationType, type)]),
    ]);
  }

  locate(identity = 'sip:mn@ims.test'): readonly Avp[] {
    return this.#ask(cxCommands.locationInfo, [avp(cxAvps.publicIdentity, identity)]);
  }

  challenge(scheme: string, subscriber = mobileNode, server = serverName): readonly Avp[] {
    return this.#ask(cxCommands.multimediaAuthentication, [
      ...identities(subscriber),
      avp(cxAvps.sipNumberAuthItems, 1),
      avp(cxAvps.sipAuthDataItem, [avp(cxAvps.sipAuthenticationScheme, scheme)]),
      avp(cxAvps.serverName, server),
    ]);
  }

  assign(type: number, subscriber = mobileNode, server = serverName): readonly Avp[] {
    return this.#ask(cxCommands.serverAssignment, [
      ...identities(subscriber),
      avp(cxAvps.serverName, server),
      avp(cxAvps.serverAssignmentType, type),
      avp(cxAvps.userDataAlreadyAvailable, 1),
    ]);
  }

  #ask(command: CommandDefinition, avps: readonly Avp[]): readonly Avp[] {
    const all = [avp(baseAvps.authSessionState, 1), ...avps];
    const request = this.#cscf.request('hss.ims.test', { command, avps: all }, this.#network.now);
    this.#network.settle();
    for (let event = this.#cscf.pollEvent(); event !== undefined; event = this.#cscf.pollEvent())
      if (event.kind === 'answer-received' && event.request === request) return event.avps;
    return assert.fail('no answer');
  }
}

function identities({ privateIdentity, publicIdentities }: Subscriber): readonly Avp[] {
  return [
    avp(baseAvps.userName, privateIdentity),
    avp(cxAvps.publicIdentity, publicIdentities[0]?.identity ?? ''),
  ];
}

function outcome(answer: readonly Avp[]): string {
  const code = avpValue(answer, baseAvps.resultCode);
  if (code !== undefined) return `base ${code}`;
  return `cx ${avpValue(avpValue(answer, baseAvps.experimentalResult) ?? [], baseAvps.experimentalResultCode)}`;
}

function text(octets: Uint8Array | undefined): string {
  return new TextDecoder().decode(octets);
}
