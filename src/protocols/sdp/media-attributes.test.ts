import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../base/malformed.ts';
import {
  attributeOf,
  connectionOf,
  directionOf,
  setupOf,
  transportOf,
  withAttribute,
  withDirection,
} from './media-attributes.ts';
import { linesOf, parseSessionDescription, type SessionDescription } from './session-description.ts';

test('directionOf: the stream’s own direction wins over the session’s; sendrecv is the default', () => {
  assert.equal(directionOf(describe('', ''), 0), 'sendrecv');
  assert.equal(directionOf(describe('a=inactive', ''), 0), 'inactive');
  assert.equal(directionOf(describe('a=inactive', 'a=recvonly'), 0), 'recvonly');
});

test('withDirection: puts one direction in the place of any', () => {
  const media = describe('', 'a=sendrecv').media[0]!;
  assert.deepEqual(linesOf(withDirection(media, 'sendonly')), ['m=application 4000 TCP/X *', 'a=sendonly']);
});

test('setupOf and connectionOf: defaults of RFC 4145', () => {
  assert.equal(setupOf(describe('', ''), 0, 'offer'), 'active');
  assert.equal(setupOf(describe('', ''), 0, 'answer'), 'passive');
  assert.equal(setupOf(describe('a=setup:actpass', ''), 0, 'answer'), 'actpass');
  assert.equal(setupOf(describe('', 'a=setup:nonsense'), 0, 'offer'), 'active');
  assert.equal(connectionOf(describe('', ''), 0), 'new');
  assert.equal(connectionOf(describe('', 'a=connection:existing'), 0), 'existing');
});

test('transportOf: by the protocol of the m= line', () => {
  const media = describe('', '').media[0]!;
  assert.equal(transportOf(media), 'tcp');
  assert.equal(transportOf({ ...media, protocol: 'RTP/AVP' }), 'udp');
  assert.equal(transportOf({ ...media, protocol: 'TCPX' }), 'udp');
});

test('withAttribute: replaces in place, or appends', () => {
  const description = describe('', 'a=setup:active\na=x');
  const media = withAttribute(withAttribute(description.media[0]!, 'setup', 'passive'), 'rtcp-mux', '');
  assert.deepEqual(linesOf(media).slice(1), ['a=setup:passive', 'a=x', 'a=rtcp-mux']);
  assert.equal(attributeOf(description, 0, 'x'), '');
  assert.equal(attributeOf(description, 0, 'set'), undefined);
});

function describe(sessionAttributes: string, mediaAttributes: string): SessionDescription {
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.1',
    's=-',
    'c=IN IP4 192.0.2.1',
    sessionAttributes,
    'm=application 4000 TCP/X *',
    mediaAttributes,
  ];
  const description = parseSessionDescription(lines.filter((line) => line !== '').join('\n'));
  assert.ok(!isMalformed(description));
  return description;
}
