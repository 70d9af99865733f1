/** `trimaran doctor ims` beside a core and an application server on real sockets of the loopback network: what it says when each hop fails. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { AddressTranslator } from '../../src/home-network/address-translator/address-translator.ts';
import { EventLoop } from '../../src/runtime/event-loop.ts';
import type { HopFinding } from '../../src/runtime/ims-diagnosis.ts';
import { SystemRandomSource } from '../../src/runtime/system-random-source.ts';

/** Addresses of the loopback network that no other test uses: ports need not be looked for. */
const host = (last: number): string => `127.77.4.${last}`;
const domain = 'ims.test';
const folder = mkdtempSync(join(tmpdir(), 'trimaran-doctor-ims-'));
const control = join(folder, 'trim-as.sock');
const started: ChildProcess[] = [];
const translator = startTranslator();

before(async () => {
  const applicationServer = `sip:${host(20)}:5060`;
  const subscriber = (name: string, trimAs?: string) => ({
    'private-identity': `${name}@${domain}`,
    'public-identities': [`sip:${name}@${domain}`],
    password: `secret of ${name}`,
    ...(trimAs !== undefined && { 'trim-as': trimAs }),
  });
  await startRole('ims-core', 'socket-opened', {
    domain,
    'p-cscf': [`${host(11)}:5060`],
    'i-cscf': `${host(12)}:5060`,
    's-cscf': `${host(13)}:5060`,
    hss: `${host(14)}:3868`,
    subscribers: [
      subscriber('alice'),
      subscriber('bob', applicationServer),
      subscriber('nobody-told'),
      subscriber('wrong-port', `sip:${host(20)}:5099`),
    ],
  });
  await startRole('trim-as', 'translator-available', {
    sip: `${host(20)}:5060`,
    identity: `trim-as.${domain}`,
    realm: domain,
    translators: [{ identity: `translator.${domain}`, address: `${host(21)}:3868` }],
    reconnect: '1s',
    control,
  });
});

after(() => {
  for (const role of started) role.kill('SIGKILL');
  translator.close();
  rmSync(folder, { recursive: true });
});

test('doctor ims: with everything in place every hop works', async () => {
  const { findings, status } = await diagnose('bob', 'secret of bob');
  assert.deepEqual(failed(findings), []);
  assert.equal(status, 0);
  assert.deepEqual(
    findings.map(({ hop }) => hop),
    [
      'application server runs',
      `translator translator.${domain}`,
      'application server on ISC',
      `registration of sip:bob@${domain}`,
      'third-party REGISTER',
      `registration of sip:alice@${domain}`,
      ...['originating', 'terminating'].flatMap((sessionCase) =>
        [
          'trigger',
          'original dialog identifier',
          'way back into the core',
          'call is answered',
          'media are anchored',
        ].map((hop) => `${sessionCase}: ${hop}`),
      ),
    ],
  );
});

test('doctor ims: a profile without filter criteria is told by its three triggers, though calls succeed', async () => {
  const { findings, status } = await diagnose('nobody-told', 'secret of nobody-told');
  assert.deepEqual(failed(findings), [
    'third-party REGISTER',
    'originating: trigger',
    'terminating: trigger',
  ]);
  const [, originating] = findings.filter(({ outcome }) => outcome === 'failed');
  assert.equal(originating?.detail, 'the call went past the application server');
  assert.match(originating?.remedy ?? '', /SessionCase 0/);
  assert.equal(status, 1);
});

test('doctor ims: a ServerName that nobody listens at looks the same, as DefaultHandling lets calls go on', async () => {
  const { findings } = await diagnose('wrong-port', 'secret of wrong-port');
  assert.deepEqual(failed(findings), [
    'third-party REGISTER',
    'originating: trigger',
    'terminating: trigger',
  ]);
  assert.match(
    findings.find(({ outcome }) => outcome === 'failed')?.remedy ?? '',
    /must reach the ServerName/,
  );
});

