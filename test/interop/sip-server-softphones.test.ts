/**
 * Two unmodified softphones (baresip of Debian) with `trimaran sip-server` as registrar and proxy (MIP–SIP fig. 3): they register by digest,
 * call one another and hang up, over UDP and over TCP, proxied and redirected.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { passwordOf } from '../../src/testbed/lab-users.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { irregularCounts, readCounts } from './counting-audio.ts';
import { pause } from './interop-lab.ts';
import { Softphone } from './softphone.ts';

const needs = { packages: { 'baresip-core': '/usr/bin/baresip' } } as const;
const bob = 'sip:bob@home.example';
const alice = 'sip:alice@home.example';

for (const [what, transport, redirect] of [
  ['proxied, over UDP', 'udp', false],
  ['proxied, over TCP', 'tcp', false],
  ['redirected, over UDP', 'udp', true],
] as const)
  kernelTest(`sip-server: two softphones register and call, ${what}`, () => call(transport, redirect), needs);

async function call(transport: 'udp' | 'tcp', redirect: boolean): Promise<void> {
  const lab = startLab(redirect);
  await lab.started;
  const phone = (node: 'mn' | 'cn', identity: string, address: string, countingStep: number) =>
    Softphone.start({
      topology: lab.topology,
      node,
      folder: lab.folder(node),
      identity,
      sip: { address, port: 5060 },
      outboundProxy: '10.0.1.1:5060',
      transport,
      countingStep,
    });
  const [caller, called] = await Promise.all([
    phone('mn', bob, '10.0.1.2', 1),
    phone('cn', alice, '10.0.2.2', 3),
  ]);
  const client = await ControlClient.connect(lab.control);
  const { users } = (await client.request('status')) as { users: { name: string; contacts: string[] }[] };
  client.close();
  assert.deepEqual(users.map(({ name, contacts }) => [name, contacts.length]).sort(), [
    ['alice', 1],
    ['bob', 1],
  ]);
  caller.command('dial', alice);
  await Promise.all([caller, called].map((one) => one.until('CALL_ESTABLISHED')));
  await pause(1500);
  called.command('hangup');
  await Promise.all([caller, called].map((one) => one.until('CALL_CLOSED')));
  await Promise.all([caller.quit(), called.quit()]);
  for (const [one, step] of [
    [caller, 3],
    [called, 1],
  ] as const) {
    const counts = readCounts(one.recording);
    assert.ok(counts.length > 25, `${counts.length} windows with tone`);
    assert.deepEqual(irregularCounts(counts, step), []);
  }
  await lab.close();
}

const running: ChildProcess[] = [];
after(() => {
  for (const process of running) process.kill('SIGKILL');
});

/** mn ── sip server ── cn, the server also their router. */
function startLab(redirect: boolean) {
  const via = (gateway: string) => ({ routes: [{ destination: '0.0.0.0/0', gateway }] });
  const wire = (node: string, subnet: string) =>
    ({
      name: node,
      ends: [
        { node, interface: 'eth0', addresses: [`${subnet}.2/24`] },
        { node: 'server', interface: `to-${node}`, addresses: [`${subnet}.1/24`] },
      ],
    }) as const;
  const topology = new KernelTopology(
    {
      nodes: [
        { name: 'mn', ...via('10.0.1.1') },
        { name: 'server', isRouter: true },
        { name: 'cn', ...via('10.0.2.1') },
      ],
      links: [wire('mn', '10.0.1'), wire('cn', '10.0.2')],
    },
    { seed: 1 },
  );
  const root = mkdtempSync(join(tmpdir(), 'trimaran-sip-server-'));
  process.on('exit', () => rmSync(root, { recursive: true, force: true }));
  const control = join(root, 'control.sock');
  const configuration = {
    domain: 'home.example',
    sip: '10.0.1.1:5060',
    users: [bob, alice].map((identity) => ({
      name: identity.replace(/^sip:|@.*/g, ''),
      'authentication-name': identity.slice('sip:'.length),
      password: passwordOf(identity),
    })),
    redirect,
    control,
  };
  // JSON is YAML.
  writeFileSync(join(root, 'sip-server.yaml'), JSON.stringify(configuration));
  const args = ['dist/src/cli/main.js', 'sip-server', '-c', join(root, 'sip-server.yaml'), '--json'];
  const server = topology.spawn('server', process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  running.push(server);
  const lines = createInterface({ input: server.stdout! });
  const started = new Promise<void>((resolve) => {
    let sockets = 0;
    lines.on('line', (line) => {
      if (JSON.parse(line).event === 'socket-opened' && ++sockets === 2) resolve();
    });
  });
  const folder = (name: string): string => {
    mkdirSync(join(root, name));
    return join(root, name);
  };
  const close = async (): Promise<void> => {
    server.kill('SIGTERM');
    assert.deepEqual(await once(server, 'exit'), [0, null]);
    await topology.close();
    rmSync(root, { recursive: true, force: true });
  };
  return { topology, control, started, folder, close };
}
