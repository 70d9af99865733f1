/** The four functions of the IMS core as processes of their own: a call through them, and again after each was killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import {
  CorrespondentNode,
  type CorrespondentNodeEvent,
  type CorrespondentNodeOptions,
} from '../../src/correspondent-node/correspondent-node.ts';
import { Usim } from '../../src/protocols/aka/usim.ts';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { EventLoop } from '../../src/runtime/event-loop.ts';
import { SystemRandomSource } from '../../src/runtime/system-random-source.ts';

/** Addresses of the loopback network that no other test uses. */
const places = { 'p-cscf': '127.77.3.1', 'i-cscf': '127.77.3.2', 's-cscf': '127.77.3.3', hss: '127.77.3.4' };
type RoleName = keyof typeof places;
const k = '465b5ce8b199b49faa5f0a2ee238a6bc';
const opc = 'cd63cb71954a9f4e48a5994e37a02baf';
const folder = mkdtempSync(join(tmpdir(), 'trimaran-core-roles-'));
const started: ChildProcess[] = [];
const trimaranCommand = ['dist/src/cli/main.js'];

after(() => {
  for (const role of started) role.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const diameter = (name: string): string => `
diameter: { identity: ${name}.ims.test, realm: ims.test, hss: [{ identity: hss.ims.test, address: "${places.hss}:3868" }], reconnect: 100ms }`;

const configurations: Readonly<Record<RoleName, string>> = {
  'p-cscf': `
sip: ${places['p-cscf']}:5060
visited-network: ims.test
hosts: { ims.test: "${places['i-cscf']}:5060" }
journal: ${folder}/journal`,
  'i-cscf': `
sip: ${places['i-cscf']}:5060
domains: [ims.test]
control: ${folder}/i-cscf.sock
s-cscfs: [{ name: "sip:${places['s-cscf']}:5060" }]${diameter('icscf')}`,
  's-cscf': `
sip: ${places['s-cscf']}:5060
realm: ims.test
hosts: { ims.test: "${places['i-cscf']}:5060" }
digest-algorithms: [SHA-256, MD5]
journal: ${folder}/journal
control: ${folder}/s-cscf.sock${diameter('scscf')}`,
  hss: `
listen: ${places.hss}:3868
identity: hss.ims.test
realm: ims.test
cscfs: [icscf.ims.test, scscf.ims.test]
journal: ${folder}/journal
control: ${folder}/hss.sock
subscribers:
  - { private-identity: alice@ims.test, public-identities: ["sip:alice@ims.test"], password: secret }
  - { private-identity: bob@ims.test, public-identities: ["sip:bob@ims.test"], aka: { k: ${k}, opc: ${opc} } }`,
};

test('trimaran p-cscf, i-cscf, s-cscf and hss register two users and connect them, also after each was killed', async () => {
  const roles = new Map<RoleName, RunningRole>();
  for (const name of ['hss', 's-cscf', 'i-cscf', 'p-cscf'] as const) roles.set(name, await startRole(name));
  await untilConnected('i-cscf', 's-cscf');
  const alice = startTerminal('127.77.3.11', 'alice', 'secret');
  const usim = new Usim({ k: octets(k), opc: octets(opc) });
  const bob = startTerminal('127.77.3.12', 'bob', usim);
  await Promise.all([alice.until('registered'), bob.until('registered')]);
  await call(alice, bob);

  for (const name of ['hss', 's-cscf', 'p-cscf'] as const) {
    const { child } = roles.get(name)!;
    child.kill('SIGKILL');
    await once(child, 'exit');
    roles.set(name, await startRole(name));
  }
  await untilConnected('i-cscf', 's-cscf');
  await call(bob, alice);
  assert.equal(alice.count('registered') + bob.count('registered'), 2, 'nobody had to register again');

  const deregister = ['deregister', '--control', join(folder, 'hss.sock')];
  assert.equal(trimaran(...deregister, 'bob@ims.test').status, 0);
  assert.match(trimaran(...deregister, 'bob@ims.test').stderr, /bob@ims\.test is not registered/);
  await roles.get('s-cscf')!.until('user-deregistered');
  for (const terminal of [alice, bob]) terminal.loop.close();
  for (const { child } of roles.values()) {
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  }
});

interface RunningRole {
  readonly child: ChildProcess;
  readonly until: (event: string, count?: number) => Promise<void>;
}

/** When all its sockets are open. */
async function startRole(name: RoleName): Promise<RunningRole> {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, configurations[name]);
  const child = spawn(process.execPath, [...trimaranCommand, name, '-c', file, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const events: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => events.push(JSON.parse(line).event));
  const until = async (event: string, count = 1): Promise<void> => {
    while (events.filter((seen) => seen === event).length < count) await once(lines, 'line');
  };
  await until('socket-opened', name === 'hss' ? 1 : 2);
  return { child, until };
}

/** To the HSS. */
async function untilConnected(...names: ('i-cscf' | 's-cscf')[]): Promise<void> {
  for (const name of names) {
    const client = await ControlClient.connect(join(folder, `${name}.sock`));
    try {
      for (;;) {
        const status = (await client.request('status')) as { readonly isConnectedToHss?: boolean };
        if (status.isConnectedToHss === true) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      client.close();
    }
  }
}

interface Terminal {
  readonly uri: string;
  readonly machine: CorrespondentNode;
  readonly loop: EventLoop<never, CorrespondentNodeEvent, never>;
  readonly count: (type: CorrespondentNodeEvent['type']) => number;
  readonly until: (type: CorrespondentNodeEvent['type'], count?: number) => Promise<void>;
}

function startTerminal(
  address: string,
  name: string,
  password: CorrespondentNodeOptions['identity']['password'],
): Terminal {
  const machine = new CorrespondentNode({
    sip: { address, port: 5060 },
    identity: {
      publicIdentity: `sip:${name}@ims.test`,
      privateIdentity: `${name}@ims.test`,
      password,
      homeDomain: 'ims.test',
    },
    expiresSeconds: 600,
    registers: true,
    outboundProxy: { address: places['p-cscf'], port: 5060 },
    media: [{ media: 'audio', transport: 'udp', port: 40_000 }],
    withReservation: false,
    ringMs: 0,
    random: new SystemRandomSource(),
  });
  const events: string[] = [];
  const loop = new EventLoop<never, CorrespondentNodeEvent, never>({
    machine,
    onEvent: ({ type }) => events.push(type),
  });
  loop.perform((now) => machine.start(now));
  const count: Terminal['count'] = (type) => events.filter((seen) => seen === type).length;
  const until: Terminal['until'] = async (type, wanted = 1) => {
    while (count(type) < wanted) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { uri: `sip:${name}@ims.test`, machine, loop, count, until };
}

/** From end to end, and its end too. */
async function call(caller: Terminal, callee: Terminal): Promise<void> {
  const [before, ended] = [callee.count('session-established'), callee.count('session-ended')];
  let handle = 0;
  caller.loop.perform((now) => {
    handle = caller.machine.placeCall(callee.uri, now);
  });
  await callee.until('session-established', before + 1);
  caller.loop.perform((now) => caller.machine.hangUp(handle, now));
  await callee.until('session-ended', ended + 1);
}

function trimaran(...args: string[]): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(process.execPath, [...trimaranCommand, ...args], { encoding: 'utf8' });
}

function octets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
