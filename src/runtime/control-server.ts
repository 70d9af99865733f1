/**
 * How commands talk to a running role: lines of JSON over a unix domain socket that only its owner may open (mode 0600).
 *
 *   ─▶ {"id":1,"command":"handover","parameters":{"to":"wlan"}}
 *   ◀─ {"id":1,"event":{…}}            none, one or many, while the command is at work
 *   ◀─ {"id":1,"result":{…}}           or {"id":1,"error":{"code":"…","message":"…","remedy":"…"}}
 */
import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { TrimaranError } from '../base/trimaran-error.ts';
import { LineReader } from './line-reader.ts';

/** What a command of a role gets besides its parameters. */
export interface ControlRequest {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly sendEvent: (event: unknown) => void;
  /** Raised when the caller went away before the command ended. */
  readonly signal: AbortSignal;
}

export type ControlCommands = Readonly<Record<string, (request: ControlRequest) => unknown>>;

/** One line of the role. */
export interface ControlAnswer {
  readonly id: number;
  readonly event?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly remedy: string };
}

/** Commands that one caller may have under way. */
const maximumRequestsPerCaller = 64;

export class ControlServer {
  readonly #server: Server;
  readonly #path: string;
  readonly #commands: ControlCommands;
  readonly #callers = new Set<Socket>();

  private constructor(path: string, commands: ControlCommands) {
    this.#path = path;
    this.#commands = commands;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Throws ALREADY_RUNNING when another process answers at that path; a socket left behind by a crash is replaced. */
  static async listen(path: string, commands: ControlCommands): Promise<ControlServer> {
    if (await isAnswered(path)) {
      throw new TrimaranError('ALREADY_RUNNING', `another process answers at ${path}`, {
        remedy: 'Stop it first, or give this one another control socket in its configuration.',
      });
    }
    rmSync(path, { force: true });
    const server = new ControlServer(path, commands);
    await server.#open();
    return server;
  }

  close(): void {
    for (const caller of this.#callers) caller.destroy();
    this.#server.close();
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const remedy = 'Choose a path in a folder that this user may write to.';
        reject(new TrimaranError('CONTROL_SOCKET_FAILED', cause.message, { cause, remedy }));
      });
      // The socket must never be open to others, not even between bind and chmod.
      const mask = process.umask(0o177);
      this.#server.listen(this.#path, () => {
        chmodSync(this.#path, 0o600);
        resolve();
      });
      process.umask(mask);
    });
  }

  #accept(socket: Socket): void {
    this.#callers.add(socket);
    const gone = new AbortController();
    let underWay = 0;
    const reader = new LineReader((line) => {
      if (underWay >= maximumRequestsPerCaller) {
        socket.destroy();
        return;
      }
      underWay++;
      void this.#answer(line, socket, gone.signal).finally(() => underWay--);
    });
    socket.on('data', (chunk) => {
      if (!reader.push(chunk)) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#callers.delete(socket);
      gone.abort();
    });
  }

  async #answer(line: string, socket: Socket, signal: AbortSignal): Promise<void> {
    const request = parseRequest(line);
    const send = (body: object): void => {
      if (!socket.destroyed) socket.write(`${JSON.stringify({ id: request.id, ...body })}\n`);
    };
    try {
      const command = this.#commands[request.command];
      if (command === undefined) {
        const known = Object.keys(this.#commands).join(', ');
        throw new TrimaranError('UNKNOWN_COMMAND', `"${request.command}" is none of ${known}`);
      }
      const result = await command({
        parameters: request.parameters,
        sendEvent: (event) => send({ event }),
        signal,
      });
      send({ result: result ?? null });
    } catch (error) {
      send({ error: describeError(error) });
    }
  }
}

function parseRequest(line: string): {
  id: unknown;
  command: string;
  parameters: Readonly<Record<string, unknown>>;
} {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) {
      const { id, command, parameters } = value as Record<string, unknown>;
      const isObject = typeof parameters === 'object' && parameters !== null;
      return {
        id,
        command: String(command),
        parameters: isObject ? (parameters as Record<string, unknown>) : {},
      };
    }
  } catch {
    // Answered below, as a command that does not exist.
  }
  return { id: null, command: line.slice(0, 80), parameters: {} };
}

function describeError(error: unknown): ControlAnswer['error'] {
  if (error instanceof TrimaranError)
    return { code: error.code, message: error.message, remedy: error.remedy };
  return { code: 'FAILED', message: error instanceof Error ? error.message : String(error), remedy: '' };
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
