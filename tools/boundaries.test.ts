import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { type Boundary, boundaries, formatBoundaries } from './boundaries.ts';

/** Clocks, timers, randomness and promises belong to drivers and the layers above; a machine is handed what it needs. */
const forbiddenInCores =
  /\b(Date\.now|new Date\(|performance\.|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|new Promise|async |await |process\.|console\.)/;

test('boundaries: every source file belongs to a box of the import table', () => {
  for (const file of sourceFiles())
    assert.ok(boxOf(file) !== undefined, `${file} is in no box of tools/boundaries.ts`);
});

test('boundaries: every import is allowed by the import table', () => {
  const broken: string[] = [];
  for (const file of sourceFiles()) {
    const boundary = boxOf(file);
    if (boundary === undefined) continue;
    for (const specifier of importsOf(file)) {
      if (!isAllowed(boundary, file, specifier))
        broken.push(`${file} (${boundary.box}) imports ${specifier}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('boundaries: no machine reads a clock, sets a timer, draws randomness or makes a promise', () => {
  const broken: string[] = [];
  for (const file of sourceFiles()) {
    if (file.endsWith('.test.ts') || boxOf(file)?.node === 'all') continue;
    readFileSync(file, 'utf8')
      .split('\n')
      .forEach((line, index) => {
        const code = line.replace(/\/\/.*|^\s*\*.*|^\s*\/\*.*/, '').replace(/'[^']*'|`[^`]*`/g, "''");
        if (forbiddenInCores.test(code)) broken.push(`${file}:${index + 1}: ${line.trim()}`);
      });
  }
  assert.deepEqual(broken, []);
});

test('boundaries: ARCHITECTURE.md shows the import table (TRIMARAN_GOLDEN=write rewrites it)', () => {
  const text = readFileSync('ARCHITECTURE.md', 'utf8');
  const shown = /\| box +\| may import [\s\S]*?\n\n/.exec(text)?.[0] ?? '';
  const wanted = `${formatBoundaries()}\n\n`;
  if (process.env['TRIMARAN_GOLDEN'] === 'write')
    writeFileSync('ARCHITECTURE.md', text.replace(shown, wanted));
  else assert.equal(unpadded(shown), unpadded(wanted));
});

test('boundaries: no source file is longer than 500 lines', () => {
  const long = sourceFiles()
    .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
    .filter(({ file, lines }) => lines > 500 && !file.endsWith('.test.ts'));
  assert.deepEqual(long, []);
});

/** The formatter pads tables. */
function unpadded(table: string): string {
  return table.replaceAll(/ +/g, ' ').replaceAll(/\| ?-+ ?/g, '|---');
}

function sourceFiles(): string[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name))
    .sort();
}

/** The most specific box whose folder holds the file. */
function boxOf(file: string): Boundary | undefined {
  return boundaries
    .filter(({ box }) => file.startsWith(`${join('src', box)}/`))
    .sort((a, b) => b.box.length - a.box.length)[0];
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const forms = [
    /^(?:import|export|}).* from '([^']+)';$/gm,
    /^import '([^']+)';$/gm,
    /\bimport\('([^']+)'\)/g,
  ];
  return forms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] ?? ''));
}

function isAllowed(boundary: Boundary, file: string, specifier: string): boolean {
  const isTest = file.endsWith('.test.ts');
  if (specifier.startsWith('node:')) {
    return (
      isTest || boundary.node === 'all' || (boundary.node !== 'none' && boundary.node.includes(specifier))
    );
  }
  if (specifier.startsWith('.')) {
    const target = boxOf(normalize(join(dirname(file), specifier)));
    return target !== undefined && (target.box === boundary.box || boundary.imports.includes(target.box));
  }
  return (
    (isTest && specifier === 'fast-check') ||
    boundary.packages.some((name) => specifier === name || specifier.startsWith(`${name}/`))
  );
}
