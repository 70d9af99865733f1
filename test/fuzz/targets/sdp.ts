/** Session descriptions (RFC 4566) and all that is read from and replaced in them. */
import assert from 'node:assert/strict';
import { isMalformed } from '../../../src/base/malformed.ts';
import { mediaAddressOf, withMediaAddresses } from '../../../src/protocols/sdp/media-address.ts';
import {
  connectionOf,
  directionOf,
  setupOf,
  withDirection,
} from '../../../src/protocols/sdp/media-attributes.ts';
import { originOf, withOrigin } from '../../../src/protocols/sdp/origin.ts';
import {
  answerPreconditions,
  preconditionsOf,
  withPreconditions,
} from '../../../src/protocols/sdp/preconditions.ts';
import { isPureHandover } from '../../../src/protocols/sdp/pure-handover.ts';
import {
  formatSessionDescription,
  parseSessionDescription,
  type SessionDescription,
  withMedia,
} from '../../../src/protocols/sdp/session-description.ts';
import { sessionDescriptions } from '../corpus.ts';
import { cutLines, type FuzzTarget, latin1, octets, repeated, roundTrips } from '../fuzz-target.ts';

const parse = parseSessionDescription;
const format = formatSessionDescription;
const head = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n';
const place = { address: '203.0.113.77', port: 40_000, rtcpPort: 40_001 };

export const sdp: FuzzTarget = {
  name: 'sdp',
  maximumOctets: 65_535,
  corpus: sessionDescriptions,
  tokens: [
    ...[
      '\r\n',
      '\n',
      'm=audio 1 RTP/AVP 0\r\n',
      'c=IN IP4 192.0.2.2\r\n',
      'c=IN IP6 ::1\r\n',
      'a=',
      'm=',
      'c=',
      'o=',
    ],
    ...[
      'a=rtcp:1 IN IP6 ::1\r\n',
      'a=rtcp-mux\r\n',
      'a=curr:qos e2e none\r\n',
      'a=setup:active\r\n',
      '/',
      ' ',
      'IP6',
    ],
    ...['a=sendonly\r\n', ':', 'TCP', ' 0 ', '\xff', '\x00'],
  ].map(octets),
  cut: cutLines,
  check: (input) => {
    const description = parse(latin1(input));
    if (isMalformed(description)) return false;
    change(description);
    return roundTrips(description, format, parse);
  },
  families: {
    lines: repeated(head, 'a=\r\n'),
    'line feeds': repeated(head, '\n'),
    streams: repeated(head, 'm=a 1 b c\r\n'),
    formats: repeated(`${head}m=audio 1 RTP/AVP`, ' 0', '\t'),
    'white space behind formats': repeated(`${head}m=audio 1 RTP/AVP 0`, ' ', '\t'),
    'white space behind an attribute': repeated(`${head}m=audio 1 RTP/AVP 0\r\na=sendrecv`, ' ', 'x'),
    'connection lines': repeated(head, 'c=IN IP4 1.2.3.4\r\n'),
    preconditions: repeated(`${head}m=audio 1 RTP/AVP 0\r\n`, 'a=des:qos mandatory e2e sendrecv\r\n'),
    candidates: repeated(`${head}m=audio 1 RTP/AVP 0\r\n`, 'a=candidate:1\r\n'),
    'an address': repeated(`${head}m=audio 1 RTP/AVP 0\r\nc=IN IP6 `, ':'),
  },
};

/** What the application server and the mobile node do with a description of a stranger. */
function change(description: SessionDescription): void {
  assert.equal(isPureHandover(description, description), true, 'it is no handover to where one is');
  parsed(withOrigin(description, { ...originOf(description), address: '::1' }));
  for (const [index, media] of description.media.entries()) {
    connectionOf(description, index);
    setupOf(description, index, 'offer');
    directionOf(description, index);
    const wanted = preconditionsOf(media);
    parsed(withMedia(description, index, withDirection(media, 'inactive')));
    if (wanted !== undefined)
      parsed(
        withMedia(description, index, withPreconditions(media, answerPreconditions(wanted, 'sendrecv'))),
      );
  }
  const moved = parsed(
    withMediaAddresses(
      description,
      description.media.map(({ port }) => (port === 0 ? undefined : place)),
    ),
  );
  for (const [index, { port }] of description.media.entries()) {
    const { rtcpPort, ...reached } = mediaAddressOf(moved, index) ?? { rtcpPort: 0 };
    const isThere = 'port' in reached && reached.address === place.address && reached.port === place.port;
    assert.ok(port === 0 ? rtcpPort === 0 : isThere && !('rtcpAddress' in reached), 'an old address stays');
  }
}

function parsed(description: SessionDescription): SessionDescription {
  const again = parse(format(description));
  assert.ok(!isMalformed(again), `what was changed is ${again}`);
  return again;
}
