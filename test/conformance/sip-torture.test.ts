/**
 * The torture messages of RFC 4475 and RFC 5118 (test/data/sip-torture) against the parser: what must be accepted, what must not, and
 * which facts of each message the parser has to get right. What every role does with them: sip-torture-roles.test.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isMalformed, type Malformed } from '../../src/base/malformed.ts';
import {
  callIdOf,
  contactsOf,
  cseqOf,
  fromOf,
  maxForwardsOf,
  toOf,
  topViaOf,
} from '../../src/protocols/sip/message/header-fields.ts';
import { malformedRejection } from '../../src/protocols/sip/message/malformed-rejection.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { requestRejection } from '../../src/protocols/sip/message/request-rejection.ts';
import { serializeSipMessage } from '../../src/protocols/sip/message/serialize-sip-message.ts';
import { type SipMessage, SipRequest, SipResponse } from '../../src/protocols/sip/message/sip-message.ts';
import { formatUri, parseSipUri } from '../../src/protocols/sip/message/sip-uri.ts';
import { parseVia } from '../../src/protocols/sip/message/via.ts';

interface TortureMessage {
  readonly name: string;
  readonly section: string;
  readonly rfc: string;
  readonly file: string;
  readonly wire?: string;
  readonly parser: 'accept' | 'reject' | 'either';
}

const folder = 'test/data/sip-torture';
const { messages }: { messages: readonly TortureMessage[] } = JSON.parse(
  readFileSync(`${folder}/index.json`, 'utf8'),
);

test('parseSipMessage: the torture set is whole', () => {
  assert.equal(messages.length, 61);
});

for (const { name, rfc, section, parser } of messages) {
  const verdict = { accept: 'is accepted', reject: 'is refused', either: 'does no harm' }[parser];
  test(`parseSipMessage: ${name} (RFC ${rfc} §${section}) ${verdict}`, () => {
    const message = parse(name);
    if (parser !== 'either')
      assert.equal(isMalformed(message) ? 'reject' : 'accept', parser, String(message));
    if (isMalformed(message)) return;
    const again = parseSipMessage(serializeSipMessage(message));
    assert.ok(!isMalformed(again));
    assert.deepEqual(contentOf(again), contentOf(message));
  });
}

test('parseSipMessage: folding, compact names, spaces and zeros of wsinv are understood, its odd lines kept', () => {
  const message = accepted('wsinv');
  assert.equal(maxForwardsOf(message), 68);
  assert.deepEqual(cseqOf(message), { number: 9, method: 'INVITE' });
  assert.equal(message.headers.getAll('Via').length, 3);
  assert.deepEqual(
    message.headers.getAll('Via').map((value) => (parseVia(value) as { host: string }).host),
    ['192.0.2.2', 'spindle.example.com', '192.168.255.111'],
  );
  assert.equal(message.headers.get('Subject'), '');
  assert.equal(message.headers.get('UnknownHeaderWithUnusualValue'), ';;,,;;,;');
  const original = readFileSync(`${folder}/rfc4475/wsinv.dat`);
  assert.deepEqual(Buffer.from(serializeSipMessage(message)), original);
});

test('parseSipMessage: names are not unescaped: esc02 is no REGISTER and has two contacts', () => {
  const message = accepted('esc02');
  assert.ok(message instanceof SipRequest);
  assert.equal(message.method, 'RE%47IST%45R');
  assert.equal(contactsOf(message).length, 2);
  assert.equal(toOf(message).displayName, '%Z%45');
});

test('parseSipMessage: escaped NULs end nothing (escnull), and octets beyond Content-Length are dropped (dblreq)', () => {
  assert.deepEqual(
    contactsOf(accepted('escnull')).map((contact) => formatUri(contact.uri)),
    ['sip:%00@host5.example.com', 'sip:%00%00@host5.example.com'],
  );
  assert.equal(accepted('dblreq').body, '');
});

test('parseSipUri: a user part may hold semicolons and an at sign in escape (semiuri, esc01)', () => {
  const message = accepted('semiuri');
  assert.ok(message instanceof SipRequest);
  const uri = parseSipUri(message.requestUri);
  assert.ok(!isMalformed(uri));
  assert.deepEqual([uri.user, uri.host], ['user;par=u%40example.net', 'example.com']);
});

test('parseSipMessage: binary bodies survive (mpart01), reasons may be empty or UTF-8 (noreason, unreason)', () => {
  assert.equal(accepted('mpart01').body.length, 553);
  const responses = [accepted('noreason'), accepted('unreason')];
  assert.deepEqual(
    responses.map((response) => response instanceof SipResponse && response.statusCode),
    [100, 200],
  );
});

test('parseSipMessage: contact parameters and URI parameters are told apart (cparam01, cparam02, regescrt)', () => {
  const [first, second, third] = ['cparam01', 'cparam02', 'regescrt'].map(
    (name) => contactsOf(accepted(name))[0],
  );
  assert.equal(first?.parameters.has('unknownparam'), true);
  assert.equal(second?.parameters.size, 0);
  assert.equal(second?.uri.kind === 'sip' && second.uri.parameters.has('unknownparam'), true);
  assert.equal(third?.uri.kind === 'sip' && third.uri.headers, 'Route=%3Csip:sip.example.com%3E');
});

test('parseVia: IPv6 addresses with and without brackets (RFC 5118 §4.5, §4.3)', () => {
  for (const name of ['via-received-param-with-delim', 'via-received-param-no-delim']) {
    const received = topViaOf(accepted(name)).parameters.get('received');
    assert.equal(received?.replace(/[[\]]/g, ''), '2001:db8::9:255', name);
  }
  const ambiguous = accepted('port-ambiguous');
  assert.ok(ambiguous instanceof SipRequest);
  const uri = parseSipUri(ambiguous.requestUri);
  assert.deepEqual(isMalformed(uri) ? uri : [uri.host, uri.port], ['2001:db8::10:5070', undefined]);
  assert.equal(callIdOf(accepted('ipv6-good')).length > 0, true);
  assert.equal(fromOf(accepted('ipv6-good')).uri.kind, 'sip');
});

test('requestRejection: the status that RFC 4475 asks for', () => {
  const statusOf = (name: string): number | undefined => {
    const message = accepted(name);
    return message instanceof SipRequest ? requestRejection(message)?.statusCode : undefined;
  };
  const wanted = {
    ...{
      badvers: 505,
      mismatch01: 400,
      mismatch02: 400,
      insuf: 400,
      unkscm: 416,
      novelsc: 416,
      escruri: 400,
    },
    ...{ wsinv: undefined, semiuri: undefined, zeromf: undefined, inv2543: undefined, unksm2: undefined },
  };
  for (const [name, status] of Object.entries(wanted)) assert.equal(statusOf(name), status, name);
});

test('malformedRejection: answers 400 to what can be answered, with what it came with', () => {
  for (const name of [
    'badinv01',
    'clerr',
    'ncl',
    'scalar02',
    'quotbal',
    'mcl01',
    'ltgtruri',
    'lwsruri',
    'ipv6-bad',
  ]) {
    const response = rejectionOf(name);
    assert.equal(response?.statusCode, 400, name);
    assert.deepEqual(
      [...new Set(response.headers.entries().map(([field]) => field))].toSorted(),
      ['CSeq', 'Call-ID', 'From', 'To', 'Via'],
      name,
    );
  }
  assert.equal(rejectionOf('badinv01')?.headers.get('Via'), 'SIP/2.0/UDP 192.0.2.15');
  assert.equal(rejectionOf('scalar02')?.headers.get('CSeq'), '36893488147419103232 REGISTER');
  assert.match(rejectionOf('scalar02')?.headers.get('To') ?? '', /;tag=x$/);
});

test('malformedRejection: broken responses are dropped', () => {
  for (const name of ['scalarlg', 'bigcode']) assert.equal(rejectionOf(name), undefined, name);
});

function parse(name: string): SipMessage | Malformed {
  return parseSipMessage(octetsOf(name));
}

function octetsOf(name: string): Uint8Array {
  const entry = messages.find((message) => message.name === name);
  assert.ok(entry !== undefined, name);
  return readFileSync(`${folder}/${entry.wire ?? entry.file}`);
}

function accepted(name: string): SipMessage {
  const message = parse(name);
  assert.ok(!isMalformed(message), `${name}: ${message}`);
  return message;
}

function rejectionOf(name: string): SipResponse | undefined {
  const fault = parse(name);
  assert.ok(isMalformed(fault), name);
  return malformedRejection(octetsOf(name), fault, { toTag: 'x' });
}

/** Everything a message says, without the way it is held in memory. */
function contentOf(message: SipMessage): unknown {
  const { headers, ...rest } = message;
  return { ...rest, headers: headers.entries() };
}
