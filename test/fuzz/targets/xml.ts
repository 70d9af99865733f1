/** Documents in XML: the user profile of Cx (TS 29.228 annex E) with its regular expressions (annex F), registration information (RFC 3680). */
import assert from 'node:assert/strict';
import { isMalformed, type Malformed } from '../../../src/base/malformed.ts';
import { escapeXml, parseXmlDocument, type XmlElement } from '../../../src/base/xml-element.ts';
import { Pattern } from '../../../src/ims-core/s-cscf/pattern.ts';
import { parseUserProfile } from '../../../src/ims-core/s-cscf/user-profile.ts';
import {
  formatRegistrationDocument,
  parseRegistrationDocument,
} from '../../../src/protocols/sip/registration/registration-information.ts';
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
    // What is no document is no profile, for the same reason.
    if (!roundTrips(rewritten(text), (document) => document, rewritten)) return false;
    return !isMalformed(parseUserProfile(text));
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

export const registrationInformation: FuzzTarget = {
  ...userProfile,
  name: 'reginfo',
  corpus: [
    octets(
      formatRegistrationDocument({
        version: 0,
        isFull: true,
        registrations: [
          {
            addressOfRecord: 'sip:mn@home1.net',
            state: 'active',
            contacts: [
              { uri: 'sip:mn@10.1.0.2;a="<&>"', isActive: true, event: 'registered', expiresSeconds: 600 },
              { uri: 'sip:mn@10.1.0.3', isActive: false, event: 'probation', retryAfterSeconds: 7 },
            ],
          },
          { addressOfRecord: 'tel:+3491', state: 'terminated', contacts: [] },
        ],
      }),
    ),
    octets(
      `<?xml version='1.0'?><reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='1' state='partial'><registration aor='sip:a@b' id='x' state='init'><contact id='1' state='active' event='created' q='0.5'><uri>sip:a@c</uri><display-name>A</display-name><unknown-param name='x'/></contact></registration></reginfo>`,
    ),
  ],
  check: (input) =>
    roundTrips(
      parseRegistrationDocument(latin1(input)),
      formatRegistrationDocument,
      parseRegistrationDocument,
    ),
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

/** The document in one way of writing: equal texts are equal documents, and are compared faster. */
function rewritten(text: string): string | Malformed {
  const root = parseXmlDocument(text);
  return isMalformed(root) ? root : formatXml(root);
}

function formatXml({ name, attributes, text, children }: XmlElement): string {
  const all = [...attributes].map(([attribute, value]) => ` ${attribute}="${escapeXml(value)}"`);
  return `<${name}${all.join('')}>${escapeXml(text)}${children.map(formatXml).join('')}</${name}>`;
}
