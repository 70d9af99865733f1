import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../../base/malformed.ts';
import { createResponse } from './create-response.ts';
import { formatCSeq, formatRAck } from './cseq.ts';
import * as fields from './header-fields.ts';
import { formatNameAddress, parseNameAddress } from './name-address.ts';
import { withoutParameter, withParameter } from './parameters.ts';
import { parseSipMessage } from './parse-sip-message.ts';
import { formatReplaces } from './replaces.ts';
import { requestRejection } from './request-rejection.ts';
import { formatSipMessage, serializeSipMessage } from './serialize-sip-message.ts';
import { SipRequest } from './sip-message.ts';
import { sipUri } from './sip-uri.ts';
import { formatVia } from './via.ts';

const invite = [
  'INVITE sip:bob@example.com SIP/2.0',
  'v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
  'Route: <sip:a@192.0.2.2;lr=on>, "B, b" <sip:[2001:db8::1]:5070;lr>',
  'From:  "Alice" <sip:alice@example.com>;tag=1',
  'To: <sip:bob@example.com>',
  'i: abc@host',
  'CSeq: 7 INVITE',
  'Max-Forwards: 70',
  'Contact: <sip:alice@192.0.2.1>;expires=60;+sip.instance="<urn:uuid:1>"',
  'Content-Length: 4',
  '',
  'v=0\r',
].join('\r\n');

test('parseSipMessage and serializeSipMessage: an untouched message comes out octet by octet', () => {
  const message = parse(`${invite}\n`.slice(0, -1));
  assert.equal(formatSipMessage(message), invite);
  assert.deepEqual(serializeSipMessage(message), Buffer.from(invite, 'latin1'));
});

test('header fields: typed readers show the values of the message', () => {
  const message = parse(invite);
  assert.equal(fields.fromTagOf(message), '1');
  assert.equal(fields.toTagOf(message), undefined);
  assert.equal(fields.callIdOf(message), 'abc@host');
  assert.equal(formatCSeq(fields.cseqOf(message)), '7 INVITE');
  assert.equal(formatVia(fields.topViaOf(message)), 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1');
  assert.equal(fields.maxForwardsOf(message), 70);
  assert.equal(fields.expiresOf(message), undefined);
  assert.equal(fields.rseqOf(message), undefined);
  assert.deepEqual(fields.routesOf(message).map(formatNameAddress), [
    '<sip:a@192.0.2.2;lr=on>',
    '"B, b" <sip:[2001:db8::1]:5070;lr>',
  ]);
  assert.deepEqual(fields.recordRoutesOf(message), []);
  assert.equal(fields.contactsOf(message)[0]?.parameters.get('+sip.instance'), '"<urn:uuid:1>"');
  assert.equal(fields.rackOf(message), undefined);
  assert.equal(fields.replacesOf(message), undefined);
  assert.equal(fields.listIncludes(message, 'Supported', '100rel'), false);
  assert.equal(requestRejection(message), undefined);
});

test('header fields: Replaces and RAck', () => {
  const message = parse(invite);
  message.headers.set('Replaces', 'x@y;from-tag=1;to-tag=2;early-only');
  message.headers.set('RAck', '1 7 INVITE');
  const replaces = fields.replacesOf(message);
  const rack = fields.rackOf(message);
  assert.ok(replaces !== undefined && !isMalformed(replaces) && rack !== undefined && !isMalformed(rack));
  assert.equal(formatReplaces(replaces), 'x@y;to-tag=2;from-tag=1;early-only');
  assert.equal(formatRAck(rack), '1 7 INVITE');
});

test('createResponse: copies what RFC 3261 §8.2.6 names, octet for octet, and adds the tag', () => {
  const response = createResponse(parse(invite), 180, { toTag: 'x' });
  assert.equal(
    formatSipMessage(response),
    [
      'SIP/2.0 180 Ringing',
      'v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
      'From:  "Alice" <sip:alice@example.com>;tag=1',
      'To: <sip:bob@example.com>;tag=x',
      'i: abc@host',
      'CSeq: 7 INVITE',
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n'),
  );
});

test('SipHeaders: a proxy pops its Route and pushes its Via', () => {
  const { headers } = parse(invite);
  headers.removeFirst('Route');
  headers.prepend('Via', 'SIP/2.0/UDP 192.0.2.2');
  assert.deepEqual(headers.getAll('Route'), ['"B, b" <sip:[2001:db8::1]:5070;lr>']);
  assert.equal(headers.get('Via'), 'SIP/2.0/UDP 192.0.2.2');
  headers.removeAll('Via');
  assert.equal(headers.clone().has('via'), false);
  assert.equal(headers.entries()[0]?.[0], 'Route');
});

test('parameters: setting and removing leaves the others', () => {
  const address = parseNameAddress('<sip:a@b>;tag=1;x');
  assert.ok(!isMalformed(address));
  assert.equal(
    formatNameAddress({
      ...address,
      parameters: withParameter(withoutParameter(address.parameters, 'TAG'), 'q', '1'),
    }),
    '<sip:a@b>;x;q=1',
  );
  assert.equal(
    formatNameAddress({ ...address, uri: sipUri({ user: 'x', host: '::1', port: 5 }) }),
    '<sip:x@[::1]:5>;tag=1;x',
  );
});

function parse(text: string): SipRequest {
  const message = parseSipMessage(Buffer.from(text, 'latin1'));
  assert.ok(message instanceof SipRequest, String(message));
  return message;
}
