/**
 * The caller's end of a control socket (control-server.ts has the protocol): `trimaran status`, `trimaran handover` and whatever else
 * talks to a running role.
 */
import { createConnection, type Socket } from 'node:net';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { ControlAnswer } from './control-server.ts';
import { LineReader } from './line-reader.ts';

interface PendingRequest {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent: (event: unknown) => void;
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new LineReader((line) => this.#handle(line));
    socket.on('data', (chunk) => {
      if (!reader.push(chunk)) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#fail());
  }

  /** Throws NOT_RUNNING when nobody answers there, NOT_PERMITTED when another user owns the socket. */
  static connect(path: string): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(new ControlClient(socket));
      });
      socket.once('error', (error: NodeJS.ErrnoException) => reject(connectionError(path, error)));
    });
  }

  /** The result of the command; its events go to `onEvent`. Throws the error that the role answered with. */
  request(
    command: string,
    parameters: Readonly<Record<string, unknown>> = {},
    onEvent: (event: unknown) => void = () => {},
  ): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent });
      this.#socket.write(`${JSON.stringify({ id, command, parameters })}\n`);
    });
  }

  close(): void {
    this.#socket.end();
  }

  #handle(line: string): void {
    const answer = JSON.parse(line) as ControlAnswer;
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    if ('event' in answer) {
      pending.onEvent(answer.event);
      return;
    }
    this.#pending.delete(answer.id);
    if (answer.error === undefined) pending.resolve(answer.result);
    else {
      const { code, message, remedy } = answer.error;
      pending.reject(new TrimaranError(code, message, { remedy }));
    }
  }

  #fail(): void {
    const error = new TrimaranError('CONNECTION_LOST', 'the role ended before it answered');
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

function connectionError(path: string, error: NodeJS.ErrnoException): TrimaranError {
  if (error.code === 'EACCES') {
    return new TrimaranError('NOT_PERMITTED', `this user may not use ${path}`, {
      cause: error,
      remedy: 'Run the command as the user who started the role, or as root.',
    });
  }
  return new TrimaranError('NOT_RUNNING', `nobody answers at ${path} (${error.code ?? error.message})`, {
    cause: error,
    remedy: 'Start the role first, or give its control socket with --control PATH.',
  });
}
