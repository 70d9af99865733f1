import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed, type Malformed } from './malformed.ts';
import {
  maximumXmlDepth,
  maximumXmlElements,
  maximumXmlLength,
  parseXmlDocument,
  type XmlElement,
} from './xml-element.ts';

function read(text: string): XmlElement {
  const root = parseXmlDocument(text);
  assert.ok(!isMalformed(root), String(root));
  return root;
}

function refuse(text: string): Malformed {
  const root = parseXmlDocument(text);
  assert.ok(isMalformed(root), text);
  return root;
}

test('parseXmlDocument reads elements, attributes, comments, CDATA and references', () => {
  const root = read(
    '<?xml version="1.0" encoding="UTF-8"?>\n<!-- a > b --><a x="1" y=\'<\'></a>'.replace(
      "y='<'",
      "y='&lt;'",
    ),
  );
  assert.deepEqual([root.name, root.text, root.children], ['a', '', []]);
  assert.deepEqual(
    [...root.attributes],
    [
      ['x', '1'],
      ['y', '<'],
    ],
  );
  const nested = read('<a> <b>1 &lt;&#50;&#x20ac;</b><c/><b><![CDATA[<&>]]></b>t </a>\n<!-- end -->');
  assert.equal(nested.text, 't');
  assert.deepEqual(
    nested.children.map(({ name, text }) => [name, text]),
    [
      ['b', '1 <2\xe2\x82\xac'],
      ['c', ''],
      ['b', '<&>'],
    ],
  );
  assert.equal(nested.children[0]!.offset, 4);
});

test('parseXmlDocument refuses what is not well-formed', () => {
  const broken = [
    '',
    ' ',
    'text',
    '<a>',
    '<a></b>',
    '</a>',
    '<a/><b/>',
    '<a/>text',
    '<a b></a>',
    '<a b=c/>',
    '<a b="<"/>',
    '<a>&unknown;</a>',
    '<a>&</a>',
    '<a>&#0;</a>',
    '<a>&#xd800;</a>',
    '<a>&#x110000;</a>',
    '<a><!-- </a>',
    '<a><![CDATA[ </a>',
    '<![CDATA[x]]><a/>',
    '<1a/>',
  ];
  for (const text of broken) refuse(text);
});

test('parseXmlDocument refuses document type declarations, so no entity can grow', () => {
  refuse('<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>');
  refuse('<a><?php x ?></a>');
});

test('parseXmlDocument bounds length, depth and number of elements', () => {
  refuse(`<a>${' '.repeat(maximumXmlLength)}</a>`);
  read('<a>'.repeat(maximumXmlDepth) + '</a>'.repeat(maximumXmlDepth));
  refuse('<a>'.repeat(maximumXmlDepth + 1) + '</a>'.repeat(maximumXmlDepth + 1));
  refuse(`<a>${'<b/>'.repeat(maximumXmlElements)}</a>`);
});

test('parseXmlDocument never throws on garbage', () => {
  const unit = fc.constantFrom(
    '<',
    '>',
    '/',
    'a',
    ' ',
    '"',
    '=',
    '&',
    ';',
    '!',
    '-',
    '[',
    ']',
    '?',
    '#',
    '\xff',
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
      parseXmlDocument(`<a>${text}</a>`);
      parseXmlDocument(text);
    }),
    { seed: 1998, numRuns: 3_000 },
  );
});
