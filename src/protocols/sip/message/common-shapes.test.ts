import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../../base/malformed.ts';
import * as shapes from './common-shapes.ts';
import { parseCSeq } from './cseq.ts';
import { parseNameAddress } from './name-address.ts';
import { parseUri } from './sip-uri.ts';
import { splitList } from './split-list.ts';
import { parseVia } from './via.ts';

const parsers: readonly [pattern: RegExp, parse: (value: string) => unknown, seeds: readonly string[]][] = [
  [
    shapes.commonVia,
    parseVia,
    [' SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport', ' SIP/2.0/TCP [::1];received=::1'],
  ],
  [
    shapes.commonAddress,
    parseNameAddress,
    [' "A b" <sip:a@b:1;lr>;tag=1', ' <sip:h;lr=on>;x="y"', ' a b<sips:u%20;x@[::1]>'],
  ],
  [
    shapes.commonAddressList,
    (list) =>
      splitList(list)
        .map((item) => parseNameAddress(item))
        .find(isMalformed),
    [' <sip:a@b;lr>, "x" <sip:c>'],
  ],
  [shapes.commonCSeq, parseCSeq, [' 1 INVITE', ' 999999999 ACK']],
  [shapes.commonRequestUri, parseUri, ['sip:a@b:5060;lr', 'sips:[::1];transport=tcp']],
];

test('common shapes: what a pattern takes for well-formed, the parser of the field accepts', () => {
  for (const [pattern, parse, seeds] of parsers) {
    const end = pattern === shapes.commonRequestUri ? ' ' : '\r\n';
    for (const seed of seeds) assert.ok(shapes.matchesAt(pattern, seed + end, 0), seed);
    fc.assert(
      fc.property(mutated(seeds), (value) => {
        if (!shapes.matchesAt(pattern, value + end, 0)) return;
        const matched = (value + end).slice(0, pattern.lastIndex - end.length);
        assert.equal(isMalformed(parse(matched.trim())), false, JSON.stringify(matched));
      }),
      { seed: 5, numRuns: 3000 },
    );
  }
});

test('common shapes: of all ways to put up to four parameters together, what matches is well-formed', () => {
  const endings = (names: readonly string[], count: number): string[] =>
    count === 0
      ? ['']
      : endings(names, count - 1).flatMap((rest) => [rest, ...names.map((name) => rest + name)]);
  let matched = 0;
  const parameters = ['tag', 'branch'].flatMap((name) => [
    ...[`;${name}`, `;${name}=1`, `;${name.toUpperCase()}="x;${name}=2"`, `;x${name}=3`],
  ]);
  for (const [pattern, parse, head] of [
    [shapes.commonVia, parseVia, ' SIP/2.0/UDP h'],
    [shapes.commonAddress, (text: string) => parseNameAddress(text, 'From'), ' <sip:a;tag=1>'],
    [shapes.commonAddressList, (text: string) => parseNameAddress(text, 'Route'), ' <sip:a;branch=1>'],
  ] as const) {
    for (const ending of endings(parameters, 4)) {
      if (!shapes.matchesAt(pattern, `${head}${ending}\r\n`, 0)) continue;
      matched++;
      assert.equal(isMalformed(parse(`${head}${ending}`.trim())), false, `${head}${ending}`);
    }
  }
  assert.ok(matched > 100);
});

test('common shapes: a folded line is none', () => {
  assert.equal(shapes.matchesAt(shapes.commonCSeq, ' 1 INVITE\r\n x\r\n', 0), false);
  assert.equal(shapes.matchesAt(shapes.commonMaxForwards, ' 70\r\n 1\r\n', 0), false);
  assert.equal(shapes.matchesAt(shapes.commonContentLength, ' 70\r\n', 0), true);
  assert.equal(shapes.matchesAt(shapes.commonCallId, ' a b\r\n', 0), false);
});

test('common shapes: a list that is wrong at its end is not tried in all the ways its addresses could be read', () => {
  // Each of them could once be matched in two ways: with 2^500 of them this test would not end.
  for (const ambiguous of [
    ' <sip:a>',
    ' <sip:a:5060>',
    ' <sip:a;b@c>',
    ' "x" <sip:a>',
    ' x y<sip:a:1;lr>;p="q"',
  ])
    assert.equal(
      shapes.matchesAt(shapes.commonAddressList, `${Array(500).fill(ambiguous).join(',')},<\r\n`, 0),
      false,
    );
});

/** One of the seeds with a few characters inserted, replaced or removed. */
function mutated(seeds: readonly string[]): fc.Arbitrary<string> {
  const character = fc.constantFrom(...' \t:;,<>"\\@/=?0a[]%.-\r\n\x0b\xe9');
  const change = fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 1 }), character);
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([seed, changes]) =>
      changes.reduce(
        (text, [at, removed, inserted]) => text.slice(0, at) + inserted + text.slice(at + removed),
        seed,
      ),
    );
}
