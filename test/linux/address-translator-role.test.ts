import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { encodeMessage } from '../../src/protocols/diameter/message.ts';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { readKernelState } from '../../src/testbed/kernel-state.ts';
import { kernelTest } from './own-namespace.ts';

kernelTest(
  'trimaran address-translator: runs in the namespace it is given and leaves nothing behind',
  async () => {
    const { namespace, folder, before } = prepare();
    const { role, event } = startRole(namespace, folder);
    await event('started');
    assert.notDeepEqual(namespace.run(readKernelState).tables, before.tables);

    const client = await ControlClient.connect(join(folder, 'control.sock'));
    assert.deepEqual(await client.request('status'), { sessions: 0, bindings: 0, droppedPackets: 0 });
    client.close();

    role.kill('SIGTERM');
    assert.deepEqual(await once(role, 'exit'), [0, null]);
    assert.deepEqual(namespace.run(readKernelState), before);
    rmSync(folder, { recursive: true });
  },
);

kernelTest('trimaran address-translator: writes the messages that reach it into the trace file', async () => {
  const { namespace, folder } = prepare();
  const { role, event } = startRole(namespace, folder);
  await event('socket-opened');
  // A connection begins after this turn of the event loop, so the thread stays in the namespace until it stands.
  const home = NetworkNamespace.current();
  namespace.enter();
  const peer = connect({ host: '127.0.0.1', port: 3868 });
  await once(peer, 'connect');
  home.enter();
  peer.on('error', () => {});
  peer.write(encodeMessage(emptyCapabilitiesExchange));
  await once(peer, 'data');
  peer.destroy();

  role.kill('SIGINT');
  await once(role, 'exit');
  const [entry] = readFileSync(join(folder, 'trace.ndjson'), 'utf8').split('\n');
  const { node, direction, protocol, to, summary } = JSON.parse(entry ?? '');
  assert.deepEqual(
    [node, direction, protocol, to, summary],
    ['address-translator', 'received', 'diameter', '127.0.0.1:3868', 'CER'],
  );
  rmSync(folder, { recursive: true });
});

kernelTest('trimaran address-translator: ends when the parent that started it dies', async () => {
  const { namespace, folder, before } = prepare();
  const { role, event } = startRole(namespace, folder);
  await event('started');
  role.disconnect();
  assert.deepEqual(await once(role, 'exit'), [0, null]);
  assert.deepEqual(namespace.run(readKernelState), before);
  rmSync(folder, { recursive: true });
});

const started: ChildProcess[] = [];

after(() => {
  for (const role of started) role.kill('SIGKILL');
});

const emptyCapabilitiesExchange = {
  commandCode: 257,
  applicationId: 0,
  isRequest: true,
  isProxiable: false,
  isError: false,
  isRetransmitted: false,
  hopByHopId: 1,
  endToEndId: 1,
  avps: [],
};

function prepare() {
  const namespace = NetworkNamespace.create();
  namespace.run(() => {
    const rtnetlink = new Rtnetlink();
    rtnetlink.changeLink('lo', { up: true });
    rtnetlink.close();
  });
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-role-'));
  const configuration = {
    identity: 'translator.home.example',
    realm: 'home.example',
    listen: '127.0.0.1:3868',
    controllers: ['trim-as.home.example'],
    pool: { addresses: ['203.0.113.1'] },
    control: join(folder, 'control.sock'),
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'translator.yaml'), JSON.stringify(configuration));
  return { namespace, folder, before: namespace.run(readKernelState) };
}

function startRole(
  namespace: NetworkNamespace,
  folder: string,
): { role: ChildProcess; event: (name: string) => Promise<void> } {
  const args = ['-c', join(folder, 'translator.yaml'), '--json', '--trace', join(folder, 'trace.ndjson')];
  const role = spawn(
    process.execPath,
    ['dist/src/cli/main.js', '--netns', namespace.path, 'address-translator', ...args],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
  );
  started.push(role);
  const seen: string[] = [];
  const lines = createInterface({ input: role.stdout! });
  lines.on('line', (line) => seen.push(JSON.parse(line).event));
  const event = async (name: string): Promise<void> => {
    while (!seen.includes(name)) await once(lines, 'line');
  };
  return { role, event };
}
