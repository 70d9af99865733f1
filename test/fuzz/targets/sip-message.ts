/** SIP messages (RFC 3261 §7) as they come in a datagram, with what is read from and answered to every message before anything else. */
import assert from 'node:assert/strict';
import { isMalformed } from '../../../src/base/malformed.ts';
import { randomBelow } from '../../../src/base/random-source.ts';
import { summarizeSip } from '../../../src/observation/message-summary.ts';
import { createResponse } from '../../../src/protocols/sip/message/create-response.ts';
import * as fields from '../../../src/protocols/sip/message/header-fields.ts';
import {
  maximumMessageOctets,
  parseSipMessage,
} from '../../../src/protocols/sip/message/parse-sip-message.ts';
import { requestRejection } from '../../../src/protocols/sip/message/request-rejection.ts';
import { serializeSipMessage } from '../../../src/protocols/sip/message/serialize-sip-message.ts';
import type { SipMessage, SipRequest } from '../../../src/protocols/sip/message/sip-message.ts';
import { privateIdentityOf } from '../../../src/protocols/sip/registration/private-identity.ts';
import { screenMessage } from '../../../src/protocols/sip/transport/message-screening.ts';
import { sipMessages } from '../corpus.ts';
import { cutLines, type FuzzTarget, latin1, octets, repeated } from '../fuzz-target.ts';

export const sipTokens: readonly Uint8Array[] = [
  ...[
    '\r\n',
    '\r\n ',
    '\r\n\t',
    '\r\n\r\n',
    '"',
    '\\"',
    '<',
    '>',
    ';',
    ',',
    ':',
    '@',
    '%00',
    '%',
    '?',
    '=',
    '[',
    ']',
  ],
  ...[
    'sip:',
    'sips:',
    'tel:',
    'SIP/2.0',
    'SIP/2.0/UDP ',
    ';lr',
    ';tag=x',
    ';branch=z9hG4bK',
    ';rport',
    ';received=',
  ],
  ...[
    '[::1]',
    ':5060',
    '<sip:a@b;lr>',
    ', <sip:c:5060>',
    '"x" ',
    'Via: ',
    'v:',
    'l: 0',
    'Content-Length: 4\r\n',
  ],
  ...[
    'To: ',
    't: ',
    'Route: ',
    'CSeq: 1 ',
    'INVITE',
    'ACK',
    '200',
    '699',
    '700',
    '*',
    '\x00',
    '\xc3\xa9',
    '\xff',
    '()',
    '/',
  ],
].map(octets);

export const sipMessage: FuzzTarget = {
  name: 'sip-message',
  maximumOctets: maximumMessageOctets,
  corpus: sipMessages,
  tokens: sipTokens,
  cut: cutLines,
  repair: withContentLength,
  check: (input, random) => {
    // It reads the message anew, so it does not have to every time.
    if (randomBelow(random, 8) === 0) summarizeSip(input);
    const message = parseSipMessage(input);
    if (isMalformed(message)) {
      assert.notEqual(screenMessage(input).kind, 'accepted');
      return false;
    }
    if (message.kind === 'request' && requestRejection(message) === undefined) readFields(message);
    comesBack(message);
    return true;
  },
  families: familiesOf(
    'INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n',
  ),
};

