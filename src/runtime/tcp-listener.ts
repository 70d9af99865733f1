/** One listener for byte streams, TCP or TLS, on one local transport address, tried again while its address is not there (see udp-port.ts). */
import { isIPv6, type Server, type Socket } from 'node:net';
import type { TransportAddress } from '../base/network.ts';
import { maximumAcceptedConnections } from './limits.ts';
import { retryDelayMs } from './retry-delay.ts';

export interface TcpListenerOwner {
  accepted(local: TransportAddress, socket: Socket): void;
  opened(local: TransportAddress): void;
  failed(local: TransportAddress, error: Error): void;
}

/** From a socket when it is ready for octets: with TLS, after the handshake. */
export type CreateServer = (accepted: (socket: Socket) => void) => Server;

export class TcpListener {
  readonly #local: TransportAddress;
  readonly #owner: TcpListenerOwner;
  readonly #createServer: CreateServer;
  #server: Server | undefined;
  #isClosed = false;
  #attempts = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(local: TransportAddress, owner: TcpListenerOwner, createServer: CreateServer) {
    this.#local = local;
    this.#owner = owner;
    this.#createServer = createServer;
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#server?.close();
  }

  #open(): void {
    const server = this.#createServer((socket) => this.#owner.accepted(this.#local, socket));
    server.maxConnections = maximumAcceptedConnections;
    this.#server = server;
    server.on('error', (error) => this.#fail(error));
    server.once('listening', () => {
      this.#attempts = 0;
      this.#owner.opened(this.#local);
    });
    server.listen({
      host: this.#local.address,
      port: this.#local.port,
      ipv6Only: isIPv6(this.#local.address),
      exclusive: true,
    });
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.#owner.failed(this.#local, error);
    this.#retry = setTimeout(() => this.#open(), retryDelayMs(this.#attempts++));
  }
}
