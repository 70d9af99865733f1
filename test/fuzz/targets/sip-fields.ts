/** URIs and header field values of SIP, read by themselves: a line is 'Name: value', a URI stands alone. */
import assert from 'node:assert/strict';
import { isMalformed } from '../../../src/base/malformed.ts';
import * as digest from '../../../src/protocols/sip/authentication/digest-fields.ts';
import * as cseq from '../../../src/protocols/sip/message/cseq.ts';
import { formatNameAddress, parseNameAddress } from '../../../src/protocols/sip/message/name-address.ts';
import { formatReplaces, parseReplaces } from '../../../src/protocols/sip/message/replaces.ts';
import { formatUri, parseUri } from '../../../src/protocols/sip/message/sip-uri.ts';
import { sipUrisEqual } from '../../../src/protocols/sip/message/sip-uri-equality.ts';
import { firstListItem, splitList } from '../../../src/protocols/sip/message/split-list.ts';
import { formatVia, parseVia } from '../../../src/protocols/sip/message/via.ts';
import { addressOfRecord } from '../../../src/protocols/sip/registration/address-of-record.ts';
import { sipMessages } from '../corpus.ts';
import { type FuzzTarget, latin1, octets, repeated, roundTrips } from '../fuzz-target.ts';
import { sipTokens } from './sip-message.ts';

type Check = (value: string) => boolean;

const nameAddress: Check = (value) =>
  roundTrips(parseNameAddress(value), formatNameAddress, parseNameAddress);

const checks: Readonly<Record<string, Check>> = {
  contact: nameAddress,
  'record-route': nameAddress,
  from: nameAddress,
  via: (value) => roundTrips(parseVia(value), formatVia, parseVia),
  cseq: (value) => roundTrips(cseq.parseCSeq(value), cseq.formatCSeq, cseq.parseCSeq),
  rack: (value) => roundTrips(cseq.parseRAck(value), cseq.formatRAck, cseq.parseRAck),
  replaces: (value) => roundTrips(parseReplaces(value), formatReplaces, parseReplaces),
  authorization: (value) =>
    roundTrips(
      digest.parseDigestCredentials(value),
      digest.formatDigestCredentials,
      digest.parseDigestCredentials,
    ),
  'www-authenticate': (value) =>
    roundTrips(digest.parseDigestChallenge(value), digest.formatDigestChallenge, digest.parseDigestChallenge),
};

const long: Readonly<Record<string, string>> = { v: 'Via', f: 'From', t: 'From', m: 'Contact' };

/** Of the messages of the corpus, each only once. */
const lines = new Set(
  sipMessages
    .flatMap((message) => latin1(message).split('\r\n'))
    .map((line) => line.replace(/^([vftm]):/i, (_, name: string) => `${long[name.toLowerCase()]}:`))
    .filter((line) => Object.hasOwn(checks, (line.split(':', 1)[0] ?? '').toLowerCase())),
);

export const sipHeaderField: FuzzTarget = {
  name: 'sip-header-field',
  maximumOctets: 65_535,
  corpus: [...lines].map(octets),
  tokens: sipTokens,
  // At what separates parameters, values and words.
  cut: (input) => [0, ...[...latin1(input).matchAll(/[;, <>"]/g)].map(({ index }) => index), input.length],
  check: (input) => {
    const line = latin1(input);
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const items = splitList(value);
    assert.equal(firstListItem(value), items[0]);
    const check = Object.hasOwn(checks, name) ? checks[name]! : nameAddress;
    const values = name === 'authorization' || name === 'www-authenticate' ? [value] : items;
    // For the size of the whole, not of the parts.
    return values
      .slice(0, 5000)
      .map((item) => check(item))
      .includes(true);
  },
  families: {
    commas: repeated('Contact: ', ','),
    'commas in quotes': repeated('Contact: "', ',', '"'),
    'open brackets': repeated('Contact: ', '<'),
    escapes: repeated('Contact: "', '\\"', '" <sip:a>'),
    'unclosed quotes': repeated('Contact: <sip:a>;a="', '\\'),
    'white space': repeated('Contact: ', ' ', '<sip:a> x'),
    'white space between parameters': repeated('Contact: <sip:a> ', '; a '),
    parameters: repeated('Contact: <sip:a>', ';a=b', '='),
    addresses: repeated('Contact: ', '<sip:a>,', '<'),
    'a name': repeated('Contact: ', 'a ', '<sip:a'),
    'Via with white space': repeated('Via: SIP/2.0/UDP h', ' ', 'x'),
    'Via with colons': repeated('Via: SIP/2.0/UDP ', ':', ' x'),
    'Via with dots': repeated('Via: SIP/2.0/UDP ', 'a.', ' x'),
    digits: repeated('CSeq: ', '1', 'x INVITE'),
    tags: repeated('Replaces: a', ';to-tag=a', ';'),
    'digest white space': repeated('Authorization: Digest username=', ' ', '"'),
    'digest parameters': repeated('Authorization: Digest ', 'a=b, ', 'a'),
    'digest commas': repeated('Authorization: Digest ', ','),
    'digest quotes': repeated('Authorization: Digest a="', '\\"'),
    'qualities of protection': repeated('WWW-Authenticate: Digest realm="",nonce="",qop="', ', ', '"'),
  },
};

export const sipUri: FuzzTarget = {
  name: 'sip-uri',
  maximumOctets: 65_535,
  corpus: [
    ...new Set(
      sipMessages.flatMap((message) => latin1(message).match(/(?:sips?|tel|http|urn):[^\s<>",]+/gi) ?? []),
    ),
  ].map(octets),
  tokens: sipTokens,
  cut: (input) => [0, ...[...latin1(input).matchAll(/[:;@?&=]/g)].map(({ index }) => index), input.length],
  check: (input) => {
    const uri = parseUri(latin1(input));
    if (isMalformed(uri)) return false;
    assert.equal(sipUrisEqual(uri, uri), true, 'a URI differs from itself');
    addressOfRecord(uri);
    return roundTrips(uri, formatUri, parseUri);
  },
  families: {
    user: repeated('sip:', 'a', '@'),
    'user without at sign': repeated('sip:', 'a;b=c'),
    passwords: repeated('sip:a:', 'b', ':@c'),
    hosts: repeated('sip:', 'a.', '!'),
    brackets: repeated('sip:[', ':', '!'),
    parameters: repeated('sip:a', ';b', '<'),
    headers: repeated('sip:a?', 'b=c&', '<'),
    escapes: repeated('sip:', '%41', '@a'),
    'telephone parameters': repeated('tel:1', ';a', '<'),
    'telephone number': repeated('tel:', '1', '<'),
    scheme: repeated('', 'a', '!:b'),
  },
};
