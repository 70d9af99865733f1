/** Who watches a registration hears of every change, and why (RFC 3680): terminals, the P-CSCF, application servers; and nobody else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../src/base/malformed.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { fromTagOf } from '../../src/protocols/sip/message/header-fields.ts';
import type { SipRequest } from '../../src/protocols/sip/message/sip-message.ts';
import {
  parseRegistrationDocument,
  type RegistrationDocument,
} from '../../src/protocols/sip/registration/registration-information.ts';
import { criterion, ImsCoreLab, type LabOptions, method, type TestUser } from './ims-core-lab.ts';
import { MortalFunction } from './mortal-function.ts';

const subscribers = ['mn', 'cn'].map((name) => ({
  publicIdentity: `sip:${name}@home1.net`,
  password: 'secret',
  criteria: name === 'mn' ? criterion(0, method('REGISTER')) : '',
}));
const instance = '"<urn:uuid:00000000-0000-1000-8000-000000000001>"';

interface Watched {
  readonly core: ImsCoreLab;
  readonly mn: TestUser;
}

/** The terminal is registered; the ladder is empty. */
function lab(options: Partial<LabOptions> = {}, contact?: string): Watched {
  const core = new ImsCoreLab({ subscribers, ...options });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  mn.register(core.now, contact);
  core.run(2_000);
  core.takeLadder();
  return { core, mn };
}

function subscribe(core: ImsCoreLab, user: TestUser, expires = 600, headers: TestUser['headers'] = []): void {
  user.headers = [['Event', 'reg'], ['Expires', String(expires)], ...headers];
  user.call(core.now, 'sip:mn@home1.net', 'SUBSCRIBE');
  core.run(1_000);
  user.headers = [];
}

function notices(user: TestUser): SipRequest[] {
  return user.requests.filter((request) => request.method === 'NOTIFY');
}

function documentOf(notify: SipRequest | undefined): RegistrationDocument {
  const document = parseRegistrationDocument(notify?.body ?? '');
  assert.ok(!isMalformed(document), String(document));
  return document;
}

/** "0 full active: 10.0.0.10 registered 3600" for each NOTIFY: version, state, contacts. */
function told(user: TestUser): string[] {
  return notices(user).map((notify) => {
    const { version, isFull, registrations } = documentOf(notify);
    assert.equal(registrations.length, 1);
    const { addressOfRecord, state, contacts } = registrations[0]!;
    assert.equal(addressOfRecord, 'sip:mn@home1.net');
    const all = contacts.map(({ uri, isActive, event, expiresSeconds, retryAfterSeconds }) =>
      [/@([\d.]+)/.exec(uri)?.[1], isActive ? '' : 'gone', event, expiresSeconds ?? retryAfterSeconds ?? '']
        .filter((word) => word !== '')
        .join(' '),
    );
    return `${version} ${isFull ? 'full' : 'partial'} ${state}: ${all.join(', ')}`;
  });
}

const subscriptionLadder = [
  'MN → P SUBSCRIBE',
  'P → S SUBSCRIBE',
  'S → I SUBSCRIBE',
  'I → S SUBSCRIBE',
  'S → I 200',
  'S → P NOTIFY',
  'I → S 200',
  'P → MN NOTIFY',
  'S → P 200',
  'MN → P 200',
  'P → MN 200',
  'P → S 200',
];

test('IMS core: a terminal subscribes to its registration and hears the whole state, message by message', () => {
  const { core, mn } = lab();
  subscribe(core, mn);
  assert.deepEqual(core.takeLadder(), subscriptionLadder);
  const answer = mn.responses.at(-1)!;
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers.get('Expires'), '600');
  const [notify] = notices(mn);
  assert.equal(notify?.requestUri, 'sip:ue@10.0.0.10:5060');
  assert.equal(notify.headers.get('Event'), 'reg');
  assert.equal(notify.headers.get('Subscription-State'), 'active;expires=600');
  assert.equal(notify.headers.get('Content-Type'), 'application/reginfo+xml');
  assert.deepEqual(told(mn), ['0 full active: 10.0.0.10 registered 3599']);
});

