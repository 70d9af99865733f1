import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../../base/malformed.ts';
import { malformedRejection } from './malformed-rejection.ts';
import { parseSipMessage } from './parse-sip-message.ts';
import { requestRejection } from './request-rejection.ts';
import { serializeSipMessage } from './serialize-sip-message.ts';
import type { SipMessage } from './sip-message.ts';

const folder = 'test/data/sip-torture';
const torture: readonly Buffer[] = JSON.parse(readFileSync(`${folder}/index.json`, 'utf8')).messages.map(
  ({ file, wire }: { file: string; wire?: string }) => readFileSync(`${folder}/${wire ?? file}`),
);
const mandatory =
  'Via: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n';

test('parseSipMessage: what it accepts it reads back the same, and nothing makes it or its helpers throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutatedTorture()), (octets) => {
      const message = parseSipMessage(octets);
      if (isMalformed(message)) {
        malformedRejection(octets, message, { toTag: 'x' });
        return;
      }
      if (message.kind === 'request') requestRejection(message);
      const again = parseSipMessage(serializeSipMessage(message));
      assert.ok(!isMalformed(again), String(again));
      assert.deepEqual(contentOf(again), contentOf(message));
    }),
    { seed: 4, numRuns: 1500 },
  );
});

test('parseSipMessage: says which field is wrong and where', () => {
  const cases: readonly [octets: string, field: string, offset: number][] = [
    ['', 'start-line', 0],
    ['\r\n\r\nOPTIONS', 'start-line', 4],
    ['OPTIONS sip:a@b\r\n\r\n', 'start-line', 0],
    ['OPTIONS  sip:a@b SIP/2.0\r\n\r\n', 'start-line', 0],
    ['SIP/2.0 99 x\r\n\r\n', 'start-line', 0],
    ['OPTIONS sip:a@b SIP/2.0\r\nX: y\r\n', 'message-header', 31],
    ['OPTIONS sip:a@b SIP/2.0\r\nno colon\r\n\r\n', 'message-header', 25],
    ['OPTIONS sip:a@b SIP/2.0\r\n: y\r\n\r\n', 'message-header', 25],
    ['OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards: 256\r\n\r\n', 'Max-Forwards', 38],
    ['OPTIONS sip:a@b SIP/2.0\r\nVia: ,\r\n\r\n', 'Via', 29],
    ['OPTIONS sip:a@b SIP/2.0\r\nt: <sip:a@b>\r\nTo: <sip:a@b>\r\n\r\n', 'To', 39],
    ['OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\n\r\n', 'Content-Length', 33],
  ];
  for (const [text, field, offset] of cases) {
    const fault = parseSipMessage(Buffer.from(text, 'latin1'));
    assert.ok(isMalformed(fault), JSON.stringify(text));
    assert.deepEqual([fault.field, fault.offset], [field, offset], JSON.stringify(text));
  }
});

test('parseSipMessage: the largest datagram is accepted, one octet more is not', () => {
  const head = `OPTIONS sip:a@b SIP/2.0\r\n${mandatory}\r\n`;
  const largest = Buffer.alloc(65_535, 0x61);
  largest.write(head, 'latin1');
  const message = parseSipMessage(largest);
  assert.ok(!isMalformed(message));
  assert.equal(message.body.length, 65_535 - head.length);
  const octets = serializeSipMessage(message);
  assert.equal(octets.length, 65_535 + 'Content-Length: 65404\r\n'.length);
  assert.ok(isMalformed(parseSipMessage(Buffer.concat([largest, Buffer.from('a')]))));
});

test('parseSipMessage: a folded Content-Length counts, a body without one reaches to the end', () => {
  const withLength = parseSipMessage(
    Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\n${mandatory}l:\r\n  3\r\n\r\nabcdef`),
  );
  assert.ok(!isMalformed(withLength));
  assert.equal(withLength.body, 'abc');
  const withoutLength = parseSipMessage(Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\n${mandatory}\r\nabcdef`));
  assert.ok(!isMalformed(withoutLength));
  assert.equal(withoutLength.body, 'abcdef');
});

