import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import { criterion, ImsCoreLab, type LabOptions, method, type TestUser } from './ims-core-lab.ts';

const instance = '"<urn:uuid:00000000-0000-1000-8000-000000000001>"';

function subscriber(name: string, criteria = '') {
  return { publicIdentity: `sip:${name}@home1.net`, password: 'secret', criteria };
}

/** MN and CN registered, the ladder empty. */
function lab(
  mnCriteria: string,
  options: Partial<LabOptions> = {},
): { core: ImsCoreLab; mn: TestUser; cn: TestUser } {
  const core = new ImsCoreLab({ subscribers: [subscriber('mn', mnCriteria), subscriber('cn')], ...options });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  const cn = core.user({ identity: 'sip:cn@home1.net', password: 'secret', address: '10.0.0.20', seed: 20 });
  mn.register(core.now);
  cn.register(core.now);
  core.run(2_000);
  core.takeLadder();
  core.events.length = 0;
  return { core, mn, cn };
}

function lastStatus(user: TestUser): number | undefined {
  return user.responses.at(-1)?.statusCode;
}

const originatingLadder = [
  ...['MN → P INVITE', 'P → S INVITE', 'S → AS INVITE', 'AS → S INVITE', 'S → I INVITE'],
  ...['I → S INVITE', 'S → P INVITE', 'P → CN INVITE'],
];

test('IMS core: a call of the MN goes through its AS and comes back marked, message by message', () => {
  const { core, mn, cn } = lab(criterion(0, method('INVITE', 0)));
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  const ladder = core.takeLadder();
  assert.deepEqual(
    ladder.filter((line) => line.endsWith('INVITE')),
    originatingLadder,
  );
  const back = ['CN → P', 'P → S', 'S → I', 'I → S', 'S → AS', 'AS → S', 'S → P', 'P → MN'];
  for (const statusCode of [180, 200]) {
    assert.deepEqual(
      ladder.filter((line) => line.endsWith(` ${statusCode}`)),
      back.map((hop) => `${hop} ${statusCode}`),
    );
  }
  // Within the dialog the I-CSCF is gone and the S-CSCF stands twice in a row (originating, terminating).
  assert.deepEqual(
    ladder.filter((line) => line.endsWith('ACK')),
    ['MN → P ACK', 'P → S ACK', 'S → AS ACK', 'AS → S ACK', 'S → P ACK', 'P → CN ACK'],
  );
  const sent = core.applicationServer.invites[0]!;
  assert.equal(sent.headers.get('P-Served-User'), '<sip:mn@home1.net>;sescase=orig;regstate=reg');
  const routes = sent.headers.entries().filter(([name]) => name === 'Route');
  assert.deepEqual(routes, [
    ['Route', '<sip:iscmark@10.0.1.3:5060;lr;s=0;d=0;a=7369703a6d6e40686f6d65312e6e6574>'],
  ]);
  const received = cn.requests[0]!;
  assert.equal(received.requestUri, 'sip:ue@10.0.0.20:5060');
  assert.equal(received.headers.get('P-Called-Party-ID'), '<sip:cn@home1.net>');
  assert.equal(received.headers.get('P-Asserted-Identity'), '<sip:mn@home1.net>');
  for (const name of ['P-Served-User', 'P-Charging-Vector', 'Route'])
    assert.equal(received.headers.has(name), false);
  const vouched = /^<sip:mt-[\w-]{22}@/;
  assert.match(received.headers.get('Record-Route')!, vouched);
  const recorded = received.headers.getAll('Record-Route').map((value) => value.replace(vouched, '<sip:mt@'));
  assert.deepEqual(recorded, [
    '<sip:mt@10.0.1.1:5060;lr>',
    '<sip:mt@10.0.1.3:5060;lr>',
    '<sip:mo@10.0.1.3:5060;lr>',
    '<sip:10.0.1.4;lr>',
    '<sip:mo@10.0.1.3:5060;lr>',
    '<sip:mo@10.0.1.1:5060;lr>',
  ]);
  assert.equal(mn.responses.at(-1)!.headers.get('P-Asserted-Identity'), '<sip:cn@home1.net>');
});

test('IMS core: a call to the MN goes through its AS before it reaches it, message by message', () => {
  const { core, mn, cn } = lab(criterion(0, method('INVITE', 1)));
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(1_000);
  assert.deepEqual(
    core.takeLadder().filter((line) => line.endsWith('INVITE')),
    [
      ...['CN → P INVITE', 'P → S INVITE', 'S → I INVITE', 'I → S INVITE', 'S → AS INVITE', 'AS → S INVITE'],
      ...['S → P INVITE', 'P → MN INVITE'],
    ],
  );
  const sent = core.applicationServer.invites[0]!;
  assert.equal(sent.headers.get('P-Served-User'), '<sip:mn@home1.net>;sescase=term;regstate=reg');
  assert.match(sent.headers.get('Route')!, /;d=1;/);
  assert.equal(lastStatus(cn), 200);
  assert.equal(mn.requests[0]!.method, 'INVITE');
});

