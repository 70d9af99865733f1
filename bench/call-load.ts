/**
 * The processes of the call benchmark, on loopback addresses that nothing else uses: servers that can be asked what they have used, SIPp
 * as caller and callee around them. All of them end with `close`, by their process numbers.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ServerTask } from './call-server.ts';

/** `established`: a basic call that nobody ends. */
export type CallKind = 'basic' | 'ims' | 'established';

export interface CallServer {
  readonly address: string;
  /** Processor time used so far, all threads and processes of the server. */
  cpuMs(): Promise<number>;
  /** In use after a collection, octets; only of Node's. */
  heapOctets?(): Promise<number>;
}

/** Of the callees, by kind: SIPp plays one scenario per process. */
const callees = { basic: '127.77.2.1', ims: '127.77.2.2', established: '127.77.2.3' } as const;
const caller = '127.77.1.1';
const scenarios = fileURLToPath(new URL('../../bench/sipp/', import.meta.url));
/** Calls under way at the same time: enough to keep a server busy, too few to flood it however slow the machine. */
const concurrentCalls = 40;
/** The npm package `sip` loses a call now and then. */
const toleratedShare = 0.01;
/** USER_HZ, which the kernel's interface fixes on all platforms that Node runs on. */
const clockTickMs = 10;

export class CallLoad {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'trimaran-calls-'));
  readonly #children: ChildProcess[] = [];

  async startNode(task: ServerTask): Promise<CallServer> {
    const program = fileURLToPath(new URL('./call-server.js', import.meta.url));
    const child = fork(program, [JSON.stringify(task)], { execArgv: ['--expose-gc'] });
    this.#children.push(child);
    assert.deepEqual(await once(child, 'message'), ['ready', undefined]);
    const { address } = task.local;
    return { address, cpuMs: () => ask(child, 'cpu'), heapOctets: () => ask(child, 'heap') };
  }

  /** Shared memory by the allocator that the reference measured as nine times the faster one. */
  async startKamailio(address: string): Promise<CallServer> {
    const options = ['-X', 'tlsf', '-x', 'tlsf', '-m', '512', '-DD', '-E', '-Y', this.folder];
    const child = spawn(
      'kamailio',
      [...options, '-l', `udp:${address}:5060`, '-f', join(scenarios, 'kamailio.cfg')],
      { stdio: 'ignore' },
    );
    this.#children.push(child);
    await sleep(1000);
    assert.equal(child.exitCode, null, 'kamailio runs');
    const { pid = 0 } = child;
    return { address, cpuMs: () => Promise.resolve(cpuMsOfFamily(pid)) };
  }

  async startCallees(): Promise<void> {
    for (const [kind, address] of Object.entries(callees)) {
      const scenario = ['-sf', this.#scenario(kind as CallKind, 'callee'), '-i', address, '-p', '5060'];
      const child = spawn('sipp', [...scenario, '-nostdin', '-nd'], { cwd: this.folder, stdio: 'ignore' });
      this.#children.push(child);
    }
    await sleep(500);
  }

  /** That many calls, as fast as they come to an end; throws when more fail than a datagram lost here and there explains. */
  async call(server: CallServer, kind: CallKind, calls: number): Promise<void> {
    const options = {
      '-sf': this.#scenario(kind, 'caller'),
      '-i': caller,
      '-p': '5060',
      '-key': ['callee', callees[kind]],
      '-m': calls,
      '-r': 10_000,
      '-l': concurrentCalls,
      '-recv_timeout': 30_000,
    };
    const words = Object.entries(options).flatMap(([name, value]) => [name, value].flat().map(String));
    const process = promisify(execFile)(
      'sipp',
      [`${server.address}:5060`, ...words, '-nostdin', '-nd', '-trace_err'],
      { cwd: this.folder, maxBuffer: 2 ** 26 },
    );
    const { child } = process;
    this.#children.push(child);
    // SIPp's status is 1 when a call failed, and then the summary is in the error.
    const { stdout } = await process.catch((error: { readonly stdout: string }) => error);
    const failed = Number(/Failed call +\|[ \d]+\| +(\d+)/.exec(stdout)?.[1] ?? calls);
    if (failed > calls * toleratedShare)
      throw new Error(`SIPp: ${failed} of ${calls} calls failed: ${this.#firstError()}`);
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const end = once(child, 'exit');
      if (child.connected) child.disconnect();
      else child.kill('SIGTERM');
      await end;
    }
    rmSync(this.folder, { recursive: true });
  }

  /** A call that nobody ends is a basic one without its last part. */
  #scenario(kind: CallKind, side: 'caller' | 'callee'): string {
    if (kind !== 'established') return join(scenarios, `${kind}-${side}.xml`);
    const whole = readFileSync(join(scenarios, `basic-${side}.xml`), 'utf8');
    const end = whole.indexOf(side === 'caller' ? '<!-- The end' : '<recv request="BYE"/>');
    const file = join(this.folder, `established-${side}.xml`);
    writeFileSync(file, `${whole.slice(0, end)}</scenario>\n`);
    return file;
  }

  #firstError(): string {
    const file = readdirSync(this.folder).find((name) => name.endsWith('_errors.log'));
    return file === undefined
      ? 'it says nothing'
      : readFileSync(join(this.folder, file), 'utf8').slice(0, 2000);
  }
}

async function ask(child: ChildProcess, question: 'cpu' | 'heap'): Promise<number> {
  child.send(question);
  const [answer] = (await once(child, 'message')) as [number];
  return answer;
}

/** Of a process and its children: utime and stime, fields 14 and 15 of proc(5), behind the name in brackets. */
function cpuMsOfFamily(parent: number): number {
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(name);
    if (fields === undefined || (Number(name) !== parent && Number(fields[1]) !== parent)) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * clockTickMs;
}

/** From the state on; undefined when the process is gone. */
function statOf(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
