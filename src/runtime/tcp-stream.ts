/**
 * One TCP or TLS connection of a network function, accepted or opened by its host (base/network.ts).
 * Its owner hears of the end exactly once, and no more after it closed the stream itself. What is sent within one turn of Node's event loop
 * goes out together at its end: a busy server answers many inputs in a turn, and a system call costs more than a message.
 */
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { TransportAddress } from '../base/network.ts';
import { lingerMs, maximumGatheredOctets, maximumUnsentOctets } from './limits.ts';

export interface TcpStreamOwner {
  established(local: TransportAddress): void;
  received(payload: Uint8Array): void;
  closed(reason: string): void;
}

export class TcpStream {
  readonly remote: TransportAddress;
  readonly #socket: Socket;
  readonly #owner: TcpStreamOwner;
  #reason = 'closed by the peer';
  #isOver = false;
  /** What is sent waits for the end of the turn. */
  #isGathering = false;

  constructor(socket: Socket, remote: TransportAddress, owner: TcpStreamOwner) {
    this.remote = remote;
    this.#socket = socket;
    this.#owner = owner;
    socket.setNoDelay(true);
    const ready = socket instanceof TLSSocket ? 'secureConnect' : 'connect';
    socket.once(ready, () => this.#isOver || owner.established(this.local));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => {
      this.#reason = error.message;
    });
    socket.once('close', () => this.#finish());
  }

  /** Where the stream begins at this host; port 0 until it is established. */
  get local(): TransportAddress {
    return { address: this.#socket.localAddress ?? '', port: this.#socket.localPort ?? 0 };
  }

  send(payload: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#socket.writableLength + payload.length > maximumUnsentOctets) {
      this.#reason = `the peer does not read: ${this.#socket.writableLength} octets wait`;
      this.#socket.destroy();
      return;
    }
    if (!this.#isGathering) this.#gather();
    this.#socket.write(payload);
    if (this.#socket.writableLength >= maximumGatheredOctets) this.#flush();
  }

  /** Flushes what was sent, then closes; a peer that does not take it is cut off after `lingerMs`. */
  close(): void {
    this.#isOver = true;
    this.#socket.end();
    const cut = setTimeout(() => this.#socket.destroy(), lingerMs);
    cut.unref();
    this.#socket.once('close', () => clearTimeout(cut));
  }

  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #gather(): void {
    this.#isGathering = true;
    this.#socket.cork();
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (!this.#isGathering) return;
    this.#isGathering = false;
    this.#socket.uncork();
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#owner.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.closed(this.#reason);
  }
}

/**
 * A connection whose reads all go through one buffer, from which each is copied into memory of its own length: the streams of Node take 64 KiB
 * and a turn of their queues for each. They offer that to who connects only.
 */
export function connectDirectly(options: TcpNetConnectOpts): Socket {
  const callback = (length: number): boolean =>
    socket.emit('data', Buffer.from(readBuffer.subarray(0, length)));
  const socket = connect({ ...options, onread: { buffer: readBuffer, callback } });
  return socket;
}

const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
