/** `trimaran home-agent-accounts` as an operator uses it; no line of it says a password. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

test('trimaran home-agent-accounts: adds, lists and removes, and shows no password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-accounts-'));
  const paths = ['--store', join(folder, 'accounts'), '--key', join(folder, 'key')];
  const shown: string[] = [];
  const run = (input: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['dist/src/cli/main.js', 'home-agent-accounts', ...paths, ...args],
      { encoding: 'utf8', input },
    );
    shown.push(stdout, stderr);
    return { status, stdout, stderr };
  };
  assert.equal(run('hunter2\n', 'add', '198.51.100.10', 'sip:bob@home.example').status, 0);
  assert.equal(run('', 'list').stdout, '198.51.100.10  sip:bob@home.example  user name bob, port 5060\n');
  assert.equal(
    run('hunter2', 'add', '198.51.100.10', 'sip:bob@home.example', '--user-name', 'b@h').status,
    0,
  );
  assert.deepEqual(JSON.parse(run('', 'list', '--json').stdout), {
    homeAddress: '198.51.100.10',
    publicIdentity: 'sip:bob@home.example',
    privateIdentity: 'b@h',
    contactPort: 5060,
  });
  for (const [wrong, said] of [
    [['add', '198.51.100.300', 'sip:bob@home.example'], /"198.51.100.300" is not an IPv4 address/],
    [['add', '198.51.100.10', 'bob'], /"bob" is not such as sip:bob@home.example/],
    [['add', '198.51.100.10'], /it takes "add", "list" or "remove"/],
  ] as const) {
    const { status, stderr } = run('hunter2', ...wrong);
    assert.equal(status, 2);
    assert.match(stderr, said);
  }
  assert.match(run('', 'add', '198.51.100.11', 'sip:c@home.example').stderr, /no password on standard input/);
  assert.equal(run('', 'remove', '198.51.100.10').status, 0);
  assert.match(run('', 'remove', '198.51.100.10').stderr, /198.51.100.10 has no account/);
  assert.ok(!shown.join().includes('hunter2'));
  rmSync(folder, { recursive: true });
});
