import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalInConstantTime, hashHex } from './digest.ts';

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
