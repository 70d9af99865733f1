import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../../base/malformed.ts';
import { parseSipMessage } from './parse-sip-message.ts';
import { SipHeaders } from './sip-headers.ts';

const lines = [
  'v: SIP/2.0/UDP a , SIP/2.0/TCP b',
  'VIA:SIP/2.0/UDP c',
  'P-Visited-Network-ID: "a, b", c',
  'Authorization: Digest realm="x", nonce="y"',
  'Subject:  one\r\n  two  ',
  'x-Unknown: 1',
  'X-UNKNOWN: 2',
  'Supported:',
];

test('SipHeaders: names in any spelling, list fields split, others whole and unfolded', () => {
  const headers = parsed();
  assert.deepEqual(headers.getAll('Via'), ['SIP/2.0/UDP a', 'SIP/2.0/TCP b', 'SIP/2.0/UDP c']);
  assert.equal(headers.get('via'), 'SIP/2.0/UDP a');
  assert.deepEqual(headers.getAll('p-visited-network-id'), ['"a, b"', 'c']);
  assert.equal(headers.get('Authorization'), 'Digest realm="x", nonce="y"');
  assert.equal(headers.get('s'), 'one two');
  assert.deepEqual(headers.getAll('X-unknown'), ['1', '2']);
  assert.deepEqual(
    [headers.has('k'), headers.get('Supported'), headers.getAll('Supported')],
    [true, undefined, []],
  );
  assert.deepEqual([headers.has('To'), headers.get('To')], [false, undefined]);
});

test('SipHeaders: a change touches its own line alone', () => {
  const headers = parsed();
  headers.removeFirst('v');
  headers.append('via', 'SIP/2.0/UDP d');
  headers.prepend('Subject', 'zero');
  headers.set('X-Unknown', '3');
  headers.removeAll('k');
  assert.equal(
    headers.toString(),
    [
      'Via: SIP/2.0/TCP b',
      lines[1],
      'Via: SIP/2.0/UDP d',
      lines[2],
      lines[3],
      'Subject: zero',
      lines[4],
      'X-Unknown: 3',
      '',
    ].join('\r\n'),
  );
});

test('SipHeaders: removeFirst takes whole lines of fields that are no lists, and does nothing without one', () => {
  const headers = parsed();
  headers.removeFirst('Authorization');
  headers.removeFirst('To');
  assert.equal(headers.has('Authorization'), false);
  assert.equal(headers.entries().length, lines.length - 1);
});

test('SipHeaders: a clone goes its own way', () => {
  const headers = parsed();
  const before = headers.toString();
  const copy = headers.clone();
  copy.set('Subject', 'other');
  copy.removeAll('Via');
  assert.equal(headers.toString(), before);
  assert.equal(copy.get('Subject'), 'other');
});

test('SipHeaders: agrees with a plain list of values under any sequence of changes to what was received', () => {
  const name = fc.constantFrom('Contact', 'Route', 'Subject', 'X-Own');
  const received = fc.array(fc.tuple(name, fc.nat({ max: 99 })), { maxLength: 12 });
  const step = fc.tuple(
    fc.constantFrom('set', 'append', 'prepend', 'removeFirst', 'removeAll'),
    name,
    fc.nat({ max: 99 }),
  );
  fc.assert(
    fc.property(received, fc.array(step), (start, steps) => {
      const headers = headersOf(start.map(([field, number]) => `${field}:<sip:${number}>`));
      const model = new Map<string, string[]>();
      for (const [field, number] of start) model.set(field, [...(model.get(field) ?? []), `<sip:${number}>`]);
      for (const [kind, field, number] of steps) {
        const values = model.get(field) ?? [];
        const value = `<sip:${number}>`;
        if (kind === 'set') headers.set(field, value);
        else if (kind === 'append') headers.append(field, value);
        else if (kind === 'prepend') headers.prepend(field, value);
        else if (kind === 'removeFirst') headers.removeFirst(field);
        else headers.removeAll(field);
        const after = {
          set: [value],
          append: [...values, value],
          prepend: [value, ...values],
          removeFirst: values.slice(1),
          removeAll: [],
        };
        model.set(field, after[kind as keyof typeof after]);
        assert.deepEqual(headers.getAll(field), model.get(field));
      }
      for (const [field, values] of model) assert.deepEqual(headers.getAll(field), values);
      const texts = headers.entries().map(([field, value]) => `${field}:${value}`);
      assert.equal(texts.length, [...model.values()].flat().length);
      // Own lines have a space behind the colon, untouched ones still have none.
      assert.deepEqual(headers.toString().replaceAll(': ', ':').split('\r\n').slice(0, -1), texts);
    }),
    { seed: 6, numRuns: 500 },
  );
});

function parsed(): SipHeaders {
  return headersOf(lines);
}

function headersOf(received: readonly string[]): SipHeaders {
  const message = parseSipMessage(
    Buffer.from(['OPTIONS sip:a@b SIP/2.0', ...received, '', ''].join('\r\n'), 'latin1'),
  );
  assert.ok(!isMalformed(message), String(message));
  return message.headers;
}

test('SipHeaders: appendLast keeps the order of what is copied, append puts fields of one name together', () => {
  const [copied, gathered] = [new SipHeaders(), new SipHeaders()];
  for (const [name, value] of [
    ['One', '1'],
    ['Two', '2'],
    ['one', '3'],
  ] as const) {
    copied.appendLast(name, value);
    gathered.append(name, value);
  }
  assert.equal(copied.toString(), 'One: 1\r\nTwo: 2\r\none: 3\r\n');
  assert.equal(gathered.toString(), 'One: 1\r\none: 3\r\nTwo: 2\r\n');
  assert.deepEqual(
    [copied.getAll('one'), gathered.getAll('ONE')],
    [
      ['1', '3'],
      ['1', '3'],
    ],
  );
});
