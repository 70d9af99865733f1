import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalInConstantTime, equalOctetsInConstantTime, hashHex, hmac } from './digest.ts';

test('hashHex: the hash of nothing, and of octets above 127', () => {
  assert.equal(hashHex('md5', ''), 'd41d8cd98f00b204e9800998ecf8427e');
  assert.equal(hashHex('sha256', ''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(hashHex('sha512-256', ''), 'c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a');
  assert.equal(hashHex('md5', '\xff'), '00594fd4f42ba43fc1ca0427a0576295');
});

test('equalInConstantTime: tells equal from different, whatever the lengths', () => {
  assert.equal(equalInConstantTime('abc', 'abc'), true);
  assert.equal(equalInConstantTime('abc', 'abd'), false);
  assert.equal(equalInConstantTime('abc', 'ab'), false);
  assert.equal(equalInConstantTime('', ''), true);
});

test('hmac: test case 2 of RFC 2202 (MD5) and of RFC 4231 (SHA-256)', () => {
  const key = Buffer.from('Jefe');
  const text = Buffer.from('what do ya want for nothing?');
  assert.equal(Buffer.from(hmac('md5', key, text)).toString('hex'), '750c783e6ab0b503eaa86e310a5db738');
  assert.equal(
    Buffer.from(hmac('sha256', key, text)).toString('hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('equalOctetsInConstantTime: tells equal from different, whatever the lengths', () => {
  assert.equal(equalOctetsInConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
  assert.equal(equalOctetsInConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
  assert.equal(equalOctetsInConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1)), false);
});
