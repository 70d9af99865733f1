/**
 * A stream of numbered UDP datagrams at a steady rate from a thread of its own, and where they arrive: for tests and benchmarks that
 * ask what a handover does to every single packet. Both ends use batches of messages (sendmmsg, recvmmsg) over fixed memory.
 */
import { Worker } from 'node:worker_threads';
import { formatIpAddress } from '../../src/base/ip-address.ts';
import type { TransportAddress } from '../../src/base/network.ts';
import type { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  allocateMemory,
  bindSocket,
  closeDescriptor,
  openSocket,
  receiveMessages,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  setSocketOption,
} from '../../src/drivers/linux/system-calls.ts';

/** How many ports of one address a flow to many destinations uses. */
export const portsPerAddress = 40_000;

export interface FlowOptions {
  /** Descriptor of the network namespace to send in. */
  readonly namespaceFd: number;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  /** 0: as fast as possible. */
  readonly packetsPerSecond: number;
  /** Octets of the IP packet. */
  readonly length: number;
  /** More than one: round robin over so many consecutive ports, and addresses when the ports of one do not suffice. */
  readonly destinations?: number;
  /**
   * At most so many packets are on their way, by what `confirm` was told; then it waits. So none is lost in the queues of a busy kernel, which
   * hold 1,000 (net.core.netdev_max_backlog); the rate is kept as far as the machine can, in bursts of a millisecond.
   */
  readonly window?: number;
}

/** Shared with the sending thread: whether it is to stop, and how many have arrived. */
export type FlowControl = Int32Array;

export interface FlowReport {
  readonly sent: number;
  readonly cpuSeconds: number;
}

export class PacketFlow {
  readonly #worker: Worker;
  readonly #control: FlowControl = new Int32Array(new SharedArrayBuffer(8));

  private constructor(options: FlowOptions) {
    const entry = new URL('./packet-generator.js', import.meta.url);
    this.#worker = new Worker(entry, { workerData: { ...options, control: this.#control } });
  }

  /** Resolves when the first packet is about to be sent. */
  static async start(options: FlowOptions): Promise<PacketFlow> {
    const flow = new PacketFlow(options);
    await flow.#message();
    return flow;
  }

  /** So many have arrived. */
  confirm(arrived: number): void {
    Atomics.store(this.#control, 1, arrived);
    Atomics.notify(this.#control, 1);
  }

  /** Sends no more; the report counts from the first packet. */
  async stop(): Promise<FlowReport> {
    const report = this.#message();
    Atomics.store(this.#control, 0, 1);
    return (await report) as FlowReport;
  }

  #message(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', resolve);
      this.#worker.once('error', reject);
    });
  }
}

export interface Arrival {
  readonly sequence: number;
  /** process.hrtime of the sending thread, in nanoseconds. */
  readonly sentAtNs: bigint;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
}

/** A UDP port on all addresses of a host, with room for what arrives in seconds (as root; else it must be drained all the time). */
export class PacketSink {
  readonly #fd: number;
  readonly #memory = allocateMemory(BATCH * SLOT);

  constructor(namespace: NetworkNamespace, port: number) {
    this.#fd = namespace.run(() => openSocket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    try {
      setSocketOption(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20);
    } catch {
      // In a user namespace it may only be as large as everybody's: room for some 20 ms of 20,000 packets/s.
      setSocketOption(this.#fd, SOL_SOCKET, SO_RCVBUF, 256 << 20);
    }
    setSocketOption(this.#fd, IPPROTO_IP, IP_PKTINFO, 1);
    bindSocket(this.#fd, socketAddress({ address: '0.0.0.0', port }));
  }

  /** Everything that has arrived since, in order. */
  drain(): Arrival[] {
    const arrivals: Arrival[] = [];
    for (;;) {
      for (let i = 0; i < BATCH; i++) this.#describe(i);
      const count = receiveMessages(this.#fd, this.#memory.address, BATCH);
      if (count === undefined) return arrivals;
      for (let i = 0; i < count; i++) arrivals.push(this.#read(i));
    }
  }

  close(): void {
    closeDescriptor(this.#fd);
  }

  /** struct mmsghdr, iovec, name, control and data of one message. */
  #describe(index: number): void {
    const { view, address } = this.#memory;
    const header = index * 64;
    const body = BATCH * 64 + index * (SLOT - 64);
    const at = (offset: number) => address + BigInt(body + offset);
    view.setBigUint64(header, at(NAME), true);
    view.setUint32(header + 8, 16, true);
    view.setBigUint64(header + 16, at(VECTOR), true);
    view.setBigUint64(header + 24, 1n, true);
    view.setBigUint64(header + 32, at(CONTROL), true);
    view.setBigUint64(header + 40, 64n, true);
    view.setBigUint64(body + VECTOR, at(DATA), true);
    view.setBigUint64(body + VECTOR + 8, 64n, true);
  }

  #read(index: number): Arrival {
    const { view, octets } = this.#memory;
    const body = BATCH * 64 + index * (SLOT - 64);
    // One control message: its 16-octet header, then struct in_pktinfo with the destination address last.
    const destination = body + CONTROL + 16 + 8;
    return {
      sequence: view.getUint32(body + DATA, true),
      sentAtNs: view.getBigUint64(body + DATA + 8, true),
      source: formatIpAddress(octets.subarray(body + NAME + 4, body + NAME + 8)),
      sourcePort: view.getUint16(body + NAME + 2),
      destination: formatIpAddress(octets.subarray(destination, destination + 4)),
    };
  }
}

const BATCH = 64;
const SLOT = 320;
const [NAME, VECTOR, CONTROL, DATA] = [0, 32, 64, 128];
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
