/**
 * The way out of the tunnel (RFC 3519 §4.4, RFC 3024 §4.4): datagrams from the tunnel's sockets. Tunnel data goes into the TUN device when
 * it comes from an endpoint of a binding and the packet inside bears that binding's home address, and in a correspondent's tunnel that
 * correspondent's; all else of it is counted and dropped.
 * What is no tunnel data, and echo probes between the tunnel's ends, goes to the machine. Runs in a thread of its own.
 */
import type { MessagePort } from 'node:worker_threads';
import { ipProtocol } from '../../protocols/ip/ip-packet.ts';
import { PacketMemory, writeVector } from './packet-memory.ts';
import type { Destination } from './segmented-datagrams.ts';
import { receiveMessages } from './system-calls.ts';
import { TcpCoalescer } from './tcp-coalescer.ts';
import {
  Counter,
  type LoopBinding,
  type LoopEndpoint,
  type PacketThread,
  runPacketThread,
  type TunnelCommand,
  type TunnelLoopSettings,
  type TunnelReport,
} from './tunnel-loop.ts';

export function runDecapsulator(settings: TunnelLoopSettings, port: MessagePort): void {
  const report = (message: TunnelReport): void => port.postMessage(message);
  runPacketThread(new Decapsulator(settings, report), settings.event, port);
}

/** Who may send from one remote address and port to one socket, and as which home addresses. */
interface Peer {
  readonly endpoint: LoopEndpoint;
  readonly bindings: Map<number, LoopBinding>;
}

class Decapsulator implements PacketThread {
  /** Where in a packet its home address is: the destination here, at an agent the source. */
  readonly #isMobileNode: boolean;
  readonly #report: (report: TunnelReport) => void;
  readonly #counter: Counter;
  /** By socket, then by remote address and port as one number. */
  readonly #sockets = new Map<number, Map<number, Peer>>();
  readonly #bindings = new Map<number, LoopBinding>();
  readonly #memory = new PacketMemory(SLOTS_AT + batchSize * slotOctets);
  readonly #view = this.#memory.view;
  readonly #output: TcpCoalescer;