test('IMS core: every contact that comes, stays, goes or expires is told, to the terminal and to the P-CSCF', () => {
  const flow = (address: string, regId: number, expires: number): string =>
    `<sip:ue@${address}:5060>;+sip.instance=${instance};reg-id=${regId};expires=${expires}`;
  const { core, mn } = lab({}, flow('10.0.0.10', 1, 3600));
  subscribe(core, mn, 6_000);
  core.takeLadder();
  mn.register(core.now, flow('10.0.2.10', 2, 60));
  core.run(1_000);
  assert.deepEqual(core.takeLadder(), [
    'MN → P REGISTER',
    'P → I REGISTER',
    'I → S REGISTER',
    'S → I 200',
    'S → P NOTIFY',
    'S → P NOTIFY',
    'S → AS REGISTER',
    'I → P 200',
    'P → S 200',
    'P → MN NOTIFY',
    'AS → S 200',
    'P → MN 200',
    'MN → P 200',
    'P → S 200',
  ]);
  mn.register(core.now, flow('10.0.0.10', 1, 3600));
  core.run(70_000);
  mn.register(core.now, flow('10.0.0.10', 1, 0));
  core.run(1_000);
  assert.deepEqual(told(mn).slice(1), [
    '1 partial active: 10.0.2.10 registered 60',
    '2 partial active: 10.0.0.10 refreshed 3600',
    '3 partial active: 10.0.2.10 gone expired',
    '4 partial terminated: 10.0.0.10 gone unregistered',
  ]);
  assert.equal(notices(mn).at(-1)!.headers.get('Subscription-State'), 'terminated;reason=noresource');
});

for (const [reason, ending] of [
  [0, 'rejected'],
  [1, 'deactivated'],
  [2, 'deactivated'],
  [3, 'probation 60'],
] as const)
  test(`IMS core: the HSS takes a registration away for reason ${reason}, which is told as ${ending}; the P-CSCF lets the user no more in`, () => {
    const { core, mn } = lab();
    subscribe(core, mn);
    core.takeLadder();
    core.hss.terminate('mn@home1.net', core.now, reason);
    core.run(1_000);
    assert.deepEqual(core.takeLadder().slice(0, 3), ['S → P NOTIFY', 'S → P NOTIFY', 'S → AS REGISTER']);
    assert.equal(core.hss.log.at(-1), 'answer 2001');
    assert.deepEqual(told(mn).slice(1), [`1 partial terminated: 10.0.0.10 gone ${ending}`]);
    core.run(32_000);
    core.takeLadder();
    mn.call(core.now, 'sip:cn@home1.net');
    core.run(1_000);
    assert.deepEqual(core.takeLadder(), ['MN → P INVITE', 'P → MN 403', 'MN → P ACK']);
  });

test('IMS core: a user who registers again while the P-CSCF forgets him is not forgotten', () => {
  const { core, mn } = lab();
  core.hss.terminate('mn@home1.net', core.now, 1);
  core.run(5_000);
  mn.register(core.now);
  core.run(60_000);
  core.takeLadder();
  mn.call(core.now, 'sip:mn@home1.net', 'MESSAGE');
  core.run(1_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 200);
});

test('IMS core: an AS that must not be missed and does not answer sends its user away for a while', () => {
  const strict = { ...subscribers[0]!, criteria: criterion(0, method('REGISTER'), 1) };
  const core = new ImsCoreLab({ subscribers: [strict] });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  core.applicationServer.refusal = 0;
  mn.register(core.now);
  core.run(1_000);
  subscribe(core, mn);
  core.run(60_000);
  assert.match(told(mn).at(-1)!, /^1 partial terminated: 10\.0\.0\.10 gone probation 60$/);
});

test('IMS core: another user may not watch; the application server of the filter criteria may, a stranger may not', () => {
  const { core, mn } = lab();
  const cn = core.user({ identity: 'sip:cn@home1.net', password: 'secret', address: '10.0.0.20', seed: 20 });
  cn.register(core.now);
  core.run(1_000);
  subscribe(core, cn);
  assert.equal(cn.responses.at(-1)!.statusCode, 403);
  // What an application server sends comes to the I-CSCF without the P-CSCF asserting anything.
  const watch = (asserted: string): number => {
    core.network.ladder.length = 0;
    core.inject('10.0.1.2', serverSubscribe(asserted));
    core.run(1_000);
    const line = core.network.ladder.find((one) =>
      /10\.0\.1\.2:5060 → 10\.0\.9\.9:\d+ udp SIP\/2\.0 [2-6]/.test(one),
    );
    return Number(/SIP\/2\.0 (\d+)/.exec(line ?? '')?.[1]);
  };
  assert.equal(watch('<sip:as.home1.net>'), 200);
  assert.equal(watch('<sip:10.0.1.1:5060>'), 200, 'the P-CSCF');
  assert.equal(watch('<sip:as.evil.net>'), 403);
  assert.equal(watch('<sip:cn@home1.net>'), 403);
  assert.deepEqual(told(mn), []);
});

