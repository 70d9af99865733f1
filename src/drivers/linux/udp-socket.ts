/**
 * A UDP socket for signalling. What one turn of Node's event loop finds there comes with one system call (recvmmsg(2)), and what it produces
 * goes out together at its end (sendmmsg(2)): a busy server answers many messages in a turn, and node:dgram takes as long for each as
 * parsing it does. Leaves out scopes (link-local addresses of IPv6).
 */
import type { TransportAddress } from '../../base/network.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { MessageBatch } from './message-batch.ts';
import {
  readSocketAddress,
  socketAddress,
  socketAddressOctets,
  writeSocketAddress,
} from './socket-address.ts';
import {
  AF_INET,
  AF_INET6,
  allocateMemory,
  bindSocket,
  closeDescriptor,
  openSocket,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  setSocketOption,
  watchReadable,
} from './system-calls.ts';

/** Where the structures of the batches are those of the kernel. */
export const isUdpSocketAvailable: boolean =
  process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

export interface UdpSocketOwner {
  /** The octets are the owner's. */
  received(remote: TransportAddress, payload: Uint8Array): void;
  /** What was sent there cannot leave: the path is gone, or the datagram too long. Datagrams that are lost on their way are not told. */
  refused(remote: TransportAddress): void;
  /** Nothing is received any more. */
  failed(error: Error): void;
}

interface Datagram {
  readonly remote: TransportAddress;
  readonly payload: Uint8Array;
}

export class UdpSocket {
  readonly #owner: UdpSocketOwner;
  readonly #maximumWaiting: number;
  readonly #fd: number;
  readonly #stopWatching: () => void;
  readonly #batches = sharedBatches();
  /** For the end of the turn, or for room in the kernel. */
  #waiting: Datagram[] = [];
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * Opens it in the network namespace of the process and keeps that alive. More datagrams than `maximumWaiting`, while the kernel takes none, are
   * lost. Throws when the address is not this host's or in use, RangeError when it is none.
   */
  constructor(local: TransportAddress, owner: UdpSocketOwner, maximumWaiting: number) {
    this.#owner = owner;
    this.#maximumWaiting = maximumWaiting;
    this.#fd = openBound(socketAddress(local));
    this.#stopWatching = watchReadable(this.#fd, () => this.#receive(), { keepsAlive: true });
  }

