import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

/** Rewrites the golden files: `TRIMARAN_GOLDEN=write npm test`. */
const writesGoldenFiles = process.env['TRIMARAN_GOLDEN'] === 'write';

test('trimaran --help lists the commands, and each has a manual page of at most 80 columns', () => {
  const overview = trimaran('--help').stdout;
  matchesGolden('trimaran.txt', overview);
  const names = [...overview.matchAll(/^ {2}(\S+) /gm)].map((match) => match[1] ?? '');
  assert.ok(names.includes('doctor'));
  for (const name of names) {
    const page = trimaran(name, '--help').stdout;
    for (const title of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'EXAMPLES'])
      assert.match(page, new RegExp(`^${title}$`, 'm'), `${name} lacks ${title}`);
    for (const line of page.split('\n')) assert.ok(line.length <= 80, `${name}: ${line}`);
  }
});

test('trimaran status --help is a manual page', () => {
  matchesGolden('status.txt', trimaran('status', '--help').stdout);
});

test('trimaran why --help is a manual page', () => {
  matchesGolden('why.txt', trimaran('why', '--help').stdout);
});

test('trimaran tells a mistyped command or option, what was meant, and ends with 2', () => {
  const cases = [
    { args: ['docter'], message: 'there is no command "docter" (did you mean "doctor"?)' },
    { args: ['doctor', '--jsn'], message: 'unknown option --jsn (did you mean --json?)' },
    { args: ['doctor', 'ims', 'now'], message: '"now" is one argument too many' },
    { args: ['doctor', 'imz'], message: 'there is no "imz" to look at, only ims' },
    { args: ['doctor', '--json=yes'], message: '--json takes no value' },
    { args: ['why', '--control', 'x', '--last', 'two'], message: '"two" is not a number' },
    { args: ['status', '--control'], message: '--control needs a value: PATH' },
    { args: ['address-translator'], message: 'the configuration file is missing' },
  ];
  for (const { args, message } of cases) {
    const { status, stderr, stdout } = trimaran(...args);
    assert.deepEqual([status, stderr.split('\n')[0], stdout], [2, `trimaran: ${message}`, '']);
  }
});

test('trimaran shows what is wrong in a configuration file and no stack trace, unless it is asked for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-cli-'));
  const file = join(folder, 'translator.yaml');
  writeFileSync(file, 'identity: t.home\nrealm: home\nlisten: 127.0.0.1:3868\ncontroller: [a]\npool: {}\n');
  const { status, stderr } = trimaran('address-translator', '-c', file);
  assert.equal(status, 2);
  assert.equal(
    stderr.replaceAll(file, 'FILE'),
    `trimaran: FILE:1:1: controllers: is missing
FILE:4:1: controller: unknown key (did you mean "controllers"?)
FILE:5:7: pool.addresses: is missing
Correct the configuration file.
`,
  );
  const debugged = trimaranWith({ TRIMARAN_DEBUG: '1' }, 'address-translator', '-c', file);
  assert.match(debugged.stderr, /load-configuration\.js:\d+/);
  rmSync(folder, { recursive: true });
});

test('trimaran --json writes errors as JSON', () => {
  const { status, stderr } = trimaran('status', '--control', '/nowhere/role.sock', '--json');
  assert.equal(status, 4);
  assert.equal(JSON.parse(stderr).error.code, 'NOT_RUNNING');
});

test('trimaran status shows what the role answers, for people and for programs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-cli-'));
  const path = join(folder, 'role.sock');
  const answer = { sessions: 2, accesses: [{ name: 'wlan', isReady: true }, { name: '3g' }], registered: [] };
  const child = `
    const { ControlServer } = await import(${JSON.stringify(controlServerModule())});
    await ControlServer.listen(${JSON.stringify(path)}, { status: () => (${JSON.stringify(answer)}) });`;
  const role = spawn(process.execPath, ['--input-type=module', '-e', child], { stdio: 'inherit' });
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(JSON.parse(trimaran('status', '--control', path, '--json').stdout), answer);
  assert.equal(
    trimaran('status', '--control', path).stdout,
    'sessions: 2\naccesses:\n  - name: wlan\n    isReady: true\n  - name: 3g\nregistered: none\n',
  );
  role.kill();
  rmSync(folder, { recursive: true });
});

test('trimaran doctor says which tier this machine has and what comes next', () => {
  const { status, stdout } = trimaran('doctor', '--json');
  const report = JSON.parse(stdout);
  assert.equal(status, 0);
  assert.ok(['root', 'user-namespace', 'virtual'].includes(report.tier));
  assert.equal(report.findings[0].name, 'node >= 20.19');
  assert.equal(report.findings[0].isPresent, true);
  assert.equal(typeof report.next, 'string');
});

function trimaran(...args: string[]): SpawnSyncReturns<string> {
  return trimaranWith({}, ...args);
}

function trimaranWith(variables: Record<string, string>, ...args: string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, TRIMARAN_DEBUG: undefined, ...variables };
  return spawnSync(process.execPath, ['dist/src/cli/main.js', ...args], {
    encoding: 'utf8',
    env,
    timeout: 20_000,
  });
}

function controlServerModule(): string {
  return new URL('../../src/runtime/control-server.js', import.meta.url).href;
}

function matchesGolden(name: string, text: string): void {
  const file = `test/data/cli/${name}`;
  if (writesGoldenFiles) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'), `${name} differs; TRIMARAN_GOLDEN=write rewrites it`);
}
