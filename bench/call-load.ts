/**
 * The processes of the call benchmarks, on loopback addresses that nothing else uses: servers that can be asked what they have used, SIPp
 * as caller and callee around them. All of them end with `close`, by their process numbers.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Spawn } from '../src/testbed/media/media-program.ts';
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

export interface CallLoadOptions {
  /** Where all processes start; absent: here. */
  readonly spawn?: Spawn;
  /** SIPp is the telephones of two users, whose calls take this Route behind their P-CSCF; absent: an S-CSCF at a server on ISC. */
  readonly serviceRoute?: string;
}

/** Who calls whom. */
export const telephones = [
  { user: 'mn', password: 'secret-of-mn' },
  { user: 'cn', password: 'secret-of-cn' },
] as const;

/** Of the callees, by kind: SIPp plays one scenario per process. */
const callees = { basic: '127.77.2.1', ims: '127.77.2.2', established: '127.77.2.3' } as const;
const caller = '127.77.1.1';
const scenarios = fileURLToPath(new URL('../../bench/sipp/', import.meta.url));
const registration = fileURLToPath(new URL('../../test/interop/sipp/register.xml', import.meta.url));
/** What only the core may say of a call. */
const coreFields = /^ *P-(?:Asserted-Identity|Served-User|Charging-Vector): .*\n/gm;
/** Calls under way at the same time: enough to keep a server busy, too few to flood it however slow the machine. */
const concurrentCalls = 40;
/** The npm package `sip` loses a call now and then. */
const toleratedShare = 0.01;

