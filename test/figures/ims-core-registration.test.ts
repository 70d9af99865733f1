import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import { criterion, ImsCoreLab, type LabOptions, method, type TestUser } from './ims-core-lab.ts';

const subscriber = {
  publicIdentity: 'sip:mn@home1.net',
  password: 'secret',
  criteria: criterion(0, method('REGISTER')),
};
const instance = '"<urn:uuid:00000000-0000-1000-8000-000000000001>"';

function lab(options: Partial<LabOptions> = {}): { core: ImsCoreLab; mn: TestUser } {
  const core = new ImsCoreLab({ subscribers: [subscriber], ...options });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  return { core, mn };
}

function statusCodes(user: TestUser): number[] {
  return user.responses.map(({ statusCode }) => statusCode);
}

test('IMS core: registration with digest and third-party registration, message by message', () => {
  const { core, mn } = lab();
  mn.register(core.now);
  core.run(2_000);
  assert.deepEqual(core.takeLadder(), [
    'MN → P REGISTER',
    'P → I REGISTER',
    'I → S REGISTER',
    'S → I 401',
    'I → P 401',
    'P → MN 401',
    'MN → P REGISTER',
    'P → I REGISTER',
    'I → S REGISTER',
    'S → I 200',
    // It carries the terminal's REGISTER, so it goes over TCP and is one connection later.
    'I → P 200',
    'S → AS REGISTER',
    'P → MN 200',
    // The P-CSCF watches the registration from now on (RFC 3680).
    'P → I SUBSCRIBE',
    'AS → S 200',
    'I → S SUBSCRIBE',
    'S → I 200',
    'S → P NOTIFY',
    'I → P 200',
    'P → S 200',
  ]);
  assert.deepEqual(core.hss.log, ['UAR', 'MAR', 'UAR', 'SAR 1', 'LIR']);
});

test('IMS core: a REGISTER gains on its way what each function adds, and the 200 what the terminal needs', () => {
  const { core, mn } = lab();
  mn.headers = [
    ['P-Asserted-Identity', '<sip:boss@home1.net>'],
    ['P-Access-Network-Info', 'IEEE-802.11'],
  ];
  mn.register(core.now);
  core.run(2_000);
  const seen = core.applicationServer.registers[0]!;
  assert.equal(seen.requestUri, 'sip:as.home1.net');
  assert.equal(seen.headers.get('To'), '<sip:mn@home1.net>');
  assert.match(seen.headers.get('From')!, /^<sip:10\.0\.1\.3:5060>;tag=/);
  assert.equal(seen.headers.get('Contact'), '<sip:10.0.1.3:5060>');
  assert.equal(seen.headers.get('Expires'), '3600');
  assert.equal(seen.headers.get('P-Visited-Network-ID'), '"home1.net"');
  assert.equal(seen.headers.get('P-Access-Network-Info'), 'IEEE-802.11');
  assert.match(seen.headers.get('P-Charging-Vector')!, /^icid-value=\w+;icid-generated-at=10\.0\.1\.1$/);
  assert.equal(seen.headers.get('Content-Type'), 'message/sip');
  assert.match(seen.body, /^REGISTER sip:scscf\.home1\.net SIP\/2\.0\r\n/);
  assert.match(seen.body, /\r\nContact: <sip:ue@10\.0\.0\.10:5060>;expires=3600\r\n/);
  assert.match(seen.body, /\r\nRequire: path\r\n/);
  assert.doesNotMatch(seen.body, /boss/);
  const ok = mn.responses.at(-1)!;
  assert.equal(ok.statusCode, 200);
  assert.equal(ok.headers.get('Service-Route'), '<sip:orig@10.0.1.3:5060;lr>');
  assert.equal(ok.headers.get('P-Associated-URI'), '<sip:mn@home1.net>');
  assert.match(ok.headers.get('Path')!, /^<sip:\w{16}@10\.0\.1\.1:5060;lr;ob>$/);
  assert.equal(ok.headers.get('Contact'), '<sip:ue@10.0.0.10:5060>;expires=3600');
  assert.deepEqual(core.events, [
    { kind: 'user-registered', identity: 'sip:mn@home1.net', contacts: ['sip:ue@10.0.0.10:5060'] },
  ]);
});