/** Behind a request that has what it needs. */
function familiesOf(request: string): FuzzTarget['families'] {
  const line = (name: string, piece: string, tail = ''): ((size: number) => Uint8Array) =>
    repeated(`${request}${name}: `, piece, `${tail}\r\n\r\n`);
  return {
    'empty lines': repeated('', '\r\n', request),
    'short lines': repeated(request, 'a:\r\n', '\r\n'),
    'unknown lines': repeated(request, 'Unknown-Header-Field: x\r\n', '\r\n'),
    'Via lines': repeated(request, 'v:SIP/2.0/UDP h\r\n', '\r\n'),
    'folded lines': line('Route', '\r\n <sip:a>,', ' <sip:b>'),
    'unfinished folding': line('Subject', '\r\n '),
    'carriage returns': line('Subject', '\r'),
    'routes, the last one wrong': line('Route', ' <sip:a>,', ' <'),
    'routes with ports, the last one wrong': line('Route', ' <sip:a:5060;lr>,', ' <'),
    'routes that could have a user': line('Route', ' <sip:a;b@c>,', ' <'),
    'named routes': line('Route', ' "x" <sip:a>,', ' "'),
    commas: line('Route', ',', '<sip:a>'),
    'commas of an unknown field': line('Contact', ','),
    quotes: line('Route', '"'),
    'escapes in quotes': line('Route', '"\\"', '<sip:a>'),
    'unclosed quotes behind commas': line('Route', '<sip:a>,"\\"'),
    'open brackets': line('Route', '<'),
    'nested brackets': line('Route', '<sip:', '>'),
    parameters: line('Route', ';a', ''),
    'parameters of a route': line('Route', '<sip:a;b=c>;d=e;', 'f'),
    'parameters of a Via': line('v', 'SIP/2.0/UDP h;a', ';,'),
    'white space in a Via': line('v', ' ', 'SIP/2.0/UDP h x'),
    'white space behind a number': line('Content-Length', '0 ', 'x'),
    'white space before a colon': repeated(`${request}X`, ' ', '; y\r\n\r\n'),
    'digits of CSeq': repeated(`${request.replace('CSeq: 1 INVITE\r\n', 'CSeq: ')}`, '1', ' INVITE\r\n\r\n'),
    'digits of Content-Length': line('Content-Length', '0', '9'),
    'digits of Max-Forwards': line('Max-Forwards', '0', '9 '),
    'user part': repeated('INVITE sip:', 'a;', `@b${request.slice(14)}\r\n`),
    'user part without host': repeated('INVITE sip:', 'a;', ` SIP/2.0${request.slice(22)}\r\n`),
    'headers of a URI': repeated('INVITE sip:a?', 'b&', ` SIP/2.0${request.slice(22)}\r\n`),
    'a Call-ID': line('Call-ID', '<'),
    'names of identities': line('Authorization', 'Digest username= '),
  };
}

function readFields(request: SipRequest): void {
  fields.fromOf(request);
  fields.toOf(request);
  fields.callIdOf(request);
  fields.cseqOf(request);
  fields.topViaOf(request);
  fields.contactsOf(request);
  fields.routesOf(request);
  fields.recordRoutesOf(request);
  fields.addressesOf(request, 'P-Asserted-Identity');
  fields.maxForwardsOf(request);
  fields.expiresOf(request);
  fields.rackOf(request);
  fields.replacesOf(request);
  fields.listIncludes(request, 'Supported', '100rel');
  privateIdentityOf(request);
  const response = createResponse(request, 180, { toTag: 't' });
  assert.ok(!isMalformed(parseSipMessage(serializeSipMessage(response))), 'its response is malformed');
}

/** The same content, and from then on the same octets. */
function comesBack(message: SipMessage): void {
  const written = serializeSipMessage(message.clone());
  if (written.length > maximumMessageOctets) return;
  const again = parseSipMessage(written);
  assert.ok(!isMalformed(again), `what it wrote is ${again}`);
  const [content, expected] = [contentOf(again), contentOf(message)];
  if (content !== expected) assert.equal(content, expected);
  assert.ok(Buffer.compare(serializeSipMessage(again), written) === 0, 'it is written in another way');
}

/** Content-Length is set when a message is written. */
function contentOf(message: SipMessage): string {
  const start =
    message.kind === 'request'
      ? `${message.method} ${message.requestUri} ${message.version}`
      : `${message.statusCode} ${message.reasonPhrase}`;
  const lines = message.headers
    .entries()
    .map(([name, value]) => (name === 'Content-Length' ? '' : `${name}: ${value}\n`));
  return `${start}\n${lines.join('')}\n${message.body}`;
}

/** The first Content-Length becomes that of the body. */
export function withContentLength(input: Uint8Array): Uint8Array {
  const text = latin1(input);
  const bodyAt = text.indexOf('\r\n\r\n');
  if (bodyAt < 0) return input;
  const header = text
    .slice(0, bodyAt + 2)
    .replace(/^(Content-Length|l):[ \t]*\d+\r$/im, `$1: ${text.length - bodyAt - 4}\r`);
  return octets(header + text.slice(bodyAt + 2));
}
