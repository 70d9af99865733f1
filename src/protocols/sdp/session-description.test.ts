import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed, Malformed } from '../../base/malformed.ts';
import {
  formatSessionDescription,
  parseMediaDescription,
  parseSessionDescription,
  withMedia,
  withMediaPort,
} from './session-description.ts';

const head = 'v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\n';

test('parseSessionDescription and formatSessionDescription: every line comes back, unknown ones and their order too', () => {
  const text = `${head}z=0 0\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=x-unknown: \xe9 ;\r\nm=audio 49170/2 RTP/AVP 0  97\r\na=fmtp:97 a=b\r\nm=image 0 udptl t38\r\n`;
  const description = parseSessionDescription(text);
  assert.ok(!isMalformed(description));
  assert.equal(formatSessionDescription(description), text);
  assert.deepEqual(
    description.media.map(({ media, port, protocol }) => ({ media, port, protocol })),
    [
      { media: 'audio', port: 49170, protocol: 'RTP/AVP' },
      { media: 'image', port: 0, protocol: 'udptl' },
    ],
  );
});

test('parseSessionDescription: takes bare line feeds and a last line without end', () => {
  const description = parseSessionDescription(
    `${head.replaceAll('\r', '')}c=IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0`,
  );
  assert.ok(!isMalformed(description));
  assert.equal(formatSessionDescription(description), `${head}c=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\n`);
});

test('parseSessionDescription: names the line that is wrong', () => {
  const cases: readonly [text: string, field: string, offset: number][] = [
    ['', 'o=', 0],
    ['v=1\r\n', 'v=', 0],
    ['o=- 1 1 IN IP4 1.2.3.4\r\n', 'v=', 0],
    ['v=0\r\ns=-\r\n', 'o=', 0],
    [`${head}nonsense\r\n`, 'line', head.length],
    [`${head}\r\nt=0 0\r\n`, 'line', head.length],
    [`${head}c=IN IP4\r\n`, 'c=', head.length],
    ['v=0\r\no=- x 1 IN IP4 1.2.3.4\r\n', 'o=', 5],
    [`${head}${head.slice('v=0\r\n'.length)}`, 'o=', head.length],
    [`${head}c=IN IP4 1.2.3.4\r\nm=audio x RTP/AVP 0\r\n`, 'm=', head.length + 18],
    [`${head}c=IN IP4 1.2.3.4\r\nm=audio 65536 RTP/AVP 0\r\n`, 'm=', head.length + 18],
    [`${head}c=IN IP4 1.2.3.4\nm=audio 1 RTP/AVP 0\na=\n\nb`, 'line', head.length + 17 + 20 + 3],
  ];
  for (const [text, field, offset] of cases) {
    const fault = parseSessionDescription(text);
    assert.ok(isMalformed(fault), text);
    assert.deepEqual([fault.field, fault.offset], [field, offset], text);
  }
});

test('parseSessionDescription: a stream in use without any connection line is malformed, a refused one is not', () => {
  const withoutConnection = parseSessionDescription(`${head}m=audio 4000 RTP/AVP 0\r\n`);
  assert.ok(isMalformed(withoutConnection));
  assert.equal(withoutConnection.field, 'c=');
  assert.ok(!isMalformed(parseSessionDescription(`${head}m=audio 0 RTP/AVP 0\r\n`)));
  assert.ok(
    isMalformed(
      parseSessionDescription(
        `${head}m=audio 4000 RTP/AVP 0\r\nc=IN IP4 1.2.3.4\r\nm=video 1 RTP/AVP 31\r\n`,
      ),
    ),
  );
});

test('parseSessionDescription: refuses more media lines than it has bindings for', () => {
  const lines = 'm=audio 1 RTP/AVP 0\r\n'.repeat(33);
  assert.ok(isMalformed(parseSessionDescription(`${head}c=IN IP4 1.2.3.4\r\n${lines}`)));
});

test('parseSessionDescription: no text makes it throw, and what it accepts it reads back the same', () => {
  const line = fc.constantFrom(
    'v=0',
    'o=- 1 1 IN IP4 1.2.3.4',
    'c=IN IP6 ::1',
    'm=a 1 b c',
    'm=a 0 b',
    'a=x',
    '',
    'm=',
    '\r',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(line).map((lines) => lines.join('\r\n')),
  );
  fc.assert(
    fc.property(text, (input) => {
      const once = parseSessionDescription(input);
      if (once instanceof Malformed) return;
      assert.deepEqual(parseSessionDescription(formatSessionDescription(once)), once);
    }),
    { seed: 2, numRuns: 500 },
  );
});

test('withMedia and withMediaPort: change the port and nothing else', () => {
  const description = parseSessionDescription(
    `${head}c=IN IP4 1.2.3.4\r\nm=audio 4000/2 RTP/AVP 0\r\na=x\r\n`,
  );
  assert.ok(!isMalformed(description));
  const changed = withMedia(description, 0, withMediaPort(description.media[0]!, 0));
  assert.equal(
    formatSessionDescription(changed),
    `${head}c=IN IP4 1.2.3.4\r\nm=audio 0/2 RTP/AVP 0\r\na=x\r\n`,
  );
  assert.deepEqual(parseMediaDescription(changed.media[0]!.text), changed.media[0]);
});
