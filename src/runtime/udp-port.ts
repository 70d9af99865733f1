/**
 * One UDP socket on one local transport address, opened for a network function by its host (base/network.ts, 'listen').
 *
 * A mobile node listens on addresses that come and go: a bind that fails is tried again until it succeeds or the machine stops
 * listening, and what cannot be sent is reported as refused, never thrown.
 */
import type { TransportAddress } from '../base/network.ts';
import { isUdpSocketAvailable, UdpSocket, type UdpSocketOwner } from '../drivers/linux/udp-socket.ts';
import { DgramSocket } from './dgram-socket.ts';
import { maximumPendingDatagrams } from './limits.ts';
import { retryDelayMs } from './retry-delay.ts';

export interface UdpPortOwner {
  received(local: TransportAddress, remote: TransportAddress, payload: Uint8Array): void;
  refused(local: TransportAddress, remote: TransportAddress): void;
  opened(local: TransportAddress): void;
  /** The port could not be opened (it is tried again) or broke. */
  failed(local: TransportAddress, error: Error): void;
}

/** What a host sends from. */
export interface DatagramPort {
  send(remote: TransportAddress, payload: Uint8Array): void;
  close(): void;
}

/** Throws when it cannot be opened. */
type SocketClass = new (
  local: TransportAddress,
  owner: UdpSocketOwner,
  maximumWaiting: number,
) => DatagramPort;

export class UdpPort implements DatagramPort {
  readonly #local: TransportAddress;
  readonly #owner: UdpPortOwner;
  readonly #Socket: SocketClass;
  #socket: DatagramPort | undefined;
  #attempts = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    local: TransportAddress,
    owner: UdpPortOwner,
    Socket: SocketClass = isUdpSocketAvailable ? UdpSocket : DgramSocket,
  ) {
    this.#local = local;
    this.#owner = owner;
    this.#Socket = Socket;
    this.#open();
  }

  send(remote: TransportAddress, payload: Uint8Array): void {
    if (this.#socket === undefined) this.#owner.refused(this.#local, remote);
    else this.#socket.send(remote, payload);
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): void {
    try {
      this.#socket = new this.#Socket(
        this.#local,
        {
          received: (remote, payload) => this.#owner.received(this.#local, remote, payload),
          refused: (remote) => this.#owner.refused(this.#local, remote),
          failed: (error) => this.#fail(error),
        },
        maximumPendingDatagrams,
      );
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#attempts = 0;
    this.#owner.opened(this.#local);
  }

  #fail(error: Error): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#owner.failed(this.#local, error);
    this.#retry = setTimeout(() => this.#open(), retryDelayMs(this.#attempts++));
  }
}
