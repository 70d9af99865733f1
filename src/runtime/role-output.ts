/** Where a role's process tells what happens in it: reports on standard output, as text or lines of JSON; messages in a trace file. */
import { createWriteStream, type WriteStream } from 'node:fs';
import type { RoleReport, RoleSink } from './role-host.ts';

export interface RoleOutputOptions {
  readonly json: boolean;
  /** A file, or "fd:3" for a descriptor that the parent handed over. */
  readonly trace?: string;
}

export class RoleOutput {
  readonly sink: RoleSink;
  readonly #trace: WriteStream | undefined;

  constructor(options: RoleOutputOptions) {
    const format = options.json ? formatJson : formatText;
    const trace = options.trace === undefined ? undefined : openTrace(options.trace);
    this.#trace = trace;
    this.sink = {
      report: (report) => process.stdout.write(`${format(report)}\n`),
      ...(trace && { trace: (entry) => trace.write(`${JSON.stringify(entry)}\n`) }),
    };
  }

  /** When the last line is written. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#trace === undefined) resolve();
      else this.#trace.end(resolve);
    });
  }
}

function openTrace(target: string): WriteStream {
  const descriptor = /^fd:(\d+)$/.exec(target)?.[1];
  const stream =
    descriptor === undefined
      ? createWriteStream(target)
      : createWriteStream('', { fd: Number(descriptor), autoClose: false });
  // A trace that nobody reads any more does not stop the role.
  stream.on('error', () => stream.destroy());
  return stream;
}

/** "trim-as: session-changed sessionId=a;1 components=[…]" */
function formatText({ node, event, details }: RoleReport): string {
  const words = Object.entries(details).map(([name, value]) => `${name}=${formatValue(value)}`);
  return [`${node}: ${event}`, ...words].join(' ');
}

function formatValue(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : toJson(value);
}

function formatJson({ at, node, event, details }: RoleReport): string {
  return toJson({ at, node, event, ...details });
}

/** Maps as objects, 64-bit numbers as text. */
function toJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) => {
      if (inner instanceof Map) return Object.fromEntries(inner);
      return typeof inner === 'bigint' ? inner.toString() : inner;
    }) ?? 'undefined'
  );
}