// Were the work quadratic in one of these, 64 kB of it would take minutes; so the runner's time limit is the check.
test('parseSipMessage: hostile messages of the full size cost no more than others', {
  timeout: 20_000,
}, () => {
  const fill = (text: string): string => text.repeat(Math.floor(60_000 / text.length));
  const values = [
    ' ',
    '\t',
    '"',
    '\\"',
    '<',
    '>',
    ';',
    ';a',
    ';a=',
    ',',
    '@',
    ':',
    ' ;',
    ', ',
    '\r\n ',
    'a ',
    'sip:',
    '%41',
    '[',
    '(',
  ];
  for (const field of [
    'Via',
    'From',
    'To',
    'Route',
    'Contact',
    'CSeq',
    'Call-ID',
    'Max-Forwards',
    'Subject',
  ]) {
    for (const value of values) {
      for (const [before, after] of [
        ['', ''],
        ['"', ''],
        ['<sip:', '>'],
        ['SIP/2.0/UDP h', 'x'],
        ['1', ' x'],
      ] as const) {
        const octets = Buffer.from(
          `OPTIONS sip:a@b SIP/2.0\r\n${field}: ${before}${fill(value)}${after}\r\n\r\n`,
          'latin1',
        );
        const message = parseSipMessage(octets);
        if (isMalformed(message)) malformedRejection(octets, message);
        else message.headers.getAll(field);
      }
    }
  }
  for (const lines of ['a:\r\n', 'v: SIP/2.0/UDP h\r\n', '\r', 'Route: <sip:a>\r\n']) {
    const message = parseSipMessage(Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\n${fill(lines)}\r\n`, 'latin1'));
    if (!isMalformed(message)) message.headers.getAll('Via');
  }
});

/** A torture message with some of its octets replaced by others that matter to the grammar. */
function mutatedTorture(): fc.Arbitrary<Uint8Array> {
  const octet = fc.constantFrom(
    ...[...'\r\n \t:;,<>"\\@/=?0[]\x00\x0b\xa0'].map((character) => character.charCodeAt(0)),
  );
  const changes = fc.array(fc.tuple(fc.nat({ max: 600 }), octet), { maxLength: 4 });
  return fc.tuple(fc.constantFrom(...torture), changes).map(([message, replacements]) => {
    const copy = Uint8Array.from(message);
    for (const [at, value] of replacements) if (at < copy.length) copy[at] = value;
    return copy;
  });
}

function contentOf(message: SipMessage): unknown {
  const { headers, ...rest } = message;
  return { ...rest, headers: headers.entries().filter(([name]) => name !== 'Content-Length') };
}

test('parseSipMessage: a CR or LF alone is part of no field, so nobody behind sees fields that were not seen here', () => {
  const request = (line: string): Uint8Array =>
    Buffer.from(
      `OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n${line}\r\n\r\na\nb`,
    );
  assert.ok(!isMalformed(parseSipMessage(request('Subject: x'))));
  for (const line of [
    'Subject: x\nP-Asserted-Identity: <sip:boss@h>',
    'Subject: x\n',
    'Subject: x\rP-Asserted-Identity: <sip:boss@h>',
    'Subject: \r\r\n y',
    'Subject: x\n\r\n y',
    'Subject: x\n y',
  ]) {
    const fault = parseSipMessage(request(line));
    assert.ok(isMalformed(fault) && fault.field === 'message-header', line);
  }
  // Nor does the answer carry such an octet on.
  const fault = parseSipMessage(request('X: y'));
  assert.ok(!isMalformed(fault));
  const bent = Buffer.from(
    Buffer.from(request('Subject: x\ny')).toString('latin1').replace('Call-ID: 1', 'Call-ID: 1\nX: y'),
  );
  const refused = parseSipMessage(bent);
  assert.ok(isMalformed(refused));
  assert.equal(malformedRejection(bent, refused), undefined);
});

test('parseSipMessage: a tag or branch that is there twice is refused in every way of writing it', () => {
  for (const [line, field] of [
    ['From: <sip:a@h>;tag=1;tag=2', 'From'],
    ['To: <sip:a@h>;TAG=1;x=y;tag=2', 'To'],
    ['To: sip:a@h ; tag = 1 ; tag = 2', 'To'],
    ['From: <sip:a@h>;tag;tag=2', 'From'],
    ['From: <sip:a@h>;tag=1;tag', 'From'],
    ['To: <sip:a@h>;tag;tag', 'To'],
    ['Via: SIP/2.0/UDP h;branch;branch=z9hG4bK1', 'Via'],
    ['Via: SIP/2.0/UDP h;branch=z9hG4bK1;branch', 'Via'],
    ['Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport;Branch=z9hG4bK2', 'Via'],
  ] as const) {
    const fault = parseSipMessage(Buffer.from(`OPTIONS sip:b@h SIP/2.0\r\n${line}\r\n\r\n`));
    assert.ok(isMalformed(fault), line);
    assert.equal(fault.field, field);
  }
});
