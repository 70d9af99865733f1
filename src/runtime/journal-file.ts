/**
 * A journal on disk: lines that are durable before their writer is told so. Whatever waits while the disk is at work is written and
 * synchronised together (group commit), so the rate is not bounded by how often a disk can. When the file has grown far beyond the state
 * that it stands for, it is replaced by a snapshot of that state.
 *
 * A crash may tear the last line, which nobody was told of. A write that fails may do so to a line in the middle: before the next one the
 * file is replaced too.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { TrimaranError } from '../base/trimaran-error.ts';

type Completion = (error?: string) => void;

/** The file is replaced when it is this many times as long as its snapshot was … */
const growthFactor = 8;
/** … and has so many octets at least: below, a replacement costs more than it saves. */
const smallestGrownOctets = 4_194_304;

const writeOctets = promisify(write);
const synchronise = promisify(fdatasync);

export class JournalFile {
  readonly #path: string;
  readonly #snapshot: () => readonly string[];
  #fd: number | undefined;
  #waiting: { readonly line: string; readonly completed: Completion }[] = [];
  #work: Promise<void> | undefined;
  #octets = 0;
  #snapshotOctets = 0;

  /** Nothing is read or written yet. `snapshot` is what the lines so far come to. */
  constructor(path: string, snapshot: () => readonly string[]) {
    this.#path = path;
    this.#snapshot = snapshot;
  }

  /** Replaces the file by the snapshot, which is durable then. Throws JOURNAL_FAILED; the former file is unharmed. */
  replace(): void {
    const text = this.#snapshot()
      .map((line) => `${line}\n`)
      .join('');
    const octets = Buffer.from(text);
    const temporary = `${this.#path}.new`;
    try {
      const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
      const fd = openSync(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
      try {
        for (let at = 0; at < octets.length; ) at += writeSync(fd, octets, at);
        fsyncSync(fd);
        renameSync(temporary, this.#path);
        synchroniseDirectory(dirname(this.#path));
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      this.#closeFile();
      this.#fd = fd;
    } catch (cause) {
      throw journalFailed(this.#path, cause);
    }
    this.#octets = octets.length;
    this.#snapshotOctets = octets.length;
  }

  /** `completed` is called later, when the line is durable or, with the reason, when it could not be made so. */
  append(line: string, completed: Completion): void {
    this.#waiting.push({ line, completed });
    this.#work ??= this.#writeAll();
  }

  /** When all that was appended is on disk. */
  async close(): Promise<void> {
    await this.#work;
    this.#closeFile();
  }

  async #writeAll(): Promise<void> {
    // What is appended in the same turn is written at once.
    await undefined;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const error = await this.#writeBatch(batch.map(({ line }) => `${line}\n`).join(''));
      for (const { completed } of batch) completed(error);
    }
    this.#work = undefined;
  }

  async #writeBatch(text: string): Promise<string | undefined> {
    try {
      const isGrown = this.#octets > Math.max(smallestGrownOctets, growthFactor * this.#snapshotOctets);
      if (this.#fd === undefined || isGrown) this.replace();
      const octets = Buffer.from(text);
      for (let at = 0; at < octets.length; )
        at += (await writeOctets(this.#fd!, octets, at, octets.length - at, null)).bytesWritten;
      await synchronise(this.#fd!);
      this.#octets += octets.length;
      return undefined;
    } catch (error) {
      this.#closeFile();
      return error instanceof Error ? error.message : String(error);
    }
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** The lines of a journal, the oldest first; none when there is no file. Makes its directory, for its owner only. Throws JOURNAL_FAILED. */
export function readJournal(path: string): readonly string[] {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return readFileSync(path, 'utf8').split('\n');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw journalFailed(path, cause);
  }
}

/** Otherwise a new name may be gone after a power failure. */
function synchroniseDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function journalFailed(path: string, cause: unknown): TrimaranError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TrimaranError('JOURNAL_FAILED', `the journal ${path} cannot be used: ${reason}`, {
    cause,
    remedy:
      'Choose, with "journal" in the configuration, a directory on a disk with room that this user may write to.',
  });
}