test('IMS core: requests within the dialog pass in both directions, also from an address that is not registered', () => {
  const { core, mn, cn } = lab(criterion(0, method('INVITE', 0)));
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  core.takeLadder();
  cn.send(core.now, 'INVITE');
  core.run(1_000);
  assert.deepEqual(
    core.takeLadder().filter((line) => line.endsWith('INVITE')),
    [...['CN → P INVITE', 'P → S INVITE', 'S → AS INVITE', 'AS → S INVITE', 'S → P INVITE'], 'P → MN INVITE'],
  );
  const moved = core.user({
    identity: 'sip:mn@home1.net',
    password: 'secret',
    address: '10.0.2.10',
    seed: 10,
  });
  moved.dialog = mn.dialog;
  moved.send(core.now, 'INVITE');
  core.run(1_000);
  assert.equal(lastStatus(moved), 200);
  cn.send(core.now, 'BYE');
  core.run(1_000);
  assert.equal(cn.requests.at(-1)!.headers.get('Contact'), '<sip:ue@10.0.2.10:5060>');
  assert.deepEqual(
    moved.requests.map(({ method: name }) => name),
    ['BYE'],
    'it goes where the MN is now',
  );
  assert.equal(lastStatus(cn), 200);
});

test('IMS core: nobody reaches another user through the P-CSCF past the core, whatever he says of himself', () => {
  const { core, mn, cn } = lab('');
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  core.takeLadder();
  const heard = cn.requests.length;
  mn.headers = [['P-Asserted-Identity', '<sip:boss@home1.net>']];
  mn.sendPast(core.now, 'MESSAGE', cn.contact);
  core.run(1_000);
  assert.deepEqual(core.takeLadder(), ['MN → P MESSAGE', 'P → MN 403']);
  assert.equal(cn.requests.length, heard);
});

test('IMS core: a P-CSCF that is told so refuses requests within a dialog from an unregistered address', () => {
  const { core, mn } = lab('', { proxy: { unregisteredInDialog: 'refuse' } });
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  const moved = core.user({
    identity: 'sip:mn@home1.net',
    password: 'secret',
    address: '10.0.2.10',
    seed: 10,
  });
  moved.dialog = mn.dialog;
  moved.send(core.now, 'INVITE');
  core.run(1_000);
  assert.equal(lastStatus(moved), 403);
});

test('IMS core: an AS that is silent is passed by after 5 s, or ends the call, as DefaultHandling says', () => {
  for (const [defaultHandling, statusCode] of [
    [0, 200],
    [1, 408],
  ] as const) {
    const { core, mn } = lab(criterion(0, method('INVITE', 0), defaultHandling));
    core.applicationServer.refusal = 0;
    mn.call(core.now, 'sip:cn@home1.net');
    core.run(4_900);
    assert.equal(mn.responses.length, 2, 'only the registration so far');
    core.run(300);
    assert.equal(lastStatus(mn), statusCode);
    assert.deepEqual(core.events, [
      {
        kind: 'application-server-failed',
        server: 'sip:as.home1.net',
        identity: 'sip:mn@home1.net',
        consequence: defaultHandling === 0 ? 'continue' : 'terminate',
      },
    ]);
  }
});

test('IMS core: a 5xx of the AS counts as a failure, a 4xx is its decision', () => {
  for (const [refusal, defaultHandling, statusCode] of [
    [500, 0, 200],
    [500, 1, 500],
    [486, 0, 486],
  ] as const) {
    const { core, mn } = lab(criterion(0, method('INVITE', 0), defaultHandling));
    core.applicationServer.refusal = refusal;
    mn.call(core.now, 'sip:cn@home1.net');
    core.run(1_000);
    assert.equal(lastStatus(mn), statusCode, `${refusal} with default handling ${defaultHandling}`);
  }
});

test('IMS core: several criteria are served one after the other, each once', () => {
  const { core, mn } = lab(criterion(0, method('INVITE', 0)) + criterion(7, method('INVITE', 0)));
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(mn), 200);
  const marks = core.applicationServer.invites.map(
    (invite) => /;s=(\d+);/.exec(invite.headers.get('Route')!)?.[1],
  );
  assert.deepEqual(marks, ['0', '7']);
});

