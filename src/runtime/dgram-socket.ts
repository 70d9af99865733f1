/** What drivers/linux/udp-socket.ts is, for other systems: by node:dgram, which takes a system call and an event per datagram. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { familyOf } from '../base/ip-address.ts';
import type { TransportAddress } from '../base/network.ts';
import type { UdpSocketOwner } from '../drivers/linux/udp-socket.ts';

export class DgramSocket {
  readonly #owner: UdpSocketOwner;
  readonly #maximumWaiting: number;
  readonly #socket: Socket;
  #waiting = 0;
  #isClosed = false;

  constructor(local: TransportAddress, owner: UdpSocketOwner, maximumWaiting: number) {
    this.#owner = owner;
    this.#maximumWaiting = maximumWaiting;
    const family = familyOf(local.address);
    this.#socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      ipv6Only: family === 6,
      // Addresses are literals: with the answer at once nothing waits, and bind() fails or succeeds before it returns.
      lookup: (host, _options, done) => done(null, host, familyOf(host)),
    });
    let failure: Error | undefined;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.bind({ ...local, exclusive: true });
    if (failure !== undefined) {
      this.#socket.close();
      throw failure;
    }
    this.#socket.on('error', (error) => this.#isClosed || owner.failed(error));
    this.#socket.on('message', (payload, from) => this.#receive(payload, from));
  }

  send(remote: TransportAddress, payload: Uint8Array): void {
    if (this.#waiting >= this.#maximumWaiting) return;
    this.#waiting++;
    this.#socket.send(payload, remote.port, remote.address, (error) => {
      this.#waiting--;
      if (error !== null && !this.#isClosed) this.#owner.refused(remote);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }

  #receive(payload: Buffer, { address, port }: RemoteInfo): void {
    if (this.#isClosed) return;
    const octets = new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#owner.received({ address, port }, octets);
  }
}