export class CallLoad {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'trimaran-calls-'));
  readonly #options: CallLoadOptions;
  readonly #children: ChildProcess[] = [];

  /** Also when the benchmark ends before its time, as when nobody reads its output any more. */
  readonly #killAll = (): void => this.#children.forEach((child) => void child.kill());

  constructor(options: CallLoadOptions = {}) {
    this.#options = options;
    process.once('exit', this.#killAll);
  }

  async startNode(task: ServerTask): Promise<CallServer> {
    const program = fileURLToPath(new URL('./call-server.js', import.meta.url));
    const child = this.#start(process.execPath, ['--expose-gc', program, JSON.stringify(task)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    assert.deepEqual(await once(child, 'message'), ['ready', undefined]);
    const { address } = task.local;
    return { address, cpuMs: () => ask(child, 'cpu'), heapOctets: () => ask(child, 'heap') };
  }

  /** The TRIM AS with translators that have addresses for all sessions that it takes. */
  async startTrimAs(): Promise<{ readonly server: CallServer; readonly translators: readonly CallServer[] }> {
    const places = ['127.77.3.1', '127.77.3.2', '127.77.3.3'].map((address) => ({ address, port: 3868 }));
    const translators: CallServer[] = [];
    for (const [index, local] of places.entries()) {
      const pool = [1, 2, 3, 4].map((host) => `198.51.100.${index * 10 + host}`);
      translators.push(await this.startNode({ kind: 'translator', local, pool }));
    }
    const local = { address: '127.77.4.1', port: 5060 };
    return { server: await this.startNode({ kind: 'trim-as', local, translators: places }), translators };
  }

  /** Shared memory by the allocator that the reference measured as nine times the faster one. */
  async startKamailio(address: string): Promise<CallServer> {
    const options = ['-X', 'tlsf', '-x', 'tlsf', '-m', '512', '-DD', '-E', '-Y', this.folder];
    const place = ['-l', `udp:${address}:5060`, '-f', join(scenarios, 'kamailio.cfg')];
    const child = this.#start('kamailio', [...options, ...place], { stdio: 'ignore' });
    await sleep(1000);
    assert.equal(child.exitCode, null, 'kamailio runs');
    return { address, cpuMs: () => Promise.resolve(cpuMsOfFamily(child)) };
  }

  /** Caller and callee, as soon as the core is ready for them. */
  async register(proxyCscf: string, kind: CallKind): Promise<void> {
    for (const [index, { user, password }] of telephones.entries()) {
      const identity = ['-s', user, '-au', `${user}@ims.test`, '-ap', password];
      const place = ['-i', index === 0 ? caller : callees[kind], '-p', '5060'];
      const isRegistered = async () =>
        (await this.#sipp(proxyCscf, [...place, '-sf', registration, ...identity], 1)).failed === 0;
      for (let attempts = 1; !(await isRegistered()); attempts++) {
        assert.ok(attempts < 20, `${user} cannot register: ${this.#firstError()}`);
        await sleep(500);
      }
    }
  }

  async startCallees(kinds: readonly CallKind[]): Promise<void> {
    for (const kind of kinds) {
      const scenario = ['-sf', this.#scenario(kind, 'callee'), '-i', callees[kind], '-p', '5060'];
      this.#start('sipp', [...scenario, '-nostdin', '-nd'], { cwd: this.folder, stdio: 'ignore' });
    }
    await sleep(500);
  }

  /**
   * That many calls, as fast as they come to an end; throws when more fail than a datagram lost here and there explains. Returns how many did
   * not fail.
   */
  async call({ address }: Pick<CallServer, 'address'>, kind: CallKind, calls: number): Promise<number> {
    const {
      serviceRoute = `<sip:iscmark@${callees[kind]}:5060;lr;s=2;h=0;d=0;a=7369703a6d6e40696d732e74657374>`,
    } = this.#options;
    const options = {
      '-sf': this.#scenario(kind, 'caller'),
      '-i': caller,
      '-p': 5060,
      '-key': ['route', `<sip:${address}:5060;lr>, ${serviceRoute}`],
      '-r': 10_000,
      '-l': concurrentCalls,
      '-recv_timeout': 30_000,
    };
    const words = Object.entries(options).flatMap(([name, value]) => [name, value].flat().map(String));
    const { failed } = await this.#sipp(address, words, calls);
    if (failed > calls * toleratedShare)
      throw new Error(`SIPp: ${failed} of ${calls} calls failed: ${this.#firstError()}`);
    return calls - failed;
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const end = once(child, 'exit');
      if (child.connected) child.disconnect();
      else child.kill('SIGTERM');
      await end;
    }
    process.off('exit', this.#killAll);
    rmSync(this.folder, { recursive: true });
  }

  #start(...[command, args, options]: Parameters<Spawn>): ChildProcess {
    const child = (this.#options.spawn ?? spawn)(command, args, options);
    this.#children.push(child);
    return child;
  }

  /** Until it ends; its status is 1 when a call failed. */
  async #sipp(server: string, words: readonly string[], calls: number): Promise<{ failed: number }> {
    const common = ['-m', String(calls), '-nostdin', '-nd', '-trace_err'];
    const child = this.#start('sipp', [`${server}:5060`, ...words, ...common], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const summary = await text(child.stdout!);
    // Not what it counts as failed: a SIPp whose address is taken has no calls at all.
    return { failed: calls - Number(/Successful call +\|[ \d]+\| +(\d+)/.exec(summary)?.[1] ?? 0) };
  }

  #scenario(kind: CallKind, side: 'caller' | 'callee'): string {
    const isEstablished = kind === 'established';
    let scenario = readFileSync(join(scenarios, `${isEstablished ? 'basic' : kind}-${side}.xml`), 'utf8');
    if (this.#options.serviceRoute !== undefined) scenario = scenario.replace(coreFields, '');
    // A call that nobody ends is a basic one without its last part.
    const end = scenario.indexOf(side === 'caller' ? '<!-- The end' : '<recv request="BYE"/>');
    if (isEstablished) scenario = `${scenario.slice(0, end)}</scenario>\n`;
    const file = join(this.folder, `${kind}-${side}.xml`);
    writeFileSync(file, scenario);
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

/** Of a process and its children. proc(5): the parent follows name and state, and schedstat begins with nanoseconds, where stat has ticks. */
export function cpuMsOfFamily({ pid: parent }: ChildProcess): number {
  let nanoseconds = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = processFile(name, 'stat');
    const ppid = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (Number(name) === parent || Number(ppid) === parent)
      nanoseconds += Number.parseInt(processFile(name, 'schedstat'), 10);
  }
  return nanoseconds / 1e6;
}

/** Zeros when the process is gone. */
function processFile(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '0 0 0';
  }
}
