/**
 * Links shaped by the kernel's netem. A kernel without it gets help: the same program runs on the kernel of Debian's package
 * user-mode-linux, which is a process like any other, over this machine's own files, in about ten seconds.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasNetem } from '../../src/drivers/linux/netem-link.ts';
import type { NetemReport, NetemRun } from './netem-program.ts';
import { kernelTest, skipReason } from './own-namespace.ts';

const program = fileURLToPath(new URL('./netem-program.js', import.meta.url));
const kernel = '/usr/bin/linux.uml';
const modules = '/usr/lib/uml/modules';
const isHere = skipReason === undefined && hasNetem();
const needs = isHere ? {} : { packages: { 'user-mode-linux': kernel, kmod: '/sbin/modprobe' } };

kernelTest(
  'NetemLink: delay, rate, queue, jitter in order, loss, a change in place and a link that went down, by the kernel',
  () => {
    const report = run();
    assert.equal(report.hasNetem, true, report.release);
    const { delayed, changed, slow, full, jittery, lossy, again } = report;
    // Never earlier than asked; how much later depends on the machine.
    for (const { atMs } of delayed.arrivals) assert.ok(atMs >= 40, `${atMs} ms`);
    assert.deepEqual(packetsOf(delayed), numbers(5));
    assert.ok((changed.arrivals[0]?.atMs ?? 0) >= 10);
    assert.ok((changed.arrivals[0]?.atMs ?? Number.NaN) < (delayed.arrivals[0]?.atMs ?? 0));
    // 1,000 octets of IP at 8 Mbit/s are 1 ms: the hundredth leaves the line after 100 ms, and not 1.4 % later, as it would with the frame's own header.
    assert.deepEqual(packetsOf(slow), numbers(100));
    assert.ok((slow.arrivals.at(-1)?.atMs ?? 0) >= 105);
    assert.deepEqual([slow.delivered, slow.deliveredOctets], [100, 100_000]);
    // Room for ten full packets, whatever their length.
    assert.deepEqual([full.arrivals.length, full.dropped], [10, 20]);
    assert.deepEqual(packetsOf(jittery), numbers(100));
    assert.ok(lossy.arrivals.length > 700 && lossy.arrivals.length < 880, `${lossy.arrivals.length} of 1000`);
    assert.equal(lossy.arrivals.length + lossy.dropped, 1000);
    assert.deepEqual(packetsOf(again), numbers(5));
  },
  needs,
);

function packetsOf({ arrivals }: NetemRun): number[] {
  return arrivals.map(({ packet }) => packet);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function run(): NetemReport {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-netem-'));
  try {
    const file = join(folder, 'report.json');
    const ended = isHere ? spawnSync(process.execPath, [program, file]) : runOnOtherKernel(folder, file);
    assert.ok(existsSync(file), `${ended.stdout}${ended.stderr}`);
    return JSON.parse(readFileSync(file, 'utf8')) as NetemReport;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Its first process is a script of ours; when that has run the program it switches the kernel off. */
function runOnOtherKernel(folder: string, file: string) {
  const init = join(folder, 'init');
  // Where modprobe looks for them.
  mkdirSync(join(folder, 'lib'));
  symlinkSync(modules, join(folder, 'lib/modules'));
  writeFileSync(
    init,
    [
      '#!/bin/sh',
      'mount -t proc proc /proc; mount -t sysfs sys /sys',
      `/sbin/modprobe -d ${folder} -a veth bridge sch_netem`,
      `${process.execPath} ${program} ${file}`,
      'echo o > /proc/sysrq-trigger; sleep 5',
    ].join('\n'),
  );
  chmodSync(init, 0o755);
  const options = [
    'rootfstype=hostfs',
    'rootflags=/',
    'rw',
    'mem=384M',
    'con=null',
    'con0=null,fd:1',
    'quiet',
  ];
  return spawnSync(kernel, [...options, `init=${init}`], {
    timeout: 50_000,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
  });
}
