/** What the documents tell a reader to type exists, and the files that they name are there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const documents = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...readdirSync('docs').map((name) => join('docs', name)),
];
const scripts: Record<string, string> = JSON.parse(readFileSync('package.json', 'utf8')).scripts;

for (const document of documents) {
  const text = readFileSync(document, 'utf8');

  test(`${document}: every command line that it shows can be typed`, () => {
    for (const line of commandLines(text)) assert.equal(complaintAbout(line), undefined, line);
  });

  test(`${document}: every file that it links to is there`, () => {
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g))
      assert.ok(existsSync(join(dirname(document), target)), target);
  });

  test(`${document}: every source file that it names is there`, () => {
    for (const [, path = ''] of text.matchAll(/`((?:src|test|tools|bench|examples)\/[\w./*{},-]+)`/g))
      assert.ok(isThere(normalize(path)), path);
  });
}

function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh.*\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
  return blocks
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

/** What is wrong with a command line, judged by what would be run. */
function complaintAbout(line: string): string | undefined {
  const [program = '', ...rest] = line.split(' -- ')[0]?.trim().split(/\s+/) ?? [];
  if (program === 'npm') return complaintAboutScript(rest[0] === 'run' ? rest[1] : rest[0]);
  if (program === 'npx')
    return rest[0] === 'trimaran' ? complaintAboutCommand(rest.slice(1)) : `unknown: ${rest[0]}`;
  return program === 'trimaran' ? complaintAboutCommand(rest) : `no program of ours: ${program}`;
}

function complaintAboutScript(name = ''): string | undefined {
  return name === 'install' || scripts[name] !== undefined ? undefined : `package.json has no script ${name}`;
}

function complaintAboutCommand([name = '', ...rest]: string[]): string | undefined {
  const help = spawnSync(process.execPath, ['dist/src/cli/main.js', name, '--help'], { encoding: 'utf8' });
  if (help.status !== 0) return help.stderr;
  const unknown = rest.filter((word) => /^--?[a-z]/.test(word)).find((word) => !help.stdout.includes(word));
  return unknown && `trimaran ${name} has no option ${unknown}`;
}

function isThere(path: string): boolean {
  return /[*{]/.test(path) ? path.split('/').length > 0 && matches(path) : existsSync(path);
}

/** `*` and `{a,b}` within one folder. */
function matches(path: string): boolean {
  const folder = path.slice(0, path.search(/[^/]*[*{]/));
  const pattern = path
    .slice(folder.length)
    .replaceAll(/[.]/g, '\\.')
    .replaceAll('*', '[^/]*')
    .replaceAll(/\{([^}]*)\}/g, (_, names: string) => `(?:${names.replaceAll(',', '|')})`);
  if (!existsSync(folder)) return false;
  return readdirSync(folder).some((name) => new RegExp(`^${pattern}`).test(name));
}