  /** The payload must not change any more. */
  send(remote: TransportAddress, payload: Uint8Array): void {
    if (this.#waiting.length >= this.#maximumWaiting) return;
    this.#waiting.push({ remote, payload });
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    else if (this.#waiting.length === batchSize) this.#flush();
  }

  /** What was sent before still leaves, as far as there is room. */
  close(): void {
    this.#flush();
    clearTimeout(this.#retry);
    this.#isClosed = true;
    this.#stopWatching();
    closeDescriptor(this.#fd);
  }

  /** One batch: timers and other sockets get their turn before the next. */
  #receive(): void {
    const batch = this.#batches.received;
    const count = this.#tryReceive(batch);
    for (let index = 0; index < count && !this.#isClosed; index++)
      this.#owner.received(batch.remoteOf(index), batch.payloadOf(index));
  }

  #tryReceive(batch: DatagramBatch): number {
    try {
      return batch.receive(this.#fd);
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      this.#owner.failed(error);
      return 0;
    }
  }

  #flush(): void {
    if (this.#isClosed) return;
    const datagrams = this.#waiting;
    this.#waiting = [];
    for (let done = 0; done < datagrams.length; ) {
      const count = this.#sendBatch(datagrams, done);
      done += count;
      if (count === 0) {
        this.#waiting = [...datagrams.slice(done), ...this.#waiting];
        this.#retryLater();
        return;
      }
    }
  }

  /** How many, from `from` on, are done with; 0 when the kernel has no room. */
  #sendBatch(datagrams: readonly Datagram[], from: number): number {
    try {
      return this.#batches.sent.send(this.#fd, datagrams, from);
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      // Of the first; those before it have left (sendmmsg(2)). Congestion in this host loses a datagram as any other on the path does.
      const refused = datagrams[from];
      if (refused !== undefined && !lossErrors.includes(error.code)) this.#owner.refused(refused.remote);
      return 1;
    }
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#flush();
    }, retryMs);
  }
}

function openBound(address: Uint8Array): number {
  const isIpv6 = address.length === socketAddressOctets;
  const fd = openSocket(isIpv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  try {
    if (isIpv6) setSocketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    bindSocket(fd, address);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Memory for the datagrams of one system call, each in its slot: the peer's address, then the octets. */
class DatagramBatch {
  readonly #messages = new MessageBatch(batchSize);
  readonly #memory = allocateMemory(batchSize * slotOctets);
  #slab = new ArrayBuffer(slabOctets);
  #slabUsed = 0;

  constructor() {
    for (let index = 0; index < batchSize; index++) {
      const slot = this.#memory.address + BigInt(index * slotOctets);
      this.#messages.placeName(index, slot, socketAddressOctets);
      this.#messages.place(index, slot + BigInt(payloadAt), maximumPayloadOctets);
    }
  }

  receive(fd: number): number {
    for (let index = 0; index < batchSize; index++) this.#messages.setNameLength(index, socketAddressOctets);
    return this.#messages.receive(fd, batchSize);
  }

  remoteOf(index: number): TransportAddress {
    return readSocketAddress(this.#memory.view, index * slotOctets);
  }

  /** A copy; small ones share slabs, which costs a third of an ArrayBuffer each. */
  payloadOf(index: number): Uint8Array {
    const start = index * slotOctets + payloadAt;
    const octets = this.#memory.octets.subarray(start, start + this.#messages.lengthOf(index));
    if (octets.length > slabOctets / 2) return octets.slice();
    if (this.#slabUsed + octets.length > slabOctets) {
      this.#slab = new ArrayBuffer(slabOctets);
      this.#slabUsed = 0;
    }
    const copy = new Uint8Array(this.#slab, this.#slabUsed, octets.length);
    copy.set(octets);
    this.#slabUsed += octets.length;
    return copy;
  }

  /** Up to a batch of them, from `from` on. */
  send(fd: number, datagrams: readonly Datagram[], from: number): number {
    const count = Math.min(datagrams.length - from, batchSize);
    for (let index = 0; index < count; index++) this.#write(index, datagrams[from + index]!);
    return this.#messages.send(fd, 0, count);
  }

  #write(index: number, { remote, payload }: Datagram): void {
    const nameLength = writeSocketAddress(this.#memory.view, index * slotOctets, remote);
    // Without an address the kernel refuses it (EDESTADDRREQ), and what is too long too (EMSGSIZE).
    this.#messages.setNameLength(index, nameLength ?? 0);
    const octets =
      payload.length > maximumPayloadOctets ? payload.subarray(0, maximumPayloadOctets) : payload;
    this.#memory.octets.set(octets, index * slotOctets + payloadAt);
    this.#messages.setLength(index, octets.length);
  }
}

/** The same for all sockets, since they are empty again before the next one's turn; made when the first socket is. */
function sharedBatches() {
  batches ??= { received: new DatagramBatch(), sent: new DatagramBatch() };
  return batches;
}

let batches: { readonly received: DatagramBatch; readonly sent: DatagramBatch } | undefined;

/** As many as Node takes from a socket of node:dgram in a turn. */
const batchSize = 32;
const slotOctets = 66_048;
const payloadAt = 32;
/** A small datagram that is kept keeps no more than this. */
const slabOctets = 8192;
/** More than a datagram can have (65,507 octets over IPv4, 65,527 over IPv6). */
const maximumPayloadOctets = 65_536;
/** A queue of 200 kB holds 16 ms of 100 Mbit/s. */
const retryMs = 1;
const lossErrors: readonly string[] = ['ENOBUFS', 'ENOMEM'];
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
