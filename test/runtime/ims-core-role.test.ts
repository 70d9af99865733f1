import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
} from '../../src/correspondent-node/correspondent-node.ts';
import { EventLoop } from '../../src/runtime/event-loop.ts';
import { SystemRandomSource } from '../../src/runtime/system-random-source.ts';

/** An address of the loopback network that no other test or benchmark uses: ports need not be looked for. */
const host = '127.77.102.1';
const started: ChildProcess[] = [];

after(() => {
  for (const role of started) role.kill('SIGKILL');
});

test('trimaran ims-core registers a user over real sockets, by Cx and digest, and ends cleanly', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-ims-core-'));
  const role = startRole(folder);
  await role.until(() => role.events.filter((event) => event === 'socket-opened').length === 7);

  const events: string[] = [];
  const terminal = newTerminal();
  const loop = new EventLoop<never, CorrespondentNodeEvent, never>({
    machine: terminal,
    onEvent: (event) => events.push(event.type),
  });
  loop.perform((now) => terminal.start(now));
  await role.until(() => role.events.includes('registration-changed'));
  while (!events.includes('registered')) await new Promise((resolve) => setTimeout(resolve, 5));
  loop.close();

  role.child.kill('SIGTERM');
  assert.deepEqual(await once(role.child, 'exit'), [0, null]);
  const trace = readFileSync(join(folder, 'trace.ndjson'), 'utf8');
  for (const summary of [
    'REGISTER sip:ims.test',
    'UAR',
    'UAA 2001',
    'MAR',
    'SAR',
    '401 Unauthorized (REGISTER)',
    'DPR',
  ])
    assert.ok(trace.includes(`"summary":"${summary}"`), `the trace lacks ${summary}`);
  assert.ok(!trace.includes('very secret'));
  rmSync(folder, { recursive: true });
});

function newTerminal(): CorrespondentNode {
  return new CorrespondentNode({
    sip: { address: '127.77.102.2', port: 5060 },
    identity: {
      publicIdentity: 'sip:alice@ims.test',
      privateIdentity: 'alice@ims.test',
      password: 'very secret',
      homeDomain: 'ims.test',
    },
    expiresSeconds: 600,
    registers: true,
    outboundProxy: { address: host, port: 5060 },
    media: [],
    withReservation: false,
    ringMs: 0,
    random: new SystemRandomSource(),
  });
}

function startRole(folder: string) {
  const configuration = `
domain: ims.test
p-cscf: ["${host}:5060"]
i-cscf: ${host}:5070
s-cscf: ${host}:5080
hss: ${host}:3868
subscribers:
  - private-identity: alice@ims.test
    public-identities: [sip:alice@ims.test]
    password: very secret
`;
  const file = join(folder, 'core.yaml');
  writeFileSync(file, configuration);
  const args = ['ims-core', '-c', file, '--json', '--trace', join(folder, 'trace.ndjson')];
  const child = spawn(process.execPath, ['dist/src/cli/main.js', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const events: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => events.push(JSON.parse(line).event));
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await once(lines, 'line');
  };
  return { child, events, until };
}