test('IMS core: a call to an unknown user gets 404, to one who is not registered 480', () => {
  const { core, mn } = lab('', { subscribers: [subscriber('mn'), subscriber('cn'), subscriber('away')] });
  mn.call(core.now, 'sip:nobody@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(mn), 404);
  mn.call(core.now, 'sip:away@home1.net');
  core.run(1_000);
  assert.equal(lastStatus(mn), 480);
});

test('IMS core: a silent HSS makes a 504 for a call, too', () => {
  const { core, mn } = lab('');
  core.hss.isSilent = true;
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(12_000);
  assert.equal(lastStatus(mn), 504);
});

test('IMS core: who is not registered may not call', () => {
  const { core } = lab('');
  const stranger = core.user({ identity: 'sip:mn@home1.net', password: '', address: '10.0.2.10', seed: 30 });
  stranger.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.deepEqual(core.takeLadder(), ["MN' → P INVITE", "P → MN' 403", "MN' → P ACK"]);
});

test('IMS core: the P-CSCF asserts a registered identity whatever the terminal claims, and sets the Service-Route right', () => {
  const { core, mn, cn } = lab('');
  mn.headers = [
    ['P-Asserted-Identity', '<sip:cn@home1.net>'],
    ['P-Preferred-Identity', '<sip:boss@home1.net>'],
    ['P-Served-User', '<sip:cn@home1.net>;sescase=orig;regstate=reg'],
  ];
  mn.serviceRoute = ['<sip:iscmark@10.0.1.3:5060;lr;s=9;d=0;a=7369703a6d6e40686f6d65312e6e6574>'];
  mn.call(core.now, 'sip:cn@home1.net', 'MESSAGE');
  core.run(1_000);
  assert.equal(lastStatus(mn), 200);
  assert.deepEqual(cn.requests[0]!.headers.getAll('P-Asserted-Identity'), ['<sip:mn@home1.net>']);
  assert.equal(cn.requests[0]!.headers.has('P-Preferred-Identity'), false);
});

test('IMS core: of two flows of one terminal only the newest rings, and the other when that one is dead', () => {
  const { core, mn, cn } = lab('');
  const flow = (address: string, regId: number): string =>
    `<sip:ue@${address}:5060>;+sip.instance=${instance};reg-id=${regId};expires=3600`;
  const wlan = core.user({
    identity: 'sip:mn@home1.net',
    password: 'secret',
    address: '10.0.2.10',
    seed: 11,
  });
  mn.register(core.now, '*');
  mn.headers = [['Expires', '0']];
  mn.register(core.now, '*');
  core.run(1_000);
  mn.headers = [];
  mn.register(core.now, flow('10.0.0.10', 1));
  core.run(1_000);
  wlan.register(core.now, flow('10.0.2.10', 2));
  core.run(1_000);
  core.takeLadder();
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(1_000);
  const toUser = core.takeLadder().filter((line) => /^P → MN'? INVITE/.test(line));
  assert.deepEqual(toUser, ["P → MN' INVITE"]);
  assert.equal(lastStatus(cn), 200);
  // The newest link goes down without a word: timer B of the P-CSCF, then the older flow.
  core.network.fate = (line) => (/^\S+ sip:ue@10\.0\.2\.10:5060 /.test(line) ? [] : [5]);
  cn.call(core.now, 'sip:mn@home1.net', 'MESSAGE');
  core.run(40_000);
  assert.equal(mn.requests.at(-1)?.method, 'MESSAGE');
});

test('IMS core: a new contact without reg-id leaves the calls of the old one alone, or ends them, as the S-CSCF is told', () => {
  for (const contactWithoutRegId of ['add', 'replace'] as const) {
    const { core, mn, cn } = lab('', { serving: { registration: { contactWithoutRegId } } });
    mn.register(core.now, `${mn.contact};expires=3600;+sip.instance=${instance}`);
    core.run(1_000);
    mn.call(core.now, 'sip:cn@home1.net');
    core.run(1_000);
    core.takeLadder();
    const moved = core.user({
      identity: 'sip:mn@home1.net',
      password: 'secret',
      address: '10.0.2.10',
      seed: 11,
    });
    moved.register(core.now, `${moved.contact};expires=3600;+sip.instance=${instance}`);
    core.run(1_000);
    const byes = core.takeLadder().filter((line) => line.endsWith('BYE'));
    const contacts = moved.responses.at(-1)!.headers.getAll('Contact').length;
    if (contactWithoutRegId === 'add') {
      assert.deepEqual([byes, contacts], [[], 2]);
    } else {
      assert.deepEqual(byes, ['S → S BYE', 'S → P BYE', 'S → P BYE', 'P → MN BYE', 'P → CN BYE']);
      assert.equal(contacts, 1);
      for (const user of [mn, cn]) {
        const bye = user.requests.at(-1)!;
        assert.equal(bye.method, 'BYE');
        assert.ok(user.dialog!.matchesRequest(bye), 'it fits the dialog');
        assert.ok(user.dialog!.acceptSequence(bye), 'it is in order');
      }
    }
  }
});

test('IMS core: a call that its caller gives up is cancelled on every hop', () => {
  const { core, mn, cn } = lab(criterion(0, method('INVITE', 0)));
  cn.isHesitant = true;
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  core.takeLadder();
  mn.cancel(core.now);
  core.run(1_000);
  const ladder = core.takeLadder();
  assert.deepEqual(
    ladder.filter((line) => line.endsWith('CANCEL')),
    originatingLadder.map((line) => line.replace('INVITE', 'CANCEL')),
  );
  assert.equal(ladder.filter((line) => line.endsWith('487')).length, originatingLadder.length);
  assert.equal(lastStatus(mn), 487);
});

test("IMS core: an INVITE too long for a datagram goes over TCP and is still its sender's", () => {
  const { core, mn, cn } = lab(criterion(0, method('INVITE', 0)));
  const body = 'a=x\r\n'.repeat(300);
  mn.call(core.now, 'sip:cn@home1.net', 'INVITE', body);
  core.run(1_000);
  assert.equal(lastStatus(mn), 200);
  assert.equal(cn.requests[0]!.body, body);
  assert.equal(cn.requests[0]!.headers.get('P-Asserted-Identity'), '<sip:mn@home1.net>');
});

test('IMS core: a call through the AS comes about although datagrams are lost or everything comes twice', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const { core, mn, cn } = lab(criterion(0, method('INVITE', 0)));
    const random = new SeededRandomSource(seed);
    // The 200 is repeated end to end by the callee (RFC 3261 §13.3.1.4), which the scripted one does not do.
    core.network.fate = (line) => {
      if (seed === 5) return [5, 6];
      return randomFraction(random) < 0.2 && !line.startsWith('SIP/2.0 200') ? [] : [5];
    };
    mn.call(core.now, 'sip:cn@home1.net');
    core.run(60_000);
    assert.equal(lastStatus(mn), 200, `seed ${seed}`);
    assert.equal(cn.requests.length, 1, `seed ${seed}`);
    assert.deepEqual(core.events, [], 'the AS counts as alive');
  }
});

