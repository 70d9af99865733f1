/**
 * The 61 torture messages of RFC 4475 and RFC 5118 against every SIP role of the project: what each does with them, by
 * test/data/sip-torture/index.json. Where the RFCs leave a choice (index: "either", "may", "or") the table says what was chosen.
 *
 * user agent: the correspondent node. Back-to-back user agent: one that lets everything pass, with that user agent behind it, so that the
 * outcome for the caller must be the user agent's. Proxy: the core of all CSCFs. Registrar: the S-CSCF, which challenges (401) every
 * REGISTER that it understands; for other methods it is a proxy with other routes. SIP server: registrar of example.com, with digest, and
 * redirect server for its users once one is registered; a REGISTER is repeated with credentials to see what is bound.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../src/base/malformed.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { SipRequest } from '../../src/protocols/sip/message/sip-message.ts';
import { StreamFramer } from '../../src/protocols/sip/message/stream-framer.ts';
import { octetsOf, outcomeOf, type Role, registrationOutcome, tortureMessages } from './torture-roles.ts';

/** User agent, B2BUA, proxy; S-CSCF and SIP server where they answer as registrars. */
type Row = readonly [userAgent: string, b2bua: string, proxy: string, registrar?: string];

const silent: Row = ['is silent', 'is silent', 'is silent', 'is silent'];
const refused = (code: number): Row => [
  `answers ${code}`,
  `answers ${code}`,
  `answers ${code}`,
  `answers ${code}`,
];
const answered = (code: number): Row => [`answers ${code}`, `answers ${code}`, 'forwards'];
const registration = (registrar = 'answers 401'): Row => [
  'answers 405',
  'answers 405',
  'forwards',
  registrar,
];

const expected: Readonly<Record<string, Row>> = {
  // Valid, whatever they look like. wsinv and the BYEs name dialogs that are not there.
  wsinv: answered(481),
  intmeth: answered(501),
  esc01: answered(200),
  escnull: registration(),
  esc02: answered(501),
  lwsdisp: answered(200),
  longreq: answered(200),
  dblreq: registration(),
  semiuri: answered(200),
  transports: answered(200),
  mpart01: answered(405),
  unreason: silent,
  noreason: silent,
  // Invalid.
  badinv01: refused(400),
  clerr: refused(400),
  ncl: refused(400),
  scalar02: refused(400),
  scalarlg: silent,
  quotbal: refused(400),
  ltgtruri: refused(400),
  lwsruri: refused(400),
  lwsstart: refused(400),
  trws: refused(400),
  escruri: refused(400),
  baddate: answered(200),
  // Refused with 400 once its sender is known, see below.
  regbadct: registration(),
  badaspec: refused(400),
  baddn: refused(400),
  badvers: refused(505),
  mismatch01: refused(400),
  mismatch02: refused(400),
  bigcode: silent,
  // Well-formed, but not to be obeyed. badbranch is matched by the rules of RFC 2543.
  badbranch: answered(200),
  insuf: refused(400),
  unkscm: refused(416),
  novelsc: refused(416),
  unksm2: registration('answers 400'),
  bext01: refused(420),
  invut: answered(415),
  regaut01: registration(),
  multi01: refused(400),
  mcl01: refused(400),
  bcast: silent,
  // A B2BUA must stop loops as a proxy does (RFC 7332 §4).
  zeromf: ['answers 200', 'answers 483', 'answers 483'],
  cparam01: registration(),
  cparam02: registration(),
  regescrt: registration(),
  sdp01: answered(406),
  inv2543: answered(200),
  // RFC 5118.
  'ipv6-good': registration(),
  'ipv6-bad': refused(400),
  'port-ambiguous': registration(),
  'port-unambiguous': registration(),
  'via-received-param-with-delim': answered(481),
  'via-received-param-no-delim': answered(200),
  'ipv6-in-sdp': answered(200),
  'mult-ip-in-header': answered(481),
  'mult-ip-in-sdp': answered(200),
  'ipv4-mapped-ipv6': answered(200),
  'ipv6-bug-abnf-3-colons': answered(200),
  'ipv6-correct-abnf-2-colons': answered(200),
};

/** SIP server, redirect server, where the message is neither refused by everybody nor a REGISTER. Nobody but 'user' is registered. */
const atServers: Readonly<Record<string, readonly [server: string, redirect: string]>> = {
  // For a user, from another domain: where he is, or that he is nowhere.
  ...forAll(['longreq', 'semiuri', 'baddate', 'badbranch', 'invut', 'sdp01', 'ipv4-mapped-ipv6'], 480, 302),
  inv2543: ['answers 404', 'answers 404'],
  zeromf: ['answers 483', 'answers 483'],
  // From a user, who has to prove it.
  ...forAll(
    ['intmeth', 'esc02', 'lwsdisp', 'transports', 'mpart01', 'ipv6-in-sdp', 'mult-ip-in-sdp'],
    407,
    407,
  ),
  ...forAll(
    ['via-received-param-no-delim', 'ipv6-bug-abnf-3-colons', 'ipv6-correct-abnf-2-colons'],
    407,
    407,
  ),
  // Neither from nor for a user; those within a dialog come from where one is registered, and their way leads nowhere.
  esc01: ['answers 403', 'answers 403'],
  ...forAll(['wsinv', 'via-received-param-with-delim', 'mult-ip-in-header'], 403, 500),
  // REGISTER for another domain.
  ...forAll(['ipv6-good', 'port-ambiguous', 'port-unambiguous'], 403, 403),
};

function forAll(
  names: readonly string[],
  server: number,
  redirect: number,
): Record<string, readonly [string, string]> {
  return Object.fromEntries(names.map((name) => [name, [`answers ${server}`, `answers ${redirect}`]]));
}

