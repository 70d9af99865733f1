import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { Usim } from '../../protocols/aka/usim.ts';
import { Secret } from './secret.ts';
import {
  credentialKeys,
  credentialRule,
  digestSecretOf,
  hasOneCredential,
  subscriberKeyOf,
} from './user-credentials.ts';

const schema = z.strictObject(credentialKeys).refine(hasOneCredential, credentialRule);
const k = '465b5ce8b199b49faa5f0a2ee238a6bc';
const op = 'cdc202d5123e20f62b6d676ac72cb318';

test('credentials of a user: a password or a key of a USIM, and exactly one of them', () => {
  const faults = (value: unknown): string[] =>
    schema.safeParse(value).error?.issues.map((i) => i.message) ?? [];
  assert.deepEqual(faults({ password: 'x' }), []);
  assert.deepEqual(faults({ aka: { k, op } }), []);
  assert.deepEqual(faults({}), ['either password or aka is needed']);
  assert.deepEqual(faults({ password: 'x', aka: { k, op } }), ['either password or aka is needed']);
  assert.deepEqual(faults({ aka: { k } }), ['either opc or op is needed']);
});

test('subscriberKeyOf: OPc is made of OP where only that is given', () => {
  const { sets } = JSON.parse(readFileSync('test/data/milenage.json', 'utf8'));
  const key = subscriberKeyOf({ k: new Secret(k), op: new Secret(op) });
  assert.equal(Buffer.from(key.opc).toString('hex'), sets[0].opc);
});

test('digestSecretOf: letters beyond ASCII become the octets of UTF-8', () => {
  assert.equal(digestSecretOf({ password: new Secret('ä') }), 'Ã¤');
  assert.ok(digestSecretOf({ aka: { k: new Secret(k), op: new Secret(op) } }) instanceof Usim);
});

test('Secret: a key that is not 32 hexadecimal digits is refused without being shown', () => {
  const parsed = schema.parse({ aka: { k: 'very secret', opc: k } });
  assert.throws(
    () => parsed.aka?.k.read('.'),
    (error) => error instanceof Error && error.message === 'must be 32 hexadecimal digits',
  );
});