test('IMS core: the HSS takes a registration away, and with it the calls of its user', () => {
  const { core, mn, cn } = lab(criterion(0, method('REGISTER')));
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  core.hss.terminate('mn@home1.net', core.now);
  core.run(1_000);
  assert.equal(core.hss.log.at(-1), 'answer 2001');
  assert.deepEqual(core.events, [
    { kind: 'user-deregistered', identity: 'sip:mn@home1.net', cause: 'home-subscriber-server' },
  ]);
  assert.equal(core.applicationServer.registers.at(-1)!.headers.get('Expires'), '0');
  assert.deepEqual([mn.requests.at(-1)!.method, cn.requests.at(-1)!.method], ['BYE', 'BYE']);
  cn.call(core.now, 'sip:mn@home1.net', 'MESSAGE');
  core.run(1_000);
  assert.equal(lastStatus(cn), 480);
});

test('IMS core: a call given up while the HSS is being asked ends with 487', () => {
  const { core, mn } = lab('');
  core.hss.isSilent = true;
  mn.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  mn.cancel(core.now);
  core.run(1_000);
  assert.equal(lastStatus(mn), 487);
  core.run(30_000);
  assert.equal(lastStatus(mn), 487);
});

test('IMS core: a terminal that has moved behind another P-CSCF calls and is called through that one', () => {
  const { core, mn, cn } = lab(criterion(0, method('INVITE')));
  const flow = (address: string, regId: number, expires = 3600): string =>
    `<sip:ue@${address}:5060>;+sip.instance=${instance};reg-id=${regId};expires=${expires}`;
  mn.register(core.now, flow('10.0.0.10', 1));
  core.run(1_000);
  const identity = { identity: 'sip:mn@home1.net', password: 'secret' };
  const moved = core.user({ ...identity, address: '10.0.2.10', seed: 11, proxyCscf: '10.0.1.6' });
  moved.register(core.now, flow('10.0.2.10', 2));
  core.run(1_000);
  core.takeLadder();
  moved.call(core.now, 'sip:cn@home1.net');
  core.run(1_000);
  assert.deepEqual(core.takeLadder().slice(0, 3), ["MN' → P' INVITE", "P' → S INVITE", 'S → AS INVITE']);
  assert.equal(lastStatus(moved), 200);
  cn.send(core.now, 'BYE');
  core.run(1_000);
  assert.ok(core.takeLadder().includes("P' → MN' BYE"));
  cn.call(core.now, 'sip:mn@home1.net', 'MESSAGE');
  core.run(1_000);
  assert.deepEqual(
    core.takeLadder().filter((line) => line.startsWith("P' → MN' ") || line.startsWith('P → MN ')),
    ["P' → MN' MESSAGE"],
  );
});
