import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashHex } from '../../base/digest.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { Usim } from '../../protocols/aka/usim.ts';
import { type Avp, type Avps, avp, avpValue, avpValues } from '../../protocols/diameter/avp.ts';
import type { DiameterEvent } from '../../protocols/diameter/diameter-event.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands } from '../../protocols/diameter/dictionary/cx.ts';
import type { CommandDefinition } from '../../protocols/diameter/dictionary/dictionary.ts';
import { DiameterEndpoint } from '../../protocols/diameter/endpoint.ts';
import { cxResultCode, resultCode } from '../../protocols/diameter/result-code.ts';
import { TestNetwork } from '../../protocols/diameter/test-network.ts';
import { HomeSubscriberServer, type HomeSubscriberServerEvent } from './home-subscriber-server.ts';
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
const usimKey = {
  k: new Uint8Array(Buffer.from('465b5ce8b199b49faa5f0a2ee238a6bc', 'hex')),
  opc: new Uint8Array(Buffer.from('cd63cb71954a9f4e48a5994e37a02baf', 'hex')),
};
const usimUser: Subscriber = {
  ...mobileNode,
  privateIdentity: 'usim@ims.test',
  publicIdentities: [{ identity: 'sip:usim@ims.test' }],
  credentials: usimKey,
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
  assert.deepEqual(core.events.at(-1), {
    kind: 'registration-changed',
    privateIdentity: 'mn@ims.test',
    registration: { state: 'registered', serverName, serverHost: 'scscf.ims.test' },
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
  // The longest name that a message can carry: more octets than a function may have arguments.
  assert.equal(
    outcome(core.authorize({ network: 'x'.repeat(200_000) })),
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

test('HomeSubscriberServer: hands out an AKA vector per MAR, each with the next sequence number, and catches up with AUTS', () => {
  const core = new Core();
  const usim = new Usim(usimKey, 1_000_000);
  const challenge = (more: readonly Avp[] = []) => {
    const item =
      avpValue(core.challenge('Digest-AKAv1-MD5', usimUser, serverName, more), cxAvps.sipAuthDataItem) ?? [];
    const octets = avpValue(item, cxAvps.sipAuthenticate) ?? new Uint8Array();
    return {
      item,
      rand: octets.slice(0, 16),
      answer: usim.authenticate(octets.slice(0, 16), octets.slice(16)),
    };
  };
  const { rand, answer } = challenge();
  assert.equal(answer.kind, 'synchronisation-failed');
  const resynchronised = challenge([avp(cxAvps.sipAuthorization, Uint8Array.of(...rand, ...answer.auts))]);
  assert.equal(resynchronised.answer.kind, 'authenticated');
  assert.deepEqual(avpValue(resynchronised.item, cxAvps.sipAuthorization), resynchronised.answer.res);
  assert.equal(challenge().answer.kind, 'authenticated');
  assert.equal(outcome(core.challenge('SIP Digest', usimUser)), 'cx 5006');
});

test('HomeSubscriberServer: several items where the S-CSCF can offer several algorithms, MD5 where it takes one', () => {
  const items = (count: number): (string | undefined)[] =>
    avpValues(
      new Core().challenge('SIP Digest', mobileNode, serverName, [], count),
      cxAvps.sipAuthDataItem,
    ).map((item) => avpValue(avpValue(item, cxAvps.sipDigestAuthenticate) ?? [], cxAvps.digestAlgorithm));
  assert.deepEqual(items(1), ['MD5']);
  assert.deepEqual(items(3), ['MD5', 'SHA-256', 'SHA-512-256']);
});

test('HomeSubscriberServer: RTR ends a registration at the S-CSCF that has it', () => {
  const core = new Core();
  assert.equal(core.hss.terminate('mn@ims.test', 0, 0), false, 'there is none');
  core.assign(1);
  assert.equal(core.hss.terminate('mn@ims.test', 0, 0), true);
  const [rtr] = core.requests();
  assert.equal(rtr?.command.name, 'RTR');
  assert.equal(avpValue(rtr.avps, baseAvps.destinationHost), 'scscf.ims.test');
  assert.deepEqual(avpValues(rtr.avps, cxAvps.publicIdentity), ['sip:mn@ims.test', 'tel:+34910000001']);
  assert.equal(outcome(core.locate()), `cx ${cxResultCode.identityNotRegistered}`);
  assert.deepEqual(core.events.at(-1), {
    kind: 'registration-terminated',
    privateIdentity: 'mn@ims.test',
    isAccepted: true,
  });
});

test('HomeSubscriberServer: a changed profile goes to the S-CSCF by PPR, a user who is gone loses his registration', () => {
  const core = new Core();
  core.assign(1);
  core.assign(1, correspondentNode);
  const changed = { ...mobileNode, initialFilterCriteria: trimFilterCriteria('sip:other.ims.test') };
  core.hss.updateSubscribers([changed, { ...barred }], 0);
  const [ppr, rtr] = core.requests();
  assert.equal(ppr?.command.name, 'PPR');
  assert.match(text(avpValue(ppr.avps, cxAvps.userData)), /sip:other\.ims\.test/);
  assert.equal(rtr?.command.name, 'RTR');
  assert.equal(avpValue(rtr.avps, baseAvps.userName), 'cn@ims.test');
  assert.equal(outcome(core.locate('sip:cn@ims.test')), `cx ${cxResultCode.userUnknown}`);
});

test('HomeSubscriberServer: what changes is in the journal before it is answered, and survives', () => {
  const journal: string[] = [];
  const core = new Core(journal);
  assert.equal(outcome(core.assign(1)), 'base 2001');
  assert.equal(journal.length, 1);
  const after = new Core([...journal, '{"privateIdentity":"mn@ims.test","record":{"sta']);
  assert.equal(avpValue(after.locate(), cxAvps.serverName), serverName);
  assert.deepEqual(after.hss.journalSnapshot(), journal);
  assert.deepEqual(after.events, [], 'a torn last line is nothing to speak of');
  const damaged = new Core(['?', ...journal]);
  assert.deepEqual(damaged.events, [{ kind: 'journal-damaged', line: 1 }]);
  const withoutUser = new Core(journal.map((line) => line.replace('mn@', 'former@')));
  assert.deepEqual(withoutUser.hss.journalSnapshot(), []);
});

test('HomeSubscriberServer: a journal that fails lets nothing change', () => {
  const core = new Core([], 'ENOSPC');
  assert.equal(outcome(core.assign(1)), `base ${resultCode.unableToComply}`);
  assert.equal(outcome(core.locate()), `cx ${cxResultCode.identityNotRegistered}`);
  assert.deepEqual(core.events, [
    { kind: 'journal-failed', privateIdentity: 'mn@ims.test', reason: 'ENOSPC' },
  ]);
});

test('HomeSubscriberServer: requests about one user wait for the journal in their order, those about others do not', () => {
  const core = new Core([], 'slow');
  const register = core.send(cxCommands.serverAssignment, assignmentAvps(1, mobileNode, serverName));
  const locate = core.send(cxCommands.locationInfo, [avp(cxAvps.publicIdentity, 'sip:mn@ims.test')]);
  const other = core.send(cxCommands.locationInfo, [avp(cxAvps.publicIdentity, 'sip:cn@ims.test')]);
  assert.deepEqual(core.takeAnswered(), [other]);
  core.finishWriting();
  assert.deepEqual(core.takeAnswered(), [register, locate]);
});

type RequestReceived = Extract<DiameterEvent, { kind: 'request-received' }>;

/** An S-CSCF and I-CSCF in one, and the HSS. */
class Core {
  readonly events: HomeSubscriberServerEvent[] = [];
  readonly hss: HomeSubscriberServer;
  readonly #network = new TestNetwork();
  readonly #cscf: DiameterEndpoint;
  readonly #written: number[] = [];

  /** `disk`: an error, or 'slow' until `finishWriting`. */
  constructor(journal?: string[], disk?: string) {
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
      subscribers: [mobileNode, correspondentNode, barred, usimUser],
      digestRealm: 'ims.test',
      ...(journal && { journal: [...journal] }),
    });
    this.hss = hss;
    this.#cscf = new DiameterEndpoint({
      originHost: 'scscf.ims.test',
      originRealm: 'ims.test',
      originStateId: 1,
      applications: [cxApplication],
      peers: [{ host: 'hss.ims.test', address: { address, port: 3868 } }],
      random: new SeededRandomSource(2),
    });
    this.#network.add(address, hss, (output) => {
      if (output.kind === 'event') this.events.push(output.event);
      else if (disk === 'slow') this.#written.push(output.effect.id);
      else {
        journal?.push(output.effect.line);
        const failure = disk === undefined ? {} : { error: disk };
        hss.handleInput({ kind: 'effect-completed', id: output.effect.id, ...failure }, 0);
      }
    });
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
  } = {}): Avps {
    return this.#ask(cxCommands.userAuthorization, [
      avp(baseAvps.userName, name),
      avp(cxAvps.publicIdentity, identity),
      avp(cxAvps.visitedNetworkIdentifier, new TextEncoder().encode(network)),
      ...(type === 0 ? [] : [avp(cxAvps.userAuthorizationType, type)]),
    ]);
  }

  locate(identity = 'sip:mn@ims.test'): Avps {
    return this.#ask(cxCommands.locationInfo, [avp(cxAvps.publicIdentity, identity)]);
  }

  challenge(
    scheme: string,
    subscriber = mobileNode,
    server = serverName,
    more: readonly Avp[] = [],
    count = 1,
  ): Avps {
    return this.#ask(cxCommands.multimediaAuthentication, [
      ...identities(subscriber),
      avp(cxAvps.sipNumberAuthItems, count),
      avp(cxAvps.sipAuthDataItem, [avp(cxAvps.sipAuthenticationScheme, scheme), ...more]),
      avp(cxAvps.serverName, server),
    ]);
  }

  assign(type: number, subscriber = mobileNode, server = serverName): Avps {
    return this.#ask(cxCommands.serverAssignment, assignmentAvps(type, subscriber, server));
  }

  /** What the HSS asks by itself; each is answered with success. */
  requests(): RequestReceived[] {
    this.#network.settle();
    const requests: RequestReceived[] = [];
    for (let event = this.#cscf.pollEvent(); event !== undefined; event = this.#cscf.pollEvent()) {
      if (event.kind !== 'request-received') continue;
      requests.push(event);
      this.#cscf.answer(event.request, [avp(baseAvps.resultCode, resultCode.success)]);
    }
    this.#network.settle();
    return requests;
  }

  send(command: CommandDefinition, avps: readonly Avp[]): number {
    const all = [avp(baseAvps.authSessionState, 1), ...avps];
    const request = this.#cscf.request('hss.ims.test', { command, avps: all }, this.#network.now);
    this.#network.settle();
    return request;
  }

  takeAnswered(): number[] {
    const answered: number[] = [];
    for (let event = this.#cscf.pollEvent(); event !== undefined; event = this.#cscf.pollEvent())
      if (event.kind === 'answer-received') answered.push(event.request);
    return answered;
  }

  finishWriting(): void {
    for (const id of this.#written) this.hss.handleInput({ kind: 'effect-completed', id }, 0);
    this.#network.settle();
  }

  #ask(command: CommandDefinition, avps: readonly Avp[]): Avps {
    const request = this.send(command, avps);
    for (let event = this.#cscf.pollEvent(); event !== undefined; event = this.#cscf.pollEvent())
      if (event.kind === 'answer-received' && event.request === request) return event.avps;
    return assert.fail('no answer');
  }
}

function assignmentAvps(type: number, subscriber: Subscriber, server: string): readonly Avp[] {
  return [
    ...identities(subscriber),
    avp(cxAvps.serverName, server),
    avp(cxAvps.serverAssignmentType, type),
    avp(cxAvps.userDataAlreadyAvailable, 1),
  ];
}

function identities({ privateIdentity, publicIdentities }: Subscriber): readonly Avp[] {
  return [
    avp(baseAvps.userName, privateIdentity),
    avp(cxAvps.publicIdentity, publicIdentities[0]?.identity ?? ''),
  ];
}

function outcome(answer: Avps): string {
  const code = avpValue(answer, baseAvps.resultCode);
  if (code !== undefined) return `base ${code}`;
  return `cx ${avpValue(avpValue(answer, baseAvps.experimentalResult) ?? [], baseAvps.experimentalResultCode)}`;
}

function text(octets: Uint8Array | undefined): string {
  return new TextDecoder().decode(octets);
}
