// Runs the compiled tests with node's own runner. Node 20 takes no globs and Node 22 no directories, so the files are listed here.
// Arguments narrow the run: `node tools/run-tests.js sip/message linux` runs the files whose path holds one of the words.
// First come the tests of machines, one for each processor; then, two at a time as they mostly wait, those that use the kernel or foreign
// programs.
// With TRIMARAN_ALLOW_SKIP=0 (as in .ci/run) a skipped test fails the run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

const words = process.argv.slice(2);
const files = ['dist/src', 'dist/test', 'dist/tools']
  .flatMap((folder) => list(folder))
  .filter(
    (file) => file.endsWith('.test.js') && (words.length === 0 || words.some((word) => file.includes(word))),
  )
  .sort();
if (files.length === 0) {
  console.error(`no test matches ${words.join(' ')}`);
  process.exit(1);
}
const outside = files.filter((file) => /^dist\/test\/(linux|interop)\//.test(file));
const inside = files.filter((file) => !outside.includes(file));
const totals = { pass: 0, fail: 0, skipped: 0 };
const status = run(inside, availableParallelism()) | run(outside, Math.min(2, availableParallelism()));
console.log(`tests: ${totals.pass} passed, ${totals.fail} failed, ${totals.skipped} skipped`);
if (totals.skipped > 0 && process.env['TRIMARAN_ALLOW_SKIP'] === '0') {
  console.error('a test was skipped, and TRIMARAN_ALLOW_SKIP=0 forbids it');
  process.exit(1);
}
process.exit(status);

function run(selection, concurrency) {
  if (selection.length === 0) return 0;
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-tests-'));
  const tap = join(folder, 'result.tap');
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout', '--test-reporter=tap'];
  const child = spawnSync(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${concurrency}`,
      ...reporters,
      `--test-reporter-destination=${tap}`,
      ...selection,
    ],
    { stdio: 'inherit' },
  );
  const text = readFileSync(tap, 'utf8');
  for (const name of Object.keys(totals))
    totals[name] += Number(text.match(new RegExp(`^# ${name} (\\d+)`, 'm'))?.[1] ?? 0);
  rmSync(folder, { recursive: true });
  return child.status === 0 ? 0 : 1;
}

function list(folder) {
  try {
    return readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