function serverSubscribe(asserted: string): string {
  const id = asserted.replace(/\W/g, '');
  return [
    'SUBSCRIBE sip:mn@home1.net SIP/2.0',
    `Via: SIP/2.0/UDP 10.0.9.9:5060;branch=z9hG4bK${id}`,
    `From: <sip:as.home1.net>;tag=${id}`,
    'To: <sip:mn@home1.net>',
    `Call-ID: ${id}`,
    'CSeq: 1 SUBSCRIBE',
    'Contact: <sip:10.0.9.9:5060>',
    `P-Asserted-Identity: ${asserted}`,
    'Event: reg',
    'Max-Forwards: 70',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');
}

test('IMS core: a subscription is fetched once, refreshed in its dialog, ends with its time, and is unknown afterwards', () => {
  const { core, mn } = lab();
  subscribe(core, mn, 0);
  assert.equal(notices(mn)[0]!.headers.get('Subscription-State'), 'terminated;reason=timeout');
  assert.deepEqual(told(mn), ['0 full active: 10.0.0.10 registered 3599']);
  mn.requests.length = 0;
  subscribe(core, mn, 60);
  const dialog = { answer: mn.responses.at(-1)!, requests: mn.requests.length };
  assert.equal(dialog.requests, 1);
  mn.resubscribe(core.now, dialog.answer, 90);
  core.run(1_000);
  assert.equal(mn.responses.at(-1)!.headers.get('Expires'), '90');
  core.run(95_000);
  assert.deepEqual(
    notices(mn).map((notify) => notify.headers.get('Subscription-State')),
    ['active;expires=60', 'active;expires=90', 'terminated;reason=timeout'],
  );
  assert.deepEqual(
    told(mn).map((line) => line.slice(0, 6)),
    ['0 full', '1 full', '2 full'],
  );
  mn.resubscribe(core.now, dialog.answer, 90);
  core.run(1_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 481);
});

test('IMS core: a subscriber that knows its subscription no more is not told any more', () => {
  const { core } = lab();
  core.inject('10.0.1.2', serverSubscribe('<sip:as.home1.net>'));
  core.run(40_000);
  core.takeLadder();
  core.hss.terminate('mn@home1.net', core.now);
  core.run(1_000);
  const toServer = core.network.ladder.filter((line) => line.includes('→ 10.0.9.9'));
  assert.deepEqual(toServer, [], 'nobody answers at 10.0.9.9');
});

test('IMS core: subscriptions of terminal and P-CSCF outlive their S-CSCF and their P-CSCF, killed after the 200', () => {
  const random = new SeededRandomSource(3);
  const mortals = new Map<string, MortalFunction>();
  const { core, mn } = lab({
    runMortal: (address, create) => {
      const mortal = new MortalFunction(create, random);
      mortals.set(address, mortal);
      return mortal;
    },
  });
  subscribe(core, mn);
  for (const address of ['10.0.1.3', '10.0.1.1']) {
    const mortal = mortals.get(address)!;
    mortal.kill();
    core.network.abandon(mortal);
    core.run(100);
    mortal.start(core.now);
    core.run(40_000);
  }
  core.takeLadder();
  core.hss.terminate('mn@home1.net', core.now, 1);
  core.run(1_000);
  assert.deepEqual(
    core.takeLadder().filter((line) => line.endsWith('NOTIFY')),
    ['S → P NOTIFY', 'S → P NOTIFY', 'P → MN NOTIFY'],
  );
  assert.match(told(mn).at(-1)!, /^65536 partial terminated: 10\.0\.0\.10 gone deactivated$/);
  core.run(33_000);
  core.takeLadder();
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.deepEqual(core.takeLadder(), ['MN → P INVITE', 'P → MN 403', 'MN → P ACK']);
});

test('IMS core: notifications come in their order although datagrams are lost or everything comes twice', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { core, mn } = lab();
    subscribe(core, mn);
    const random = new SeededRandomSource(seed);
    core.network.fate = () => (seed === 5 ? [5, 6] : random.nextUint32() % 5 === 0 ? [] : [5]);
    for (let count = 0; count < 12; count++) {
      mn.register(core.now);
      core.run(700);
    }
    core.run(60_000);
    const versions = notices(mn).map((notify) => documentOf(notify).version);
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
      `seed ${seed}`,
    );
    assert.ok(versions.length > 3 && new Set(versions).size === versions.length, `seed ${seed}`);
    assert.equal(new Set(notices(mn).map(fromTagOf)).size, 1);
  }
});
