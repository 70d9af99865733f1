import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { digestAlgorithmOf, digestHa1, digestResponse } from './digest-response.ts';

/** test/data/digest.json: RFC 2617 §3.5, RFC 7616 §3.9, and constructed ones checked with two crypto libraries. */
interface DigestVector {
  readonly name: string;
  readonly algorithm: string;
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
  readonly nc: string;
  readonly cnonce: string;
  readonly qop: 'auth' | 'auth-int' | null;
  readonly body: string;
  readonly ha1: string;
  readonly response: string;
}

const { vectors }: { vectors: readonly DigestVector[] } = JSON.parse(
  readFileSync('test/data/digest.json', 'utf8'),
);

for (const vector of vectors) {
  test(`digestResponse: vector ${vector.name}`, () => {
    const algorithm = digestAlgorithmOf(vector.algorithm);
    assert.ok(algorithm !== undefined);
    const username = octets(vector.username);
    const ha1 = digestHa1(algorithm, username, vector.realm, octets(vector.password));
    const fields = { username, realm: vector.realm, nonce: vector.nonce, uri: vector.uri };
    const withQop =
      vector.qop === null
        ? fields
        : { ...fields, qop: vector.qop, cnonce: vector.cnonce, nonceCount: Number.parseInt(vector.nc, 16) };
    if (!vector.algorithm.endsWith('-sess')) assert.equal(ha1, vector.ha1);
    assert.equal(digestResponse(algorithm, ha1, withQop, vector), vector.response);
  });
}

/** test/data/milenage.json: RES of TS 35.208 set 1 as the password, by RFC 3310. */
const { akav1 } = JSON.parse(readFileSync('test/data/milenage.json', 'utf8'));

test('digestResponse: AKAv1-MD5 with RES as the password, with and without qop, and with none beside AUTS', () => {
  const { username, realm, nonce, uri, method } = akav1;
  const answer = (password: string, withQop = true): string => {
    const fields = { username, realm, nonce, uri };
    const { cnonce, nc } = akav1.qopAuth;
    const quality = withQop ? ({ qop: 'auth', cnonce, nonceCount: Number.parseInt(nc, 16) } as const) : {};
    const ha1 = digestHa1('AKAv1-MD5', username, realm, password);
    return digestResponse('AKAv1-MD5', ha1, { ...fields, ...quality }, { method, body: '' });
  };
  const res = Buffer.from(akav1.res, 'hex').toString('latin1');
  assert.equal(answer(res, false), akav1.noQop.response);
  assert.equal(answer(res), akav1.qopAuth.response);
  assert.ok([answer(''), answer('', false)].includes(akav1.resync.emptyPasswordResponse));
});

test('digestAlgorithmOf: knows the names in any case and no others', () => {
  assert.equal(digestAlgorithmOf('sha-512-256-SESS'), 'SHA-512-256-sess');
  assert.equal(digestAlgorithmOf('AKAv2-SHA-256'), undefined);
});

function octets(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