  constructor(settings: TunnelLoopSettings, report: (report: TunnelReport) => void) {
    this.#isMobileNode = settings.placement === 'mobile-node';
    this.#report = report;
    this.#counter = new Counter(settings.counters);
    this.#output = new TcpCoalescer(settings.tun, this.#memory, (packets) =>
      this.#counter.add('undelivered', packets),
    );
    for (let index = 0; index < batchSize; index++) this.#describe(index);
  }

  get descriptors(): readonly number[] {
    return [...this.#sockets.keys()];
  }

  obey(command: TunnelCommand): void {
    if (command.kind === 'open') this.#sockets.set(command.fd, new Map());
    if (command.kind === 'bind') {
      this.#unbind(command.binding.homeAddress);
      this.#bind(command.binding);
    }
    if (command.kind === 'unbind') this.#unbind(command.homeAddress);
    if (command.kind === 'close') {
      this.#sockets.delete(command.fd);
      this.#report({ kind: 'closed', fd: command.fd });
    }
  }

  receive(fd: number): void {
    const peers = this.#sockets.get(fd);
    if (peers === undefined) return;
    const count = receiveMessages(fd, this.#memory.addressOf(0), batchSize, MSG_DONTWAIT) ?? 0;
    for (let index = 0; index < count; index++) {
      this.#split(fd, peers, index);
      this.#reset(index);
    }
    this.#output.flush();
  }

  #bind(binding: LoopBinding): void {
    this.#bindings.set(binding.homeAddress, binding);
    for (const endpoint of binding.endpoints) {
      const peers = this.#sockets.get(endpoint.fd);
      if (peers === undefined) continue;
      const key = keyOf(endpoint.address, endpoint.port);
      const peer = peers.get(key) ?? { endpoint, bindings: new Map() };
      peer.bindings.set(binding.homeAddress, binding);
      peers.set(key, { ...peer, endpoint });
    }
  }

  #unbind(homeAddress: number): void {
    const binding = this.#bindings.get(homeAddress);
    this.#bindings.delete(homeAddress);
    for (const { fd, address, port } of binding?.endpoints ?? []) {
      const peer = this.#sockets.get(fd)?.get(keyOf(address, port));
      peer?.bindings.delete(homeAddress);
      if (peer?.bindings.size === 0) this.#sockets.get(fd)?.delete(keyOf(address, port));
    }
  }

  /** The kernel joined datagrams of one sender and equal length (UDP_GRO, udp(7)) when it says a length per datagram. */
  #split(fd: number, peers: ReadonlyMap<number, Peer>, index: number): void {
    const header = index * HEADER;
    const control = CONTROLS_AT + index * CONTROL;
    const total = this.#view.getUint32(header + 56, true);
    const isJoined =
      this.#view.getUint32(header + 40, true) >= 20 &&
      this.#view.getUint32(control + 8, true) === SOL_UDP &&
      this.#view.getUint32(control + 12, true) === UDP_GRO;
    const size = isJoined ? this.#view.getUint32(control + 16, true) : total;
    const name = NAMES_AT + index * NAME;
    const from = { address: this.#view.getUint32(name + 4), port: this.#view.getUint16(name + 2) };
    const peer = peers.get(keyOf(from.address, from.port));
    const start = SLOTS_AT + index * slotOctets;
    for (let done = 0; done < total; done += size)
      this.#take(fd, from, peer, start + done, Math.min(size, total - done));
  }

  #take(fd: number, from: Destination, peer: Peer | undefined, at: number, length: number): void {
    const first = this.#view.getUint8(at);
    const isPlain = first >> 4 === 4;
    if (first !== TUNNEL_DATA && !isPlain) {
      this.#handUp(fd, from, at, length);
      return;
    }
    if (peer === undefined || isPlain !== (peer.endpoint.encapsulation === 'plain')) {
      this.#counter.add('spoofed', 1);
      return;
    }
    const header = isPlain ? 0 : 4;
    if (!isPlain && this.#view.getUint8(at + 1) !== NEXT_HEADER_IPV4) this.#counter.add('malformed', 1);
    else this.#decapsulate(fd, peer, at, header, length - header);
  }

  #decapsulate(fd: number, peer: Peer, datagram: number, header: number, room: number): void {
    const at = datagram + header;
    const length = room < 20 ? 0 : this.#view.getUint16(at + 2);
    const firstOctet = length === 0 ? 0 : this.#view.getUint8(at);
    if (firstOctet >> 4 !== 4 || length > room || length < 4 * (firstOctet & 15) || (firstOctet & 15) < 5) {
      this.#counter.add('malformed', 1);
      return;
    }
    // The reverse tunnel check at the home agent; the mobile node asks the same of what is sent to it.
    const binding = peer.bindings.get(this.#view.getUint32(at + (this.#isMobileNode ? 16 : 12)));
    const { correspondentAddress } = peer.endpoint;
    const farther = this.#view.getUint32(at + (this.#isMobileNode ? 12 : 16));
    if (binding === undefined || (correspondentAddress !== undefined && farther !== correspondentAddress)) {
      this.#counter.add('spoofed', 1);
      return;
    }
    this.#counter.add('packetsReceived', 1);
    this.#counter.add('octetsReceived', length);
    // A correspondent is pinged by people too: what has data is not ours (tunnel-data.ts).
    const isProbe =
      farther === (correspondentAddress ?? binding.homeAgent) &&
      (correspondentAddress === undefined || length === probeOctets) &&
      this.#isEcho(at);
    if (isProbe) this.#handUp(fd, peer.endpoint, datagram, header + length);
    // A mobile node's own pings of the home agent look the same; the kernel knows which reply is whose.
    if (!isProbe || this.#isMobileNode) this.#output.add(at, length);
  }

  /** An echo request to the agent, or its reply (RFC 3519 §4.9). */
  #isEcho(at: number): boolean {
    if (this.#view.getUint8(at + 9) !== ipProtocol.icmp) return false;
    const type = this.#view.getUint8(at + 4 * (this.#view.getUint8(at) & 15));
    return type === (this.#isMobileNode ? ECHO_REPLY : ECHO_REQUEST);
  }

  #handUp(fd: number, { address, port }: Destination, at: number, length: number): void {
    this.#report({
      kind: 'datagram',
      fd,
      from: { address, port },
      payload: this.#memory.octets.slice(at, at + length),
    });
  }

  /** struct mmsghdr with name, one vector and control message. */
  #describe(index: number): void {
    const header = index * HEADER;
    this.#memory.writePointer(this.#view, header, NAMES_AT + index * NAME);
    const vector = VECTORS_AT + index * VECTOR;
    this.#memory.writePointer(this.#view, header + 16, vector);
    this.#view.setUint32(header + 24, 1, true);
    writeVector(this.#view, vector, this.#memory, SLOTS_AT + index * slotOctets, slotOctets);
    this.#memory.writePointer(this.#view, header + 32, CONTROLS_AT + index * CONTROL);
    this.#reset(index);
  }

  /** The kernel wrote the lengths that it used. */
  #reset(index: number): void {
    this.#view.setUint32(index * HEADER + 8, NAME, true);
    this.#view.setUint32(index * HEADER + 40, CONTROL, true);
  }
}

function keyOf(address: number, port: number): number {
  return address * 0x1_0000 + port;
}

const batchSize = 32;
/** A joined datagram of the largest size. */
const slotOctets = 65_536;
const [HEADER, NAME, VECTOR, CONTROL] = [64, 16, 16, 32];
const NAMES_AT = batchSize * HEADER;
const VECTORS_AT = NAMES_AT + batchSize * NAME;
const CONTROLS_AT = VECTORS_AT + batchSize * VECTOR;
const SLOTS_AT = 4096;
const TUNNEL_DATA = 4;
const NEXT_HEADER_IPV4 = 4;
/** IPv4 header and ICMP echo without data. */
const probeOctets = 28;
const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const SOL_UDP = 17;
const UDP_GRO = 104;
const MSG_DONTWAIT = 0x40;
