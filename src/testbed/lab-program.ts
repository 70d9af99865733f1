/**
 * A `trimaran` command that the kernel lab runs on one of its nodes, as a user would: started through the binary's entry, watched by the
 * JSON lines that it writes, its messages read from an inherited descriptor, ended by SIGTERM.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { DurationMs } from '../base/instant.ts';
import type { TraceEntry } from '../base/trace.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { Spawn } from './media/media-program.ts';

/** One line of a command's standard output. */
export type OutputLine = Readonly<Record<string, unknown>>;

export interface LabProgramOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly spawn: Spawn;
  readonly onLine?: (line: OutputLine) => void;
  /** Asks the command for a trace. */
  readonly onMessage?: (entry: TraceEntry) => void;
}

interface Waiter {
  readonly check: () => void;
  readonly fail: (error: Error) => void;
}

/** Whatever is waited for takes tens of milliseconds; a machine that needs this long has come to a halt. */
const patienceMs: DurationMs = 30_000;
/** Longer than a role's own patience with its peers at the end. */
const goodbyeMs: DurationMs = 8000;

export class LabProgram {
  readonly lines: OutputLine[] = [];
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiters = new Set<Waiter>();
  #lastWords = '';
  #hasEnded = false;

  constructor({ name, args, spawn, onLine, onMessage }: LabProgramOptions) {
    this.#name = name;
    const entry = fileURLToPath(new URL('../cli/main.js', import.meta.url));
    const trace = onMessage === undefined ? [] : ['--trace', 'fd:3'];
    this.#child = spawn(process.execPath, [entry, ...args, '--json', ...trace], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    this.#child.stderr?.on('data', (octets) => {
      this.#lastWords = (this.#lastWords + String(octets)).slice(-2000);
    });
    onJsonLine(this.#child.stdout, (line) => {
      this.lines.push(line as OutputLine);
      onLine?.(line as OutputLine);
      this.#check();
    });
    onJsonLine(this.#child.stdio[3] as Readable, (line) => {
      onMessage?.(line as TraceEntry);
      this.#check();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#lastWords += error.message;
      });
      this.#child.on('close', () => {
        this.#hasEnded = true;
        for (const { fail } of this.#waiters) fail(this.#endedEarly());
        resolve();
      });
    });
  }

  /** Why it is not running any more, in words; undefined while it is. */
  get failure(): string | undefined {
    return this.#hasEnded ? this.#endedEarly().message : undefined;
  }

  /** Looks again after each line and message. Rejects with LAB_PROGRAM_FAILED when the program ends, or LAB_TIMEOUT. */
  until(condition: () => boolean, what: string): Promise<void> {
    if (condition()) return Promise.resolve();
    if (this.#hasEnded) return Promise.reject(this.#endedEarly());
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        act();
      };
      const waiter: Waiter = {
        check: () => {
          if (condition()) settle(resolve);
        },
        fail: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(() => {
        const message = `${this.#name}: ${what} did not happen within ${patienceMs / 1000} s`;
        waiter.fail(new TrimaranError('LAB_TIMEOUT', message));
      }, patienceMs);
      this.#waiters.add(waiter);
    });
  }

  untilEvent(event: string): Promise<void> {
    return this.until(() => this.lines.some((line) => line['event'] === event), event);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Settles when the program has ended, with force if it does not by itself. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), goodbyeMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #check(): void {
    for (const { check } of this.#waiters) check();
  }

  #endedEarly(): TrimaranError {
    return new TrimaranError('LAB_PROGRAM_FAILED', `${this.#name} ended: ${this.#lastWords.trim()}`);
  }
}

/** Lines that are no JSON are not for programs. */
function onJsonLine(stream: Readable | null, handle: (value: unknown) => void): void {
  if (stream === null) return;
  createInterface(stream).on('line', (line) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return;
    }
    handle(value);
  });
}
