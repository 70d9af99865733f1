/**
 * A shell that stays (OpenSSH of Debian): a terminal session from the mobile node to the correspondent through `trimaran run`, in which keys are
 * typed while the node moves ten times. Every key comes back once and in order, over the one connection.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labAddresses } from '../../src/testbed/lab-addresses.ts';
import { correspondentIdentity } from '../../src/testbed/lab-users.ts';
import { kernelTest } from '../linux/own-namespace.ts';
import { flowsOf } from './captured-frames.ts';
import { InteropLab, pause } from './interop-lab.ts';

const port = 2222;
const handovers = 10;
const keyIntervalMs = 60;
const interruptKey = '\x03';
/** What is typed comes back, key by key, until it is interrupted. */
const remoteProgram = 'stty -icanon -echo; trap : INT; printf ready; cat; exit 0';
const trimaran = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

kernelTest(
  `ssh: through "trimaran run", every key typed during ${handovers} handovers comes back once and in order`,
  async () => {
    hideSystemFolders();
    const lab = await InteropLab.start({
      correspondentMedia: [{ media: 'application', transport: 'tcp', port, setup: 'passive' }],
    });
    const folder = lab.folder('ssh');
    writeKeys(folder);
    await startServer(lab, folder);
    const capture = await lab.capture('cn', ['eth0']);
    const shell = startShell(lab, folder);
    const typist = new Typist(shell);
    await typist.until('ready');

    typist.start();
    await lab.handOver(handovers, 500);
    const { typed, seen, longestEchoMs } = await typist.finish();
    const [status] = await once(shell, 'close');
    const connections = flowsOf(await capture(), 'tcp').filter(({ source, destination }) =>
      [source, destination].some((end) => end === `${labAddresses.correspondentNode}:${port}`),
    );

    assert.equal(seen, typed);
    assert.ok(typed.length > 60, `${typed.length} keys`);
    // The round trip of 3G is 60 ms; a connection that stands still for seconds is broken for whoever types.
    assert.ok(longestEchoMs < 5000, `${longestEchoMs} ms`);
    assert.equal(status, 0);
    assert.equal(connections.length, 2, JSON.stringify(connections));
    await lab.close();
  },
  {
    packages: { 'openssh-server': '/usr/sbin/sshd', 'openssh-client': '/usr/bin/ssh' },
    manyUsers: true,
  },
);

/** The server keeps records of terminals and needs a folder below /run: they are this test's own, in its mount namespace. */
function hideSystemFolders(): void {
  for (const folder of ['/run', '/var/log'])
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status, 0);
  mkdirSync('/run/sshd');
}

function writeKeys(folder: string): void {
  for (const name of ['host', 'user']) {
    const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    assert.equal(made.status, 0, String(made.stderr));
  }
  copyFileSync(join(folder, 'user.pub'), join(folder, 'authorized'));
}

async function startServer(lab: InteropLab, folder: string): Promise<void> {
  const configuration = join(folder, 'sshd_config');
  writeFileSync(
    configuration,
    `ListenAddress ${labAddresses.correspondentNode}:${port}
HostKey ${join(folder, 'host')}
AuthorizedKeysFile ${join(folder, 'authorized')}
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
PidFile none
`,
  );
  const server = lab.topology.spawn('cn', '/usr/sbin/sshd', ['-D', '-e', '-f', configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  server.stderr?.on('data', (octets) => {
    output += String(octets);
  });
  while (!output.includes('listening')) {
    assert.equal(server.exitCode, null, output);
    await pause(20);
  }
}

/** A terminal at the correspondent. */
function startShell(lab: InteropLab, folder: string): ChildProcess {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  return lab.topology.spawn(
    'mn',
    process.execPath,
    [
      ...[trimaran, 'run', '--to', correspondentIdentity, 'tcp:connect', '--'],
      ...['ssh', '-tt', '-F', 'none', '-i', join(folder, 'user'), ...options.flatMap((text) => ['-o', text])],
      ...['-p', '{port}', 'root@{address}', remoteProgram],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
}

class Typist {
  readonly #shell: ChildProcess;
  readonly #typedAt: number[] = [];
  #typed = '';
  #output = '';
  #seen = '';
  #longestEchoMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(shell: ChildProcess) {
    this.#shell = shell;
    shell.stdout?.on('data', (octets) => this.#read(String(octets)));
  }

  async until(text: string): Promise<void> {
    while (!this.#output.includes(text)) {
      assert.equal(this.#shell.exitCode, null, this.#output);
      await pause(20);
    }
  }

  start(): void {
    this.#timer = setInterval(() => {
      const key = String.fromCharCode(97 + (this.#typed.length % 16));
      this.#typedAt.push(performance.now());
      this.#typed += key;
      this.#shell.stdin?.write(key);
    }, keyIntervalMs);
  }

  /** When the last key is back. */
  async finish(): Promise<{ typed: string; seen: string; longestEchoMs: number }> {
    clearInterval(this.#timer);
    while (this.#seen.length < this.#typed.length) await pause(20);
    this.#shell.stdin?.write(interruptKey);
    return { typed: this.#typed, seen: this.#seen, longestEchoMs: this.#longestEchoMs };
  }

  #read(text: string): void {
    this.#output += text;
    if (this.#timer === undefined) return;
    this.#seen += text;
    const typedAt = this.#typedAt[this.#seen.length - 1] ?? performance.now();
    this.#longestEchoMs = Math.max(this.#longestEchoMs, performance.now() - typedAt);
  }
}
