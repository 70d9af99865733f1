/** The user profile of Cx (TS 29.228 annex E): its XML, its filter criteria, and the regular expressions inside (annex F). */
import assert from 'node:assert/strict';
import { isMalformed } from '../../../src/base/malformed.ts';
import { Pattern } from '../../../src/ims-core/s-cscf/pattern.ts';
import { parseUserProfile } from '../../../src/ims-core/s-cscf/user-profile.ts';
import { parseXmlDocument, type XmlElement } from '../../../src/ims-core/s-cscf/xml-element.ts';
import { type FuzzTarget, latin1, octets, repeated, roundTrips } from '../fuzz-target.ts';

const profile =
  '<?xml version="1.0" encoding="UTF-8"?><!-- a subscriber --><IMSSubscription xmlns:xsi="x"><PrivateID>mn@home1.net</PrivateID><ServiceProfile><PublicIdentity><BarringIndication>1</BarringIndication><Identity>sip:mn@home1.net</Identity><Extension><IdentityType>0</IdentityType></Extension></PublicIdentity><PublicIdentity><Identity>tel:+3491&amp;&#233;&#x20AC;</Identity></PublicIdentity><InitialFilterCriteria><Priority>1</Priority><TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF><SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>INVITE</Method></SPT><SPT><Group>1</Group><Group>2</Group><SessionCase>1</SessionCase></SPT><SPT><Group>1</Group><SIPHeader><Header>Contact|From</Header><Content><![CDATA[^.*<sip:.*>$]]></Content></SIPHeader></SPT><SPT><Group>3</Group><SessionDescription><Line>m</Line><Content>audio [0-9]{1,5} RTP/(S)?AVP</Content></SessionDescription></SPT></TriggerPoint><ApplicationServer><ServerName>sip:trim-as.home1.net</ServerName><DefaultHandling>1</DefaultHandling><ServiceInfo>hello</ServiceInfo><Extension><IncludeRegisterRequest/></Extension></ApplicationServer><ProfilePartIndicator>0</ProfilePartIndicator></InitialFilterCriteria></ServiceProfile></IMSSubscription>';
const expressions = [
  '^sip:[^@]+@home1\\.net$',
  '(a|b)*c{2,5}',
  '[[:alpha:][:digit:]_-]+',
  'a?a?a?(x|)$',
  '\\(\\)\\*',
  '[]^-]',
];

export const userProfile: FuzzTarget = {
  name: 'user-profile',
  maximumOctets: 65_536,
  corpus: [octets(profile), octets(profile.replaceAll('><', '>\r\n\t<'))],
  tokens: [
    ...[
      '<',
      '>',
      '</',
      '/>',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '&amp;',
      '&#0;',
      '&#x110000;',
      '&x;',
      '&',
      '="',
      "='",
    ],
    ...[
      '<Extension>',
      '</Extension>',
      '<SPT>',
      '<Group>0</Group>',
      '<x:y a="b"/>',
      '<?xml ?>',
      '<!DOCTYPE x>',
      '1',
      '-1',
    ],
  ].map(octets),
  cut: (input) => [0, ...[...latin1(input).matchAll(/<(?!\/)/g)].map(({ index }) => index), input.length],
  check: (input) => {
    const text = latin1(input);
    const isProfile = !isMalformed(parseUserProfile(text));
    const isDocument = roundTrips(contentOf(parseXmlDocument(text)), formatXml, (again: string) =>
      contentOf(parseXmlDocument(again)),
    );
    assert.ok(isDocument || !isProfile, 'a profile that is no document');
    return isProfile;
  },
  families: {
    'open elements': repeated('', '<a>'),
    'empty elements': repeated('<a>', '<b/>', '</a>'),
    attributes: repeated('<a', ' b="c"', '>'),
    'unfinished attributes': repeated('<a', ' b', '>'),
    'white space in a tag': repeated('<a', ' ', 'b'),
    'white space between': repeated('<a>', ' ', '</a'),
    references: repeated('<a>', '&amp;', '&</a>'),
    ampersands: repeated('<a>', '&'),
    comments: repeated('<a>', '<!---->', '</a>'),
    'unclosed comments': repeated('<a><!--', '--'),
    sections: repeated('<a>', '<![CDATA[x]]>', '</a>'),
    declaration: repeated('<?xml ', ' ', 'x'),
    'a name': repeated('<', 'a', '!'),
  },
};

export const filterPattern: FuzzTarget = {
  name: 'filter-pattern',
  maximumOctets: 512,
  corpus: expressions.map(octets),
  tokens: [
    '(',
    ')',
    '|',
    '*',
    '+',
    '?',
    '{',
    '}',
    '{0,255}',
    '[',
    ']',
    '[:',
    ':]',
    '[^',
    '\\',
    '.',
    '^',
    '$',
    '-',
    '()',
  ].map(octets),
  cut: (input) => [0, ...[...latin1(input).matchAll(/[([|]/g)].map(({ index }) => index), input.length],
  check: (input) => {
    const pattern = Pattern.parse(latin1(input));
    if (isMalformed(pattern)) return false;
    const found = pattern.isFoundIn('sip:aab@home1.net');
    // What matches as a whole is found.
    assert.ok(found || !pattern.matchesWhole('sip:aab@home1.net'));
    return true;
  },
  families: {
    groups: repeated('', '('),
    'groups that close': (size) => octets('('.repeat(size / 2) + ')'.repeat(size / 2)),
    stars: repeated('a', '*'),
    choices: repeated('', '|'),
    optional: repeated('', 'a?'),
    repeated: repeated('', 'a{2}'),
    'intervals of intervals': repeated('a', '{9}'),
    lists: repeated('[', '[:alpha:]', ']'),
  },
};

/** Without what depends on the way it was written. */
type Content = readonly [name: string, text: string, children: readonly Content[]];

function contentOf<Other>(element: XmlElement | Other): Content | Other {
  if (isMalformed(element)) return element;
  const { name, text, children } = element as XmlElement;
  return [name, text, children.map((child) => contentOf(child) as Content)];
}

function formatXml(content: unknown): string {
  const [name, text, children] = content as Content;
  const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<${name}>${escaped}${children.map(formatXml).join('')}</${name}>`;
}
