import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  createAuthenticationVector,
  nextSequenceNumber,
  sequenceNumberOf,
  sequenceNumberOfAuts,
} from './authentication-vector.ts';
import { authenticationCodes, operatorVariant, resynchronisationKey, sessionKeys } from './milenage.ts';
import { Usim } from './usim.ts';

/** test/data/milenage.json: 3GPP TS 35.208 §4.3, and a resynchronisation computed from its first set. */
const {
  sets,
  akav1,
}: { sets: readonly Record<string, string>[]; akav1: { resync: Record<string, string> } } = JSON.parse(
  readFileSync('test/data/milenage.json', 'utf8'),
);

for (const set of sets) {
  test(`MILENAGE: test set ${set['set']} of TS 35.208`, () => {
    const [k, op, rand, sqn, amf] = ['k', 'op', 'rand', 'sqn', 'amf'].map((name) => octets(set[name]));
    const key = { k: k!, opc: operatorVariant(k!, op!) };
    assert.equal(hex(key.opc), set['opc']);
    const { macA, macS } = authenticationCodes(key, rand!, sqn!, amf!);
    const { res, ck, ik, ak } = sessionKeys(key, rand!);
    assert.deepEqual([macA, macS, res, ck, ik, ak, resynchronisationKey(key, rand!)].map(hex), [
      ...['f1', 'f1star', 'f2', 'f3', 'f4', 'f5', 'f5star'].map((name) => set[name]),
    ]);
    const vector = createAuthenticationVector(key, rand!, sequenceNumberOf(sqn!), amf!);
    assert.equal(hex(vector.autn), set['autn']);
  });
}

const set = sets[0]!;
const key = { k: octets(set['k']), opc: octets(set['opc']) };
const rand = octets(set['rand']);

test('Usim: answers a fresh challenge once, and a repeated one with AUTS that the network can read', () => {
  const usim = new Usim(key);
  const { autn, expectedResponse } = createAuthenticationVector(key, rand, 33);
  const answer = usim.authenticate(rand, autn);
  assert.equal(answer.kind === 'authenticated' && hex(answer.res), hex(expectedResponse));
  const again = usim.authenticate(rand, autn);
  assert.equal(again.kind, 'synchronisation-failed');
  assert.equal(sequenceNumberOfAuts(key, rand, again.auts), 33);
});

test('Usim: takes vectors out of order, as long as none comes twice', () => {
  const usim = new Usim(key);
  const numbers = [32];
  while (numbers.length < 40) numbers.push(nextSequenceNumber(numbers.at(-1)!));
  const kinds = (order: readonly number[]): string[] =>
    order.map((number) => usim.authenticate(rand, createAuthenticationVector(key, rand, number).autn).kind);
  const [first, ...others] = numbers;
  assert.ok(kinds([...others.slice(0, 20).reverse(), first!]).every((kind) => kind === 'authenticated'));
  assert.deepEqual(kinds([others[4]!]), ['synchronisation-failed']);
});

test('Usim: a counter that jumps too far ahead is not believed', () => {
  const { autn } = createAuthenticationVector(key, rand, 2 ** 28 * 32 + 64);
  assert.equal(new Usim(key).authenticate(rand, autn).kind, 'synchronisation-failed');
});

test('Usim: refuses a challenge of somebody who does not know the key, and one that is cut', () => {
  const { autn } = createAuthenticationVector({ ...key, k: octets(sets[2]!['k']) }, rand, 64);
  assert.equal(new Usim(key).authenticate(rand, autn).kind, 'network-refused');
  assert.equal(new Usim(key).authenticate(rand, autn.subarray(1)).kind, 'network-refused');
});

test('Usim and sequenceNumberOfAuts: the published resynchronisation', () => {
  const highest = sequenceNumberOf(octets(akav1.resync['sqnMs']));
  const answer = new Usim(key, highest).authenticate(rand, octets(set['autn']));
  assert.equal(answer.kind, 'synchronisation-failed');
  assert.equal(hex(answer.auts), akav1.resync['auts']);
  assert.equal(sequenceNumberOfAuts(key, rand, answer.auts), highest);
  const forged = answer.auts.with(13, answer.auts[13]! ^ 1);
  assert.equal(sequenceNumberOfAuts(key, rand, forged), undefined);
});

function octets(text: string | undefined): Uint8Array {
  return new Uint8Array(Buffer.from(text ?? '', 'hex'));
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString('hex');
}