const roles: readonly Role[] = ['user agent', 'back-to-back user agent', 'proxy', 'registrar'];

test('the torture table: names each of the 61 messages', () => {
  assert.deepEqual(Object.keys(expected).sort(), tortureMessages.map(({ name }) => name).sort());
});

for (const [index, role] of roles.entries()) {
  test(`${role}: does with each of the torture messages what RFC 4475 and RFC 5118 ask for`, () => {
    const differing = Object.entries(expected).flatMap(([name, row]) => {
      const { words } = outcomeOf(role, octetsOf(name));
      return row[index] === undefined || words === row[index] ? [] : [`${name}: ${words}, not ${row[index]}`];
    });
    assert.deepEqual(differing, []);
  });
}

for (const [index, role] of (['SIP server', 'redirect server'] as const).entries()) {
  test(`${role}: does with each of the torture messages what RFC 4475 and RFC 5118 ask for`, () => {
    const differing = Object.entries(expected).flatMap(([name, row]) => {
      const { words } = outcomeOf(role, octetsOf(name));
      const wanted = atServers[name]?.[index] ?? row[3] ?? 'in the table of servers';
      return words === wanted ? [] : [`${name}: ${words}, not ${wanted}`];
    });
    assert.deepEqual(differing, []);
  });
}

test('SIP server: takes a REGISTER that it understands with 200, and says what it has bound', () => {
  const contactsOf = (name: string) => {
    const [startLine, ...lines] = registrationOutcome(octetsOf(name)).split('\r\n');
    assert.equal(startLine, 'SIP/2.0 200 OK', name);
    return lines
      .filter((line) => line.startsWith('Contact: '))
      .map((line) => line.slice(9).replace(/;expires=.*/, ''));
  };
  assert.deepEqual(contactsOf('escnull'), ['<sip:%00@host5.example.com>', '<sip:%00%00@host5.example.com>']);
  assert.deepEqual(contactsOf('dblreq'), ['<sip:j.user@host.example.com>']);
  assert.deepEqual(contactsOf('regaut01'), []);
  assert.deepEqual(contactsOf('cparam01'), ['<sip:+19725552222@gw1.example.net>;unknownparam']);
  assert.deepEqual(contactsOf('cparam02'), ['<sip:+19725552222@gw1.example.net;unknownparam>']);
  assert.deepEqual(contactsOf('regescrt'), ['<sip:user@example.com?Route=%3Csip:sip.example.com%3E>']);
  assert.match(registrationOutcome(octetsOf('regbadct')), /^SIP\/2\.0 400 /);
});

test('proxy: forwards everything but Via and Max-Forwards as it came, to the octet', () => {
  const perHop = new Set(['Via', 'Max-Forwards', 'Content-Length']);
  for (const [name, [, , outcome]] of Object.entries(expected)) {
    if (outcome !== 'forwards') continue;
    const original = accepted(name);
    const { forwarded } = outcomeOf('proxy', octetsOf(name));
    assert.ok(forwarded instanceof SipRequest, name);
    assert.equal(forwarded.body, original.body, name);
    assert.equal(forwarded.method, original.method, name);
    assert.equal(forwarded.requestUri, original.requestUri, name);
    const kept = (request: SipRequest) => request.headers.entries().filter(([field]) => !perHop.has(field));
    assert.deepEqual(kept(forwarded), kept(original), name);
    // The one that came without From tag, branch and Max-Forwards gets a Max-Forwards (RFC 3261 §16.6 item 3).
    const hops = Number(original.headers.get('Max-Forwards') ?? 71);
    assert.equal(forwarded.headers.get('Max-Forwards'), String(hops - 1), name);
  }
});

test('back-to-back user agent: carries unknown header fields and binary bodies to the other leg unharmed', () => {
  const body = outcomeOf('back-to-back user agent', octetsOf('mpart01')).forwarded?.body;
  assert.equal(body, accepted('mpart01').body);
  const { forwarded } = outcomeOf('back-to-back user agent', octetsOf('esc02'));
  assert.equal(forwarded?.headers.get('C%6Fntact'), '<sip:alias2@host2.example.com>');
});

test('user agent: says what would be accepted instead (Allow, Accept, Unsupported, Warning)', () => {
  const lineOf = (name: string, field: string) =>
    outcomeOf('user agent', octetsOf(name))
      .response?.split('\r\n')
      .find((line) => line.startsWith(`${field}:`));
  assert.match(lineOf('intmeth', 'Allow') ?? '', /INVITE, ACK/);
  assert.match(lineOf('regaut01', 'Allow') ?? '', /OPTIONS/);
  assert.equal(lineOf('invut', 'Accept'), 'Accept: application/sdp');
  assert.equal(
    lineOf('bext01', 'Unsupported'),
    'Unsupported: nothingSupportsThis, nothingSupportsThisEither',
  );
  assert.match(lineOf('sdp01', 'Warning') ?? '', /^Warning: 399 /);
  const proxy = outcomeOf('proxy', octetsOf('bext01')).response ?? '';
  assert.match(proxy, /Unsupported: noProxiesSupportThis/);
  assert.match(proxy, /norDoAnyProxiesSupportThis/);
});

test('StreamFramer: a stream with a wrong or double Content-Length is beyond repair; with one too long it waits', () => {
  const frameOf = (name: string) => {
    const framer = new StreamFramer();
    framer.push(octetsOf(name));
    return framer.pollFrame();
  };
  assert.ok(isMalformed(frameOf('ncl')));
  assert.ok(isMalformed(frameOf('mcl01')));
  assert.equal(frameOf('clerr'), undefined);
});

function accepted(name: string): SipRequest {
  const message = parseSipMessage(octetsOf(name));
  assert.ok(message instanceof SipRequest, `${name}: ${message}`);
  return message;
}
