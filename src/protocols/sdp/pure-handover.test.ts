import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../base/malformed.ts';
import { LegOrigin, originOf, withOrigin } from './origin.ts';
import { isPureHandover } from './pure-handover.ts';
import {
  formatSessionDescription,
  parseSessionDescription,
  type SessionDescription,
} from './session-description.ts';

const before = `v=0
o=mn 7 1 IN IP4 10.1.0.2
s=-
c=IN IP4 10.1.0.2
t=0 0
m=audio 4000 RTP/AVP 0
a=rtcp:4001
a=sendrecv
m=application 9 TCP *
a=setup:active
a=connection:new
`;

test('isPureHandover: new addresses, version, preconditions and an existing connection are a move', () => {
  const after = before
    .replaceAll('10.1.0.2', '10.2.0.9')
    .replace('7 1', '7 2')
    .replace('4000', '4100')
    .replace('a=rtcp:4001', 'a=rtcp:4101\na=curr:qos local none\na=des:qos mandatory local sendrecv')
    .replace('connection:new', 'connection:existing');
  assert.equal(isPureHandover(parse(before), parse(after)), true);
});

test('isPureHandover: where the connection line stands makes no difference', () => {
  const after = before
    .replace(
      'c=IN IP4 10.1.0.2\nt=0 0\nm=audio 4000 RTP/AVP 0\n',
      't=0 0\nm=audio 4000 RTP/AVP 0\nc=IN IP6 ::1\n',
    )
    .replace('TCP *\n', 'TCP *\nc=IN IP6 ::1\n');
  assert.equal(isPureHandover(parse(before), parse(after)), true);
});

test('isPureHandover: hold, another codec, a stream more or less, another session are not', () => {
  for (const [old, replacement] of [
    ['sendrecv', 'sendonly'],
    ['RTP/AVP 0', 'RTP/AVP 8'],
    ['m=audio 4000', 'm=audio 0'],
    ['m=application 9', 'm=application 0'],
    ['o=mn 7', 'o=mn 8'],
    ['setup:active', 'setup:passive'],
    ['t=0 0\n', 't=0 0\na=new\n'],
  ] as const)
    assert.equal(isPureHandover(parse(before), parse(before.replace(old, replacement))), false, replacement);
});

test('LegOrigin: the version rises when the description changes, and only then', () => {
  const leg = new LegOrigin({ username: 'as', sessionId: '99', address: '203.0.113.1' });
  const first = parse(leg.format(parse(before)));
  assert.deepEqual(originOf(first), {
    username: 'as',
    sessionId: '99',
    sessionVersion: '1',
    address: '203.0.113.1',
  });
  assert.deepEqual(parse(leg.format(parse(before.replace('mn 7 1', 'mn 7 2')))), first);
  assert.equal(
    originOf(parse(leg.format(parse(before.replace('sendrecv', 'sendonly'))))).sessionVersion,
    '2',
  );
  assert.equal(originOf(parse(leg.format(parse(before)))).sessionVersion, '3');
});

test('withOrigin: touches the o= line alone, and holds versions beyond 2^53', () => {
  const origin = { username: '-', sessionId: '1', sessionVersion: '18446744073709551615', address: '::1' };
  const changed = withOrigin(parse(before), origin);
  assert.equal(
    formatSessionDescription(changed).replaceAll('\r', ''),
    before.replace('o=mn 7 1 IN IP4 10.1.0.2', 'o=- 1 18446744073709551615 IN IP6 ::1'),
  );
});

function parse(text: string): SessionDescription {
  const description = parseSessionDescription(text);
  assert.ok(!isMalformed(description), String(description));
  return description;
}
