import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TrimaranError } from '../base/trimaran-error.ts';
import { SipAccountStore, type StoredSipAccount } from './sip-account-store.ts';

const bob: StoredSipAccount = {
  homeAddress: '198.51.100.10',
  publicIdentity: 'sip:bob@home.example',
  privateIdentity: 'bob',
  password: 'correct horse battery stäple',
  contactPort: 5060,
};
const alice: StoredSipAccount = {
  ...bob,
  homeAddress: '198.51.100.11',
  publicIdentity: 'sip:alice@home.example',
};

test('SipAccountStore: keeps accounts by home address, in files that only their owner reads', () =>
  inFolder((store, { file, key }) => {
    store.put(bob);
    store.put(alice);
    store.put({ ...bob, password: 'a new one' });
    assert.deepEqual(store.read(), [{ ...bob, password: 'a new one' }, alice]);
    store.remove(alice.homeAddress);
    assert.deepEqual(store.read().length, 1);
    for (const path of [file, key]) assert.equal(statSync(path).mode & 0o777, 0o600);
    assertRefused(() => store.remove(alice.homeAddress), 'UNKNOWN_ACCOUNT');
  }));

test('SipAccountStore: nothing of an account can be read in its files, and the same accounts never look the same', () =>
  inFolder((store, { file, key }) => {
    store.put(bob);
    const before = readFileSync(file, 'utf8');
    store.put(bob);
    const after = readFileSync(file, 'utf8');
    const parts = (text: string) => Object.values(JSON.parse(text) as Record<string, string>);
    assert.deepEqual(
      parts(before).filter((part) => parts(after).includes(part)),
      ['trimaran-sip-accounts-1'],
    );
    for (const text of [before, after, readFileSync(key, 'latin1')])
      for (const secret of [bob.password, 'bob', bob.homeAddress]) {
        assert.ok(!text.includes(secret));
        assert.ok(!Buffer.from(text, 'base64').includes(secret));
      }
    assert.deepEqual(readdirSync(join(file, '..')).sort(), ['accounts', 'key']);
  }));

test('SipAccountStore: says which is wrong, key or file, and never a password', () =>
  inFolder((store, { file, key }) => {
    assertRefused(() => store.read(), 'ACCOUNTS_KEY_UNUSABLE');
    store.put(bob);
    const [sealed, right] = [readFileSync(file, 'utf8'), readFileSync(key, 'utf8')];
    writeFileSync(key, `${'0'.repeat(64)}\n`);
    assertRefused(() => store.read(), 'ACCOUNTS_KEY_WRONG');
    assertRefused(() => store.put(alice), 'ACCOUNTS_KEY_WRONG');
    writeFileSync(key, 'hunter2');
    assertRefused(() => store.read(), 'ACCOUNTS_KEY_UNUSABLE');
    writeFileSync(key, right);
    chmodSync(key, 0o640);
    assertRefused(() => store.read(), 'ACCOUNTS_KEY_UNUSABLE');
    chmodSync(key, 0o600);
    const envelope = JSON.parse(sealed);
    for (const name of ['nonce', 'tag', 'accounts']) {
      const octets = Buffer.from(envelope[name], 'base64');
      octets[0]! ^= 1;
      writeFileSync(file, JSON.stringify({ ...envelope, [name]: octets.toString('base64') }));
      assertRefused(() => store.read(), 'ACCOUNTS_KEY_WRONG');
    }
    for (const text of ['', '{}', sealed.slice(0, -20), JSON.stringify({ ...envelope, format: 'other' })]) {
      writeFileSync(file, text);
      assertRefused(() => store.read(), 'ACCOUNTS_UNREADABLE');
    }
    writeFileSync(file, sealed);
    assert.deepEqual(store.read(), [bob]);
  }));

function assertRefused(act: () => void, code: string): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof TrimaranError, String(error));
    assert.equal(error.code, code);
    assert.ok(!`${error.message} ${error.remedy} ${error.stack}`.includes(bob.password));
    return error.remedy !== '';
  });
}

function inFolder(use: (store: SipAccountStore, paths: { file: string; key: string }) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-accounts-'));
  try {
    const paths = { file: join(folder, 'accounts'), key: join(folder, 'key') };
    use(new SipAccountStore(paths), paths);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
