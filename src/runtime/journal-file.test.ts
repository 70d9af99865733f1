import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TrimaranError } from '../base/trimaran-error.ts';
import { JournalFile, readJournal } from './journal-file.ts';

test('JournalFile: what was completed is in the file, in order, for its owner only', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'agent', 'bindings.journal');
    assert.deepEqual(readJournal(path), []);
    const journal = new JournalFile(path, () => ['snapshot']);
    journal.replace();
    const seen = await Promise.all(
      ['a', 'b', 'c'].map(async (line) => {
        assert.equal(await appended(journal, line), undefined);
        return readFileSync(path, 'utf8').includes(`${line}\n`);
      }),
    );
    assert.deepEqual(seen, [true, true, true]);
    assert.deepEqual(readJournal(path), ['snapshot', 'a', 'b', 'c', '']);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(folder, 'agent')).mode & 0o777, 0o700);
    await journal.close();
  }));

test('JournalFile: a file that has grown is replaced by the snapshot, and what comes next is added', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'bindings.journal');
    let state = 'first';
    const journal = new JournalFile(path, () => [state]);
    journal.replace();
    state = 'x'.repeat(5_000_000);
    await appended(journal, state);
    assert.equal(statSync(path).size, 'first\n'.length + 5_000_001);
    state = 'later';
    await appended(journal, 'newest');
    assert.deepEqual(readJournal(path), ['later', 'newest', '']);
    await journal.close();
  }));

test('JournalFile: a write that failed is told, and the next one begins with a whole file', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'gone', 'bindings.journal');
    mkdirSync(join(folder, 'gone'));
    const journal = new JournalFile(path, () => ['snapshot']);
    rmSync(join(folder, 'gone'), { recursive: true });
    assert.match((await appended(journal, 'a')) ?? '', /^the journal .* cannot be used: ENOENT/);
    mkdirSync(join(folder, 'gone'));
    assert.equal(await appended(journal, 'b'), undefined);
    assert.deepEqual(readJournal(path), ['snapshot', 'b', '']);
    await journal.close();
  }));

test('JournalFile: a directory that cannot be says so, with a remedy', () =>
  inFolder((folder) => {
    writeFileSync(join(folder, 'file'), '');
    assert.throws(
      () => readJournal(join(folder, 'file', 'bindings.journal')),
      (error) => error instanceof TrimaranError && error.code === 'JOURNAL_FAILED' && error.remedy !== '',
    );
  }));

function appended(journal: JournalFile, line: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    journal.append(line, resolve);
  });
}

async function inFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-journal-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