test('IMS core: the P-CSCF says which access its user comes from, whatever he says himself (per access)', () => {
  const accessNetworks = [
    { prefix: '10.0.0.0/24', info: '3GPP-UTRAN-FDD' },
    { prefix: '10.0.2.0/24', info: 'IEEE-802.11' },
  ];
  const { core, mn } = lab({ proxy: { accessNetworks } });
  mn.headers = [['P-Access-Network-Info', 'IEEE-802.3, ADSL;network-provided']];
  mn.register(core.now);
  core.run(2_000);
  const told = (count: number) =>
    core.applicationServer.registers[count]!.headers.getAll('P-Access-Network-Info');
  assert.deepEqual(told(0), ['IEEE-802.3', '3GPP-UTRAN-FDD;network-provided']);
  const moved = core.user({
    ...{ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.2.10', seed: 11 },
  });
  moved.register(core.now);
  core.run(2_000);
  assert.deepEqual(told(1), ['IEEE-802.11;network-provided']);
});

test('IMS core: a refresh takes one round trip while the nonce is good, and says re-registration to HSS and AS', () => {
  const { core, mn } = lab();
  mn.register(core.now);
  core.run(2_000);
  core.takeLadder();
  mn.register(core.now);
  core.run(2_000);
  assert.deepEqual(core.takeLadder().slice(0, 3), ['MN → P REGISTER', 'P → I REGISTER', 'I → S REGISTER']);
  assert.deepEqual(statusCodes(mn), [401, 200, 200]);
  assert.deepEqual(core.hss.log.slice(4), ['LIR', 'UAR', 'SAR 2']);
  assert.equal(core.applicationServer.registers.length, 2);
});

test('IMS core: a second flow of the same terminal stands beside the first until it is taken away', () => {
  const { core, mn } = lab();
  const flow = (address: string, regId: number): string =>
    `<sip:ue@${address}:5060>;+sip.instance=${instance};reg-id=${regId}`;
  mn.register(core.now, `${flow('10.0.0.10', 1)};expires=3600`);
  core.run(2_000);
  mn.register(core.now, `${flow('10.0.2.10', 2)};expires=3600`);
  core.run(2_000);
  const both = mn.responses.at(-1)!;
  assert.equal(both.headers.get('Require'), 'outbound');
  assert.deepEqual(both.headers.getAll('Contact'), [
    `${flow('10.0.0.10', 1)};expires=3599`,
    `${flow('10.0.2.10', 2)};expires=3600`,
  ]);
  mn.register(core.now, `${flow('10.0.0.10', 1)};expires=0`);
  core.run(2_000);
  assert.deepEqual(mn.responses.at(-1)!.headers.getAll('Contact'), [`${flow('10.0.2.10', 2)};expires=3599`]);
  assert.deepEqual(core.hss.log.slice(-2), ['SAR 2', 'UAR'], 'the HSS is not told of one contact less');
});

test('IMS core: Contact: * ends the registration, at HSS and AS too, and the calls', () => {
  const { core, mn } = lab();
  mn.register(core.now);
  core.run(2_000);
  mn.headers = [['Expires', '0']];
  mn.register(core.now, '*');
  core.run(2_000);
  const ok = mn.responses.at(-1)!;
  assert.equal(ok.statusCode, 200);
  assert.equal(ok.headers.has('Contact'), false);
  assert.equal(core.hss.log.at(-1), 'SAR 5');
  assert.equal(core.applicationServer.registers.at(-1)!.headers.get('Expires'), '0');
  assert.deepEqual(core.events.at(-1), {
    kind: 'user-deregistered',
    identity: 'sip:mn@home1.net',
    cause: 'request',
  });
  core.takeLadder();
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.deepEqual(core.takeLadder(), ['MN → P INVITE', 'P → MN 403', 'MN → P ACK']);
});

test('IMS core: a registration that is not refreshed ends by itself', () => {
  const { core, mn } = lab();
  mn.register(core.now, `${mn.contact};expires=60`);
  core.run(65_000);
  assert.equal(core.hss.log.at(-1), 'SAR 4');
  assert.equal(core.applicationServer.registers.at(-1)!.headers.get('Expires'), '0');
  assert.deepEqual(core.events.at(-1), {
    kind: 'user-deregistered',
    identity: 'sip:mn@home1.net',
    cause: 'expiry',
  });
});

test('IMS core: a wrong password gets 403 and no registration', () => {
  const core = new ImsCoreLab({ subscribers: [subscriber] });
  const thief = core.user({
    identity: 'sip:mn@home1.net',
    password: 'guess',
    address: '10.0.0.10',
    seed: 10,
  });
  thief.register(core.now);
  core.run(2_000);
  assert.deepEqual(statusCodes(thief), [401, 403]);
  assert.deepEqual(core.hss.log, ['UAR', 'MAR', 'UAR', 'SAR 9']);
  assert.deepEqual(core.events, [{ kind: 'authentication-failed', identity: 'sip:mn@home1.net' }]);
});

test('IMS core: credentials for one identity open no other', () => {
  const other = { ...subscriber, publicIdentity: 'sip:cn@home1.net', password: 'other' };
  const core = new ImsCoreLab({ subscribers: [subscriber, other] });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  mn.register(core.now);
  core.run(2_000);
  mn.registerAs(core.now, 'sip:cn@home1.net');
  core.run(2_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 403);
});

test('IMS core: a user whom the HSS does not know gets 403 from the I-CSCF', () => {
  const core = new ImsCoreLab({ subscribers: [] });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  mn.register(core.now);
  core.run(2_000);
  assert.deepEqual(core.takeLadder(), ['MN → P REGISTER', 'P → I REGISTER', 'I → P 403', 'P → MN 403']);
});

test('IMS core: a silent HSS makes a 504 before the terminal gives up', () => {
  const { core, mn } = lab();
  core.hss.isSilent = true;
  mn.register(core.now);
  core.run(31_000);
  assert.deepEqual(statusCodes(mn), [504]);
});

test('IMS core: an HSS that falls silent between challenge and profile makes a 504, and the user is not registered', () => {
  const { core, mn } = lab();
  core.hss.silentAfter = 'MAR';
  mn.register(core.now);
  core.run(100_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 504);
});

test('IMS core: a profile that breaks its schema fails the registration cleanly', () => {
  const { core, mn } = lab();
  core.hss.userData = '<IMSSubscription><PrivateID>mn@home1.net</PrivateID>';
  mn.register(core.now);
  core.run(2_000);
  assert.deepEqual(statusCodes(mn), [401, 500]);
  assert.equal(core.events[0]?.kind, 'user-profile-refused');
  assert.deepEqual(core.hss.log, ['UAR', 'MAR', 'UAR', 'SAR 1', 'SAR 8'], 'the HSS forgets the assignment');
  core.hss.userData = undefined;
  mn.register(core.now);
  core.run(2_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 200);
});

test('IMS core: too brief an interval gets 423 with the least one', () => {
  const { core, mn } = lab();
  mn.register(core.now, `${mn.contact};expires=5`);
  core.run(2_000);
  assert.equal(mn.responses.at(-1)!.statusCode, 423);
  assert.equal(mn.responses.at(-1)!.headers.get('Min-Expires'), '30');
});

test('IMS core: an AS that must not be missed ends the registration when it does not answer', () => {
  const strict = { ...subscriber, criteria: criterion(0, method('REGISTER'), 1) };
  const { core, mn } = lab({ subscribers: [strict] });
  core.applicationServer.refusal = 0;
  mn.register(core.now);
  core.run(60_000);
  assert.equal(core.hss.log.at(-1), 'SAR 8');
  assert.deepEqual(core.events.at(-1), {
    kind: 'user-deregistered',
    identity: 'sip:mn@home1.net',
    cause: 'application-server',
  });
});

test('IMS core: the registration comes about although datagrams are lost or everything comes twice', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { core, mn } = lab();
    const random = new SeededRandomSource(seed);
    core.network.fate = () => (seed === 5 ? [5, 6] : randomFraction(random) < 0.2 ? [] : [5]);
    mn.register(core.now);
    core.run(60_000);
    assert.equal(mn.responses.at(-1)?.statusCode, 200, `seed ${seed}`);
    assert.equal(core.hss.log.filter((line) => line.startsWith('SAR')).length, 1, `seed ${seed}`);
  }
});

test('IMS core: a nonce that is too old is challenged anew as stale, without asking for the password again', () => {
  const { core, mn } = lab();
  mn.register(core.now, `${mn.contact};expires=7200`);
  core.run(3_700_000);
  mn.register(core.now, `${mn.contact};expires=7200`);
  core.run(2_000);
  assert.deepEqual(statusCodes(mn), [401, 200, 401, 200]);
  assert.match(mn.responses[2]!.headers.get('WWW-Authenticate')!, /stale=true/);
});

test('IMS core: the S-CSCF also authenticates with the password that a "Digest-MD5" answer carries', () => {
  const { core, mn } = lab({ serving: { authenticationScheme: 'Digest-MD5' } });
  mn.register(core.now);
  core.run(2_000);
  assert.deepEqual(statusCodes(mn), [401, 200]);
});

test('IMS core: a terminal that requires what the registrar lacks gets 420', () => {
  const { core, mn } = lab();
  mn.headers = [['Require', 'gruu']];
  mn.register(core.now);
  core.run(2_000);
  assert.equal(mn.responses[0]!.statusCode, 420);
  assert.equal(mn.responses[0]!.headers.get('Unsupported'), 'gruu');
});
