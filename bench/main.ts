/**
 * Runs the benchmarks: `npm run bench` all of them, `npm run bench -- sip nft` those whose file name holds one of the words,
 * `npm run bench -- --list` only names them. Each `x.bench.ts` exports `benchmarks`. Exit code 1 when a "must" is not met.
 */
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Benchmark, runBenchmark } from './harness.ts';

const words = process.argv.slice(2).filter((argument) => argument !== '--list');
const files = readdirSync(import.meta.dirname)
  .filter(
    (file) => file.endsWith('.bench.js') && (words.length === 0 || words.some((word) => file.includes(word))),
  )
  .sort();

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}\n`);
for (const file of files) {
  const { benchmarks }: { benchmarks: readonly Benchmark[] } = await import(`./${file}`);
  for (const benchmark of benchmarks) {
    if (process.argv.includes('--list')) console.log(`${file}: ${benchmark.name}`);
    else if (!(await runBenchmark(benchmark))) process.exitCode = 1;
  }
}
