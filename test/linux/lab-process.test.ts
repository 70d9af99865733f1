/** The lab leaves nothing behind, whoever is killed, and runs for an ordinary user too. These tests start it as the command line does. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { detectLabTier } from '../../src/testbed/lab-tier.ts';
import { isInUserNamespace } from './user-namespace.ts';

const program = new URL('./lab-program.js', import.meta.url).pathname;
const report = detectLabTier();
const skip = report.tier === 'virtual' ? report.reason : false;

test('startLabProcess: after SIGKILL of the process outside, no namespace and no process of the lab is left', {
  skip,
}, async () => {
  const { outside, namespaces } = await startLab();
  assert.ok(namespaces.every((namespace) => holdersOf(namespace).length > 0));
  outside.kill('SIGKILL');
  while (namespaces.some((namespace) => holdersOf(namespace).length > 0)) await pause();
});

test('startLabProcess: after SIGKILL of the lab itself, the process outside learns it and nothing is left', {
  skip,
}, async () => {
  const { outside, namespaces, inside } = await startLab();
  process.kill(inside, 'SIGKILL');
  await once(outside, 'exit');
  while (namespaces.some((namespace) => holdersOf(namespace).length > 0)) await pause();
});

test('startLabProcess: an ordinary user builds the same lab inside a user namespace', {
  skip,
  timeout: 60_000,
}, (context) => {
  if (process.getuid?.() !== 0 || isInUserNamespace()) {
    context.diagnostic('the other tests of this file ran as an ordinary user already');
    return;
  }
  const nobody = [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    process.execPath,
    program,
    'outside',
    'end',
  ];
  const run = spawnSync('setpriv', nobody, { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(JSON.parse(run.stdout).tier, 'user-namespace');
  assert.equal(JSON.parse(run.stdout).delivered, 1);
});

test('detectLabTier: says why, in words', () => {
  assert.notEqual(report.reason, '');
});

interface Lab {
  readonly outside: ChildProcess;
  /** As the file system names them: "net:[4026532281]". */
  readonly namespaces: readonly string[];
  /** Process number, seen from here. */
  readonly inside: number;
}

async function startLab(): Promise<Lab> {
  const outside = spawn(process.execPath, [program, 'outside', 'stay'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(outside.stdout), 'line');
  const { namespaces } = JSON.parse(line) as { namespaces: string[] };
  const inside = holdersOf(namespaces[0] ?? '').find((pid) => childrenOf(outside.pid ?? 0).includes(pid));
  assert.ok(inside !== undefined);
  return { outside, namespaces, inside };
}

/** Processes that are in the namespace or hold it by a descriptor. */
function holdersOf(namespace: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => linksOf(pid).includes(namespace)).map(Number);
}

function linksOf(pid: string): string[] {
  const descriptors =
    attempt(() => readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)) ?? [];
  return [`/proc/${pid}/ns/net`, ...descriptors].map((path) => attempt(() => readlinkSync(path)) ?? '');
}

/** Children and their children: unshare, and the lab inside. */
function childrenOf(pid: number): number[] {
  const list = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout;
  const children = list.split('\n').filter(Boolean).map(Number);
  return [...children, ...children.flatMap(childrenOf)];
}

/** Processes end while they are looked at. */
function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
