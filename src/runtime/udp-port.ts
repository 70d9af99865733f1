/**
 * One UDP socket on one local transport address, opened for a network function by its host (base/network.ts, 'listen').
 *
 * A mobile node listens on addresses that come and go: a bind that fails is tried again until it succeeds or the machine stops
 * listening, and what cannot be sent is reported as refused, never thrown.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { TransportAddress } from '../base/network.ts';
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

interface PendingDatagram {
  readonly remote: TransportAddress;
  readonly payload: Uint8Array;
}

/** Congestion in this host: the datagram is lost, as it could be anywhere on its way, and the path is not to blame. */
const lossErrors: readonly (string | undefined)[] = ['EAGAIN', 'ENOBUFS', 'ENOMEM'];

export class UdpPort implements DatagramPort {
  readonly #local: TransportAddress;
  readonly #owner: UdpPortOwner;
  /** Datagrams that wait for the first bind; undefined once it has been tried. */
  #beforeFirstBind: PendingDatagram[] | undefined = [];
  #socket: Socket | undefined;
  #isOpen = false;
  #isClosed = false;
  #attempts = 0;
  #unsent = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(local: TransportAddress, owner: UdpPortOwner) {
    this.#local = local;
    this.#owner = owner;
    this.#open();
  }

  send(remote: TransportAddress, payload: Uint8Array): void {
    if (this.#isOpen) this.#transmit(remote, payload);
    else if (this.#beforeFirstBind === undefined) this.#owner.refused(this.#local, remote);
    else if (this.#beforeFirstBind.length < maximumPendingDatagrams)
      this.#beforeFirstBind.push({ remote, payload });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#discardSocket();
  }

  #open(): void {
    const socket = createSocket({
      type: isIPv6(this.#local.address) ? 'udp6' : 'udp4',
      ipv6Only: isIPv6(this.#local.address),
      // Addresses are literals: answering at once saves an event loop turn per datagram.
      lookup: (host, _options, done) => done(null, host, isIPv6(host) ? 6 : 4),
    });
    this.#socket = socket;
    socket.on('message', (payload, from) => this.#receive(payload, from));
    socket.on('error', (error) => this.#fail(socket, error));
    socket.once('listening', () => this.#opened());
    socket.bind({ address: this.#local.address, port: this.#local.port, exclusive: true });
  }

  #opened(): void {
    this.#isOpen = true;
    this.#attempts = 0;
    this.#owner.opened(this.#local);
    this.#leaveFirstBind((datagram) => this.#transmit(datagram.remote, datagram.payload));
  }

  #fail(socket: Socket, error: Error): void {
    if (this.#isClosed || socket !== this.#socket) return;
    this.#owner.failed(this.#local, error);
    this.#discardSocket();
    this.#leaveFirstBind((datagram) => this.#owner.refused(this.#local, datagram.remote));
    this.#retry = setTimeout(() => this.#open(), retryDelayMs(this.#attempts++));
  }

  #leaveFirstBind(use: (datagram: PendingDatagram) => void): void {
    const waiting = this.#beforeFirstBind ?? [];
    this.#beforeFirstBind = undefined;
    waiting.forEach(use);
  }

  #discardSocket(): void {
    this.#isOpen = false;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.removeAllListeners('message');
    try {
      socket.close();
    } catch {
      // A socket whose bind failed may count as closed already.
    }
  }

  #receive(payload: Buffer, from: RemoteInfo): void {
    const octets = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#owner.received(this.#local, { address: from.address, port: from.port }, octets);
  }

  #transmit(remote: TransportAddress, payload: Uint8Array): void {
    if (this.#socket === undefined || this.#unsent >= maximumPendingDatagrams) return;
    this.#unsent++;
    this.#socket.send(payload, remote.port, remote.address, (error: NodeJS.ErrnoException | null) => {
      this.#unsent--;
      if (error === null || this.#isClosed || lossErrors.includes(error.code)) return;
      this.#owner.refused(this.#local, remote);
    });
  }
}