test('doctor ims: a wrong password is told, and calls are not tried', async () => {
  const { findings } = await diagnose('bob', 'guessed');
  assert.deepEqual(failed(findings), [`registration of sip:bob@${domain}`]);
  assert.match(findings.find(({ outcome }) => outcome === 'failed')?.remedy ?? '', /password/);
  assert.deepEqual(
    findings.filter(({ outcome }) => outcome === 'not tried').map(({ hop }) => hop),
    ['third-party REGISTER', 'originating call', 'terminating call'],
  );
});

test('doctor ims: without a translator the application server is called and refuses', async () => {
  translator.close();
  const { findings } = await diagnose('bob', 'secret of bob');
  // The S-CSCF takes the 503 and its Retry-After at its word, and does not ask for the second call.
  assert.deepEqual(failed(findings), [
    `translator translator.${domain}`,
    'originating: way back into the core',
    'terminating: trigger',
  ]);
  const refusal = findings.find(({ hop }) => hop === 'originating: way back into the core');
  assert.match(refusal?.detail ?? '', /^the application server refused: 503/);
});

test('doctor ims: says when the application server does not run, and which file or operand is wrong', async () => {
  const absent = await diagnose('bob', 'secret of bob', join(folder, 'nowhere.sock'));
  assert.equal(absent.status, 4);
  assert.equal((await run(['doctor', 'ims'])).status, 2);
  assert.equal((await run(['doctor', 'imz'])).status, 2);
});

function failed(findings: readonly HopFinding[]): string[] {
  return findings.filter(({ outcome }) => outcome === 'failed').map(({ hop }) => hop);
}

async function diagnose(name: string, password: string, socket = control) {
  const user = (who: string, secret: string, port: number) => ({
    sip: `${host(9)}:${port}`,
    identity: {
      public: `sip:${who}@${domain}`,
      private: `${who}@${domain}`,
      password: secret,
      'home-domain': domain,
    },
  });
  const file = join(folder, 'doctor-ims.yaml');
  const configuration = {
    control: socket,
    'application-server': `${host(20)}:5060`,
    'p-cscf': `${host(11)}:5060`,
    subscriber: user(name, password, 5080),
    peer: user('alice', 'secret of alice', 5082),
  };
  writeFileSync(file, stringify(configuration), { mode: 0o600 });
  const { status, output } = await run(['doctor', 'ims', '-c', file, '--json']);
  const lines = output.split('\n').filter((line) => line !== '');
  return { status, findings: lines.map((line) => JSON.parse(line) as HopFinding) };
}

function run(args: readonly string[]): Promise<{ readonly status: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['dist/src/cli/main.js', ...args], (error, output) =>
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, output }),
    );
  });
}

async function startRole(role: string, readyEvent: string, configuration: object): Promise<void> {
  const file = join(folder, `${role}.yaml`);
  writeFileSync(file, stringify(configuration), { mode: 0o600 });
  const child = spawn(process.execPath, ['dist/src/cli/main.js', role, '-c', file, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const lines = createInterface({ input: child.stdout });
  for (;;) {
    const [line] = (await once(lines, 'line')) as [string];
    if (JSON.parse(line).event === readyEvent) return;
  }
}

/** The kernel's part does not matter here: whatever it is asked for counts as done. */
function startTranslator(): { close(): void } {
  const random = new SystemRandomSource();
  const machine = new AddressTranslator({
    diameter: {
      originHost: `translator.${domain}`,
      originRealm: domain,
      originStateId: 1,
      listen: [{ address: host(21), port: 3868 }],
      peers: [{ host: `trim-as.${domain}` }],
      random,
    },
    pool: { addresses: ['198.51.100.1'], firstPort: 20_000, lastPort: 20_999 },
  });
  const loop = new EventLoop({
    machine,
    onEvent: () => {},
    onEffect: ({ id }) => loop.handleInput({ kind: 'effect-completed', id }),
  });
  loop.perform((now) => machine.start(now));
  return loop;
}
