import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../base/malformed.ts';
import { maximumPatternText } from './limits.ts';
import { Pattern } from './pattern.ts';

function pattern(source: string): Pattern {
  const parsed = Pattern.parse(source);
  assert.ok(!isMalformed(parsed), String(parsed));
  return parsed;
}

const cases: readonly [source: string, found: readonly string[], missing: readonly string[]][] = [
  ['mp4', ['video/MP4; a', 'mp4'], ['mp3', '']],
  ['^sip:.*@home1\\.net$', ['sip:a@home1.net', 'SIP:@HOME1.NET'], ['sip:a@home1xnet', 'xsip:a@home1.net']],
  ['a|bc|', ['a', 'zzz', ''], []],
  ['^(a|bc)+$', ['a', 'abc', 'BCbc'], ['', 'b', 'abcb']],
  ['^a{2}$', ['aa'], ['a', 'aaa']],
  ['^a{2,}$', ['aa', 'aaaaa'], ['a']],
  ['^a{0,2}b?$', ['', 'ab', 'aa'], ['aaa', 'abb']],
  ['^[^a-c]$', ['d', '-'], ['a', 'B', '']],
  ['^[]x-]+$', [']', 'x-', 'X'], ['y']],
  ['^[[:digit:]_]+$', ['0_9'], ['a']],
  ['^\\.\\\\$', ['.\\'], ['a\\']],
  ['^(a*)*$', ['', 'aaaa'], ['b']],
  ['^\xe9.$', ['\xe9\xff'], ['\xe9']],
];

test('Pattern finds what a POSIX extended expression finds, in either case', () => {
  for (const [source, found, missing] of cases) {
    for (const text of found) assert.equal(pattern(source).isFoundIn(text), true, `${source} in ${text}`);
    for (const text of missing)
      assert.equal(pattern(source).isFoundIn(text), false, `${source} not in ${text}`);
  }
});

test('Pattern matches a whole value only when nothing is left over', () => {
  assert.equal(pattern('To').matchesWhole('to'), true);
  assert.equal(pattern('To').matchesWhole('Reply-To'), false);
  assert.equal(pattern('P-.*').matchesWhole('P-Asserted-Identity'), true);
  assert.equal(pattern('a|ab').matchesWhole('ab'), true);
});

test('Pattern refuses broken and oversized expressions', () => {
  for (const source of [
    '(',
    ')',
    'a)',
    '[',
    '[a',
    '[b-a]',
    '[[:none:]]',
    '*',
    'a|+',
    'a{2,1}',
    'a{x}',
    '\\',
  ]) {
    assert.ok(isMalformed(Pattern.parse(source)), source);
  }
  assert.ok(isMalformed(Pattern.parse('a'.repeat(513))));
  assert.ok(isMalformed(Pattern.parse('((a{99}){99}){99}')));
});

test('Pattern needs steps in proportion to the text where a backtracking engine would never end', () => {
  assert.equal(pattern('^(a+)+$').isFoundIn(`${'a'.repeat(2_000)}!`), false);
  assert.equal(pattern('(x+x+)+y').isFoundIn('x'.repeat(2_000)), false);
});

test('Pattern looks at a bounded prefix and does not take its end for the end of the text', () => {
  const text = `${'a'.repeat(maximumPatternText)}b`;
  assert.equal(pattern('b').isFoundIn(text), false);
  assert.equal(pattern('a$').isFoundIn(text), false);
});

test('Pattern agrees with the JavaScript engine on expressions without intervals', () => {
  const source = fc.string({
    unit: fc.constantFrom('a', 'b', 'c', '(', ')', '|', '*', '?', '.', '^', '$'),
    maxLength: 8,
  });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A'), maxLength: 8 });
  fc.assert(
    fc.property(source, text, (expression, subject) => {
      const parsed = Pattern.parse(expression);
      // JavaScript takes a? followed by ? for a lazy repetition and repeats no assertions.
      if (isMalformed(parsed) || /[?*^$][?*]/.test(expression)) return;
      assert.equal(parsed.isFoundIn(subject), new RegExp(expression, 'is').test(subject));
    }),
    { seed: 29228, numRuns: 2_000 },
  );
});

test('Pattern never throws on any source', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ maxLength: 20 }),
      (source, text) => {
        const parsed = Pattern.parse(source);
        if (!isMalformed(parsed)) parsed.isFoundIn(text);
      },
    ),
    { seed: 29228, numRuns: 1_000 },
  );
});
