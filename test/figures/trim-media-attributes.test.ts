/**
 * Session descriptions on their way through the mobile node and the TRIM AS, before and after handovers: nothing but the places of the media
 * changes. Keys and fingerprints (RFC 4568, RFC 8122), header extensions, unknown attributes, their order and their blanks come out as they went
 * in. ICE is the exception: its candidates name the addresses that are to stay unknown, and a peer that saw another address in c= would take the
 * session for mangled (RFC 8839 §4.2.5, ice-mismatch); without any of its attributes both ends do without it, as RFC 8445 wants.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChangeableCall, otherOf, type Side } from './changeable-call.ts';

const own = { phone: '10.64.0.1', correspondent: '203.0.113.2' } as const;
const seed = 20_261_121;

const base64 = fc.base64String({ minLength: 40, maxLength: 40 });
const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,11}$/);
/** Printable text with blanks wherever they fall. */
const text = fc.stringMatching(/^[ -~]{1,40}$/);

const attribute = fc.oneof(
  base64.map((key) => `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}|2^20|1:32`),
  fc.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/).map((digest) => `a=fingerprint:sha-256 ${digest}`),
  fc.constantFrom(
    'a=setup:actpass',
    'a=setup:active',
    'a=rtcp-mux',
    'a=rtcp-rsize',
    'a=sendonly',
    'a=ptime:20',
  ),
  fc
    .nat({ max: 14 })
    .map((id) => `a=extmap:${id + 1}/sendrecv urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on`),
  fc.nat().map((ssrc) => `a=ssrc:${ssrc} cname:{b1c2}@host`),
  text.map((value) => `a=fmtp:97 ${value}`),
  fc.tuple(token, text).map(([name, value]) => `a=x-${name}:${value}`),
  token.map((name) => `a=x-${name}`),
  fc.constantFrom('b=AS:64', 'b=TIAS:64000', 'k=prompt', 'i=a title'),
);
const iceAttribute = fc.constantFrom(
  'a=ice-ufrag:8hhY',
  'a=ice-pwd:asd88fgpdd777uzjYhagZg',
  'a=candidate:1 1 UDP 2130706431 10.64.0.1 40000 typ host',
  'a=end-of-candidates',
);
const medium = fc.record({
  kind: fc.constantFrom('audio', 'video', 'image'),
  protocol: fc.constantFrom('RTP/AVP', 'RTP/SAVP', 'RTP/SAVPF', 'UDP/TLS/RTP/SAVPF', 'udptl'),
  formats: fc.constantFrom('0', '8  97', '96 97 98', 't38'),
  isRefused: fc.boolean(),
  hasConnection: fc.boolean(),
  rtcpOffset: fc.constantFrom(undefined, 1, 7),
  attributes: fc.array(
    fc.oneof({ weight: 6, arbitrary: attribute }, { weight: 1, arbitrary: iceAttribute }),
    {
      maxLength: 12,
    },
  ),
});
type Medium = typeof medium extends fc.Arbitrary<infer Value> ? Value : never;

test('TRIM: of a session description only the places of the media change on its way, before and after handovers', () => {
  const call = new ChangeableCall({ withReservation: false, proxyCscfs: 'shared' });
  // The first stream stays: one that is refused cannot move.
  const streams = fc.array(medium, { minLength: 1, maxLength: 4 });
  fc.sample(streams, { seed, numRuns: 60 }).forEach((media, round) => {
    const side = round % 2 === 0 ? 'phone' : 'correspondent';
    const lines = media.map((one, index) =>
      linesOf(side, { ...one, isRefused: index > 0 && one.isRefused }, index),
    );
    const answer = media.map((one, index) =>
      linesOf(otherOf(side), { ...one, isRefused: index > 0 && one.isRefused }, index),
    );
    call.change(side, lines, answer);
    call.run(1000);
    assert.equal(call[side].statusCodes.at(-1), 200, `round ${round}, seed ${seed}`);
    assert.deepEqual(placeless(call[otherOf(side)].heard.at(-1)!), lines.flatMap(expected), `offer ${round}`);
    assert.deepEqual(placeless(call[side].heard.at(-1)!), answer.flatMap(expected), `answer ${round}`);
    if (round % 10 !== 9) return;
    const access = round % 20 === 9 ? 'wlan' : '3g';
    call.lab.mobile.setAccess(access, true);
    call.lab.mobile.requestHandover(access);
    call.run(2000);
    assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, access);
  });
  assert.ok(call.phone.heard.length + call.correspondent.heard.length >= 120);
});

function linesOf(side: Side, one: Medium, index: number): string[] {
  const port = 40_000 + 20 * index;
  return [
    `m=${one.kind} ${one.isRefused ? 0 : port} ${one.protocol} ${one.formats}`,
    ...(one.hasConnection ? [`c=IN IP4 ${own[side]}`] : []),
    ...(one.rtcpOffset === undefined ? [] : [`a=rtcp:${port + one.rtcpOffset} IN IP4 ${own[side]}`]),
    ...one.attributes,
  ];
}

/** What is to come out, with the places left out. */
function expected(lines: readonly string[]): string[] {
  return lines.filter((line) => !isIce(line) && !isRtcp(line)).map(withoutPlace);
}

/** From the first m= line on. */
function placeless(description: string): string[] {
  const lines = description.split('\r\n').slice(0, -1);
  assert.ok(!lines.some(isIce), 'ICE is taken out');
  assert.ok(
    !lines.some((line) => line.includes(own.phone) || line.includes(own.correspondent)),
    'no old place',
  );
  const first = lines.findIndex((line) => line.startsWith('m='));
  return lines
    .slice(first)
    .filter((line) => !isRtcp(line))
    .map(withoutPlace);
}

/** Written where the translator's port for RTCP is not the next one (RFC 3605). */
function isRtcp(line: string): boolean {
  return line.startsWith('a=rtcp:');
}

function isIce(line: string): boolean {
  return /^a=(?:ice-|candidate|end-of-candidates)/.test(line);
}

function withoutPlace(line: string): string {
  if (line.startsWith('c=')) return 'c=';
  return line.replace(/^(m=\S+ )[1-9]\d*/, '$1port');
}
