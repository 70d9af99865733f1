import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../base/malformed.ts';
import { hasListeningPort, mediaAddressOf, withMediaAddresses } from './media-address.ts';
import {
  formatSessionDescription,
  parseSessionDescription,
  type SessionDescription,
} from './session-description.ts';

const head = 'v=0\no=alice 1 1 IN IP4 192.0.2.1\ns=-\n';

test('mediaAddressOf: a stream takes its own connection line before the session’s', () => {
  const description = parse(
    `${head}c=IN IP4 192.0.2.1/127\nm=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\nc=IN IP6 2001:DB8:0::1\n`,
  );
  assert.deepEqual(mediaAddressOf(description, 0), { address: '192.0.2.1', port: 4000, rtcpPort: 4001 });
  assert.deepEqual(mediaAddressOf(description, 1), { address: '2001:db8::1', port: 4002, rtcpPort: 4003 });
  assert.equal(mediaAddressOf(description, 2), undefined);
});

test('mediaAddressOf: a refused stream has none', () => {
  assert.equal(mediaAddressOf(parse(`${head}c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\n`), 0), undefined);
});

test('mediaAddressOf: a=rtcp and a=rtcp-mux say where RTCP goes', () => {
  const rtcpOf = (attributes: string): unknown => {
    const address = mediaAddressOf(
      parse(`${head}c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n${attributes}`),
      0,
    );
    return [address?.rtcpPort, address?.rtcpAddress];
  };
  assert.deepEqual(rtcpOf('a=rtcp:5000\n'), [5000, undefined]);
  assert.deepEqual(rtcpOf('a=rtcp:5000 IN IP4 192.0.2.1\n'), [5000, undefined]);
  assert.deepEqual(rtcpOf('a=rtcp:5000 IN IP4 192.0.2.9\n'), [5000, '192.0.2.9']);
  assert.deepEqual(rtcpOf('a=rtcp:5000\na=rtcp-mux\n'), [4000, undefined]);
  assert.deepEqual(rtcpOf('a=rtcp:many\n'), [4001, undefined]);
});

test('mediaAddressOf, withMediaAddresses: a=rtcp of the session means nothing and does not stay (RFC 3605 §2.1)', () => {
  const description = parse(`${head}c=IN IP4 192.0.2.1\na=rtcp:9 IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 0\n`);
  const place = { address: '203.0.113.1', port: 30_000, rtcpPort: 30_001 };
  assert.deepEqual(mediaAddressOf(description, 0), { address: '192.0.2.1', port: 4000, rtcpPort: 4001 });
  const moved = withMediaAddresses(description, [place]);
  assert.deepEqual(mediaAddressOf(moved, 0), place);
  assert.doesNotMatch(format(moved), /a=rtcp/);
});

test('hasListeningPort: the port of an active TCP end is none', () => {
  const listens = (media: string, role: 'offer' | 'answer'): boolean =>
    hasListeningPort(parse(`${head}c=IN IP4 192.0.2.1\n${media}\n`), 0, role);
  assert.equal(listens('m=audio 4000 RTP/AVP 0', 'offer'), true);
  assert.equal(listens('m=audio 0 RTP/AVP 0', 'offer'), false);
  assert.equal(listens('m=application 9 TCP *\na=setup:active', 'offer'), false);
  assert.equal(listens('m=application 4000 TCP *\na=setup:active', 'answer'), false);
  assert.equal(listens('m=application 4000 TCP *\na=setup:passive', 'offer'), true);
  assert.equal(listens('m=application 4000 TCP *\na=setup:actpass', 'offer'), true);
  assert.equal(listens('m=application 4000 TCP *\na=setup:holdconn', 'offer'), false);
  assert.equal(listens('m=application 4000 TCP *', 'offer'), false);
  assert.equal(listens('m=application 4000 TCP *', 'answer'), true);
});

test('withMediaAddresses: one address for all streams goes into the session’s connection line', () => {
  const description = parse(
    `${head}c=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\na=sendrecv\nm=video 4002 RTP/AVP 31\n`,
  );
  const rewritten = withMediaAddresses(description, [
    { address: '203.0.113.5', port: 6000, rtcpPort: 6001 },
    { address: '203.0.113.5', port: 6002, rtcpPort: 6003 },
  ]);
  assert.equal(
    format(rewritten),
    `${head}c=IN IP4 203.0.113.5\nt=0 0\nm=audio 6000 RTP/AVP 0\na=sendrecv\nm=video 6002 RTP/AVP 31\n`,
  );
});

test('withMediaAddresses: a stream on another address gets a line of its own, behind its title', () => {
  const description = parse(
    `${head}c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\ni=camera\nb=AS:1\n`,
  );
  const rewritten = withMediaAddresses(description, [
    { address: '203.0.113.5', port: 6000, rtcpPort: 6001 },
    { address: '2001:db8::5', port: 6002, rtcpPort: 6003 },
  ]);
  assert.equal(
    format(rewritten),
    `${head}c=IN IP4 203.0.113.5\nm=audio 6000 RTP/AVP 0\nm=video 6002 RTP/AVP 31\ni=camera\nc=IN IP6 2001:db8::5\nb=AS:1\n`,
  );
});

test('withMediaAddresses: no old address stays anywhere, in refused streams and ICE neither', () => {
  const description = parse(
    `${head.replace('192.0.2.1', '198.51.100.1')}c=IN IP4 192.0.2.1\na=ice-lite\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.1\na=rtcp:4001 IN IP4 192.0.2.1\na=ice-ufrag:x\na=ice-pwd:y\na=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\na=end-of-candidates\nm=video 0 RTP/AVP 31\nc=IN IP4 192.0.2.1\na=rtcp:9 IN IP4 192.0.2.1\n`,
  );
  const rewritten = withMediaAddresses(description, [
    { address: '203.0.113.5', port: 6000, rtcpPort: 6001 },
    undefined,
  ]);
  assert.equal(
    format(rewritten),
    `${head.replace('192.0.2.1', '198.51.100.1')}c=IN IP4 203.0.113.5\nm=audio 6000 RTP/AVP 0\nc=IN IP4 203.0.113.5\na=rtcp:6001\nm=video 0 RTP/AVP 31\nc=IN IP4 203.0.113.5\n`,
  );
});

test('withMediaAddresses: writes a=rtcp when the port is not the next one or the host another', () => {
  const description = parse(`${head}c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n`);
  const rewrite = (rtcp: { rtcpPort: number; rtcpAddress?: string }): string | undefined =>
    withMediaAddresses(description, [{ address: '203.0.113.5', port: 6000, ...rtcp }]).media[0]!.text.split(
      '\r\n',
    )[1];
  assert.equal(rewrite({ rtcpPort: 7000 }), 'a=rtcp:7000');
  assert.equal(rewrite({ rtcpPort: 6001, rtcpAddress: '203.0.113.6' }), 'a=rtcp:6001 IN IP4 203.0.113.6');
  assert.equal(rewrite({ rtcpPort: 6001 }), '');
});

test('withMediaAddresses: without any new address nothing changes', () => {
  const description = parse(`${head}c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\n`);
  assert.equal(withMediaAddresses(description, [undefined]), description);
});

function parse(text: string): SessionDescription {
  const description = parseSessionDescription(text);
  assert.ok(!isMalformed(description), String(description));
  return description;
}

function format(description: SessionDescription): string {
  return formatSessionDescription(description).replaceAll('\r', '');
}
