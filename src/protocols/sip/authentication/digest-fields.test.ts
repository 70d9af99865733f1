import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../../base/malformed.ts';
import {
  type DigestCredentials,
  formatDigestChallenge,
  formatDigestCredentials,
  parseDigestChallenge,
  parseDigestCredentials,
} from './digest-fields.ts';

test('parseDigestChallenge: what Kamailio sends', () => {
  const text =
    'Digest realm="ims.test", nonce="a1b2", algorithm=MD5, qop="auth,auth-int", stale=TRUE, ck="0", opaque=""';
  assert.deepEqual(parseDigestChallenge(text), {
    ...{
      realm: 'ims.test',
      nonce: 'a1b2',
      algorithm: 'MD5',
      qop: ['auth', 'auth-int'],
      stale: true,
      opaque: '',
    },
  });
});

test('parseDigestChallenge: other schemes are passed over, broken ones malformed', () => {
  assert.equal(parseDigestChallenge('Basic realm="x"'), undefined);
  for (const text of [
    'Digest realm="x"',
    'Digest realm="x',
    'Digest realm="x", nonce="y", nonce="z"',
    'Digest ,',
  ])
    assert.ok(isMalformed(parseDigestChallenge(text)), text);
});

test('parseDigestCredentials: takes white space round a value, and no value', () => {
  const spaces = ' \t'.repeat(30_000);
  const text = `Digest username =${spaces}"u"${spaces},realm="r",nonce= "n",uri="u",response="",opaque= ,algorithm=${spaces}MD5`;
  const credentials = parseDigestCredentials(text);
  assert.ok(credentials !== undefined && !isMalformed(credentials));
  assert.deepEqual(
    [credentials.username, credentials.nonce, credentials.opaque, credentials.algorithm],
    ['u', 'n', '', 'MD5'],
  );
  assert.ok(isMalformed(parseDigestCredentials(`Digest username=${spaces}"u`)));
});

test('formatDigestChallenge: comes back the same, quotes in the realm included', () => {
  const challenge = {
    realm: 'a "b\\',
    nonce: 'n',
    algorithm: 'SHA-256',
    qop: ['auth'],
    opaque: 'o',
    stale: true,
  };
  assert.deepEqual(parseDigestChallenge(formatDigestChallenge(challenge)), challenge);
  const plain = { realm: 'r', nonce: 'n', algorithm: 'MD5', qop: [], opaque: undefined, stale: false };
  assert.equal(formatDigestChallenge(plain), 'Digest realm="r", nonce="n", algorithm=MD5');
});

test('parseDigestCredentials: the first REGISTER of an IMS terminal, with nothing in it but the name', () => {
  const credentials = parseDigestCredentials(
    'Digest username="mn@ims.test",realm="ims.test",nonce="",uri="sip:ims.test",response=""',
  );
  assert.ok(credentials !== undefined && !isMalformed(credentials));
  assert.equal(credentials.username, 'mn@ims.test');
  assert.equal(credentials.response, '');
  assert.equal(credentials.algorithm, 'MD5');
});

test('parseDigestCredentials: qop needs cnonce and nc', () => {
  const base = 'Digest username="u", realm="r", nonce="n", uri="sip:r", response="0"';
  for (const rest of [
    ', qop=auth',
    ', qop=auth, cnonce="c"',
    ', qop=auth, cnonce="c", nc=1',
    ', qop=x, cnonce="c", nc=00000001',
  ])
    assert.ok(isMalformed(parseDigestCredentials(base + rest)), rest);
  assert.ok(isMalformed(parseDigestCredentials('Digest username="u"')));
  assert.equal(parseDigestCredentials('Bearer x'), undefined);
});

test('formatDigestCredentials: quotes what RFC 7616 quotes and reads back', () => {
  const credentials: DigestCredentials = {
    ...{ username: 'u', realm: 'r', nonce: 'n', uri: 'sip:r', response: '0a', algorithm: 'MD5', opaque: 'o' },
    ...{ qop: 'auth', cnonce: 'c', nonceCount: 255 },
  };
  const text = formatDigestCredentials(credentials);
  assert.equal(
    text,
    'Digest username="u", realm="r", nonce="n", uri="sip:r", response="0a", algorithm=MD5, opaque="o", qop=auth, cnonce="c", nc=000000ff',
  );
  assert.deepEqual(parseDigestCredentials(text), credentials);
});

test('parseDigestChallenge and parseDigestCredentials: no text makes them throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      parseDigestChallenge(`Digest ${text}`);
      parseDigestCredentials(`digest\t${text}`);
    }),
    { seed: 3, numRuns: 500 },
  );
});
