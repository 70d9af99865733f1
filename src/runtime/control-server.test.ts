import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { TrimaranError } from '../base/trimaran-error.ts';
import { ControlClient } from './control-client.ts';
import { type ControlCommands, ControlServer } from './control-server.ts';

let folder = '';
let path = '';
const open: { close(): void }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trimaran-control-'));
  path = join(folder, 'role.sock');
});

afterEach(() => {
  for (const item of open.splice(0)) item.close();
  rmSync(folder, { recursive: true });
});

test('ControlServer answers commands with results, and only its owner may open it', async () => {
  await serve({
    add: ({ parameters }) => Number(parameters['a']) + Number(parameters['b']),
    nothing: () => {},
  });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const client = await call();
  assert.deepEqual(await Promise.all([client.request('add', { a: 2, b: 3 }), client.request('nothing')]), [
    5,
    null,
  ]);
});

test('ControlServer streams the events of a command before its result', async () => {
  await serve({
    handover: async ({ sendEvent }) => {
      sendEvent('started');
      await new Promise(setImmediate);
      sendEvent('moved');
      return 'done';
    },
  });
  const client = await call();
  const events: unknown[] = [];
  assert.equal(await client.request('handover', {}, (event) => events.push(event)), 'done');
  assert.deepEqual(events, ['started', 'moved']);
});

test('ControlServer hands errors over with their code and remedy', async () => {
  await serve({
    fail: () => {
      throw new TrimaranError('NO_ACCESS', 'no access is called "lte"', { remedy: 'Choose wlan.' });
    },
  });
  const client = await call();
  await assert.rejects(client.request('fail'), { code: 'NO_ACCESS', remedy: 'Choose wlan.' });
  await assert.rejects(client.request('fly'), { code: 'UNKNOWN_COMMAND', message: '"fly" is none of fail' });
});

test('ControlServer answers what is no request with an error and goes on', async () => {
  await serve({ ping: () => 'pong' });
  const socket = createConnection(path);
  open.push({ close: () => socket.destroy() });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write('not json\n{"id":2,"command":"ping"}\n');
  while (text.split('\n').length < 3) await new Promise((resolve) => socket.once('data', resolve));
  assert.match(text, /"UNKNOWN_COMMAND".*\n\{"id":2,"result":"pong"\}\n$/);
});

test('ControlServer tells a command that its caller went away', async () => {
  let signal: AbortSignal | undefined;
  await serve({
    wait: (request) => {
      signal = request.signal;
      request.sendEvent('waiting');
      return new Promise(() => {});
    },
  });
  const client = await call();
  const waiting = new Promise((resolve) => {
    client.request('wait', {}, resolve).catch(() => {});
  });
  await waiting;
  const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve));
  client.close();
  await aborted;
});

test('ControlServer refuses a second server and replaces the socket of a crashed one', async () => {
  await serve({});
  await assert.rejects(ControlServer.listen(path, {}), { code: 'ALREADY_RUNNING' });
  const left = join(folder, 'left.sock');
  const crash = `require('node:net').createServer().listen('${left}', () => process.kill(process.pid, 'SIGKILL'))`;
  assert.equal(spawnSync(process.execPath, ['-e', crash]).signal, 'SIGKILL');
  assert.ok(existsSync(left));
  open.push(await ControlServer.listen(left, {}));
});

test('ControlClient says that nobody answers, and fails what is pending when the role ends', async () => {
  await assert.rejects(ControlClient.connect(join(folder, 'nobody')), { code: 'NOT_RUNNING' });
  const server = await serve({ wait: () => new Promise(() => {}) });
  const client = await call();
  const pending = client.request('wait');
  setImmediate(() => server.close());
  await assert.rejects(pending, { code: 'CONNECTION_LOST' });
});

async function serve(commands: ControlCommands): Promise<ControlServer> {
  const server = await ControlServer.listen(path, commands);
  open.push(server);
  return server;
}

async function call(): Promise<ControlClient> {
  const client = await ControlClient.connect(path);
  open.push(client);
  return client;
}
