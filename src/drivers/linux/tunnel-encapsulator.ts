/**
 * The way into the tunnel (RFC 3519 §4.5, RFC 3024 §4): packets from the TUN device, each to the endpoints that the rules of its home
 * address choose. Runs in a thread of its own; a changed binding holds from the next packet on, so a handover loses and doubles nothing.
 *
 *   TUN ─▶ (TCP pieces of 64 KiB: headers per segment) ─▶ 04 04 00 00 + packet ─▶ one batch of datagrams per socket
 *
 * The kernel has done before what a router does: decremented the TTL, fragmented, answered what is too big (the route's MTU says when).
 */
import type { MessagePort } from 'node:worker_threads';
import { checksumOf, onesComplementSumAt } from '../../protocols/ip/internet-checksum.ts';
import { ipProtocol } from '../../protocols/ip/ip-packet.ts';
import {
  clampSegmentSize,
  type SegmentedPacket,
  segmentCount,
  tcpHeadersLength,
  writeSegmentHeaders,
} from '../../protocols/ip/tcp-segmentation.ts';
import { selectTunnelRule, type TunnelFlow } from '../../protocols/mobile-ip/tunnel-state.ts';
import { PacketMemory } from './packet-memory.ts';
import { offloadHeaderOctets } from './packet-socket.ts';
import { SegmentedDatagrams, type SendFailure } from './segmented-datagrams.ts';
import { readDescriptor } from './system-calls.ts';
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

export function runEncapsulator(settings: TunnelLoopSettings, port: MessagePort): void {
  const report = (message: TunnelReport): void => port.postMessage(message);
  runPacketThread(new Encapsulator(settings, report), settings.event, port);
}

class Encapsulator implements PacketThread {
  readonly descriptors: readonly number[];
  readonly #tun: number;
  /** Where in a packet its home address is: the source here, at an agent the destination. */
  readonly #isMobileNode: boolean;
  readonly #report: (report: TunnelReport) => void;
  readonly #counter: Counter;
  readonly #bindings = new Map<number, LoopBinding>();
  readonly #sockets = new Map<number, SegmentedDatagrams>();
  readonly #memory = new PacketMemory(packetArea + headerLimit * headerStride);
  readonly #view = this.#memory.view;
  readonly #flow = { correspondentAddress: 0, protocol: 0, homePort: 0, correspondentPort: 0 };
  #headersUsed = 0;
  #toldAt = 0;

  constructor(settings: TunnelLoopSettings, report: (report: TunnelReport) => void) {
    this.descriptors = [settings.tun];
    this.#tun = settings.tun;
    this.#isMobileNode = settings.placement === 'mobile-node';
    this.#report = report;
    this.#counter = new Counter(settings.counters);
  }

  obey(command: TunnelCommand): void {
    if (command.kind === 'bind') this.#bindings.set(command.binding.homeAddress, command.binding);
    if (command.kind === 'unbind') {
      this.#drain();
      this.#bindings.delete(command.homeAddress);
    }
    if (command.kind === 'open')
      this.#sockets.set(command.fd, new SegmentedDatagrams(command.fd, (failure) => this.#lost(failure)));
    if (command.kind === 'close') {
      this.#sockets.delete(command.fd);
      this.#report({ kind: 'closed', fd: command.fd });
    }
  }

  /** One packet after the other in the packet area until that is full or nothing more is there; then all leave. */
  receive(): void {
    this.#receive();
  }

  /** What was routed here while there was a binding still has one; what follows has another route by now. */
  #drain(): void {
    for (let batches = 0; batches < mostBatches && this.#receive(); batches++);
  }

  /** Whether there was anything. */
  #receive(): boolean {
    this.#headersUsed = 0;
    let isEmpty = true;
    for (let at = 0; at + slotOctets <= packetArea && this.#headersUsed + mostSegments <= headerLimit; ) {
      const length = readDescriptor(this.#tun, this.#memory.addressOf(at), slotOctets);
      if (length === undefined) break;
      isEmpty = false;
      this.#encapsulate(at, length - offloadHeaderOctets);
      at = (at + length + 15) & ~15;
    }
    for (const socket of this.#sockets.values()) socket.send();
    return !isEmpty;
  }

  #encapsulate(offloadHeader: number, length: number): void {
    const at = offloadHeader + offloadHeaderOctets;
    if (length < 20 || this.#view.getUint8(at) >> 4 !== 4) return;
    const binding = this.#bindings.get(this.#view.getUint32(at + (this.#isMobileNode ? 12 : 16)));
    const rule = binding && selectTunnelRule(binding.rules, this.#flowOf(at, length));
    if (rule === undefined || rule.endpoints.length === 0) {
      this.#counter.add('unbound', 1);
      return;
    }
    const isSegmented = this.#view.getUint8(offloadHeader + 1) !== 0;
    const count = isSegmented
      ? this.#sendSegments(offloadHeader, at, length, rule.endpoints)
      : this.#sendWhole(offloadHeader, at, length, rule.endpoints, binding?.segmentSize ?? 0);
    this.#counter.add('packetsSent', count);
    this.#counter.add('octetsSent', length);
  }

  #flowOf(at: number, length: number): TunnelFlow<number> {
    const flow = this.#flow;
    const transport = at + 4 * (this.#view.getUint8(at) & 15);
    flow.protocol = this.#view.getUint8(at + 9);
    const hasPorts =
      (flow.protocol === ipProtocol.tcp || flow.protocol === ipProtocol.udp) &&
      (this.#view.getUint16(at + 6) & 0x1fff) === 0 &&
      transport + 4 <= at + length;
    const source = hasPorts ? this.#view.getUint16(transport) : 0;
    const destination = hasPorts ? this.#view.getUint16(transport + 2) : 0;
    flow.homePort = this.#isMobileNode ? source : destination;
    flow.correspondentPort = this.#isMobileNode ? destination : source;
    flow.correspondentAddress = this.#view.getUint32(at + (this.#isMobileNode ? 16 : 12));
    return flow;
  }

  /** The tunnel header takes the last four octets of the offload header, so the datagram is one piece of memory. */
  #sendWhole(
    offloadHeader: number,
    at: number,
    length: number,
    endpoints: readonly LoopEndpoint[],
    segmentSize: number,
  ): number {
    if ((this.#view.getUint8(offloadHeader) & NEEDS_CHECKSUM) !== 0) this.#sum(offloadHeader, at, length);
    if (this.#view.getUint8(at + 9) === ipProtocol.tcp) {
      const headersLength = tcpHeadersLength(this.#view, at, length);
      if (headersLength !== undefined) clampSegmentSize(this.#view, at, headersLength, segmentSize);
    }
    this.#view.setUint32(at - 4, TUNNEL_HEADER);
    for (const endpoint of endpoints) {
      const header = endpoint.encapsulation === 'plain' ? 0 : 4;
      this.#sockets.get(endpoint.fd)?.add(endpoint, this.#memory, at - header, length + header);
    }
    return 1;
  }

  #sendSegments(
    offloadHeader: number,
    at: number,
    length: number,
    endpoints: readonly LoopEndpoint[],
  ): number {
    const headersLength = tcpHeadersLength(this.#view, at, length);
    const segmentSize = this.#view.getUint16(offloadHeader + 4, true);
    if (headersLength === undefined || segmentSize === 0) return this.#discard();
    const packet: SegmentedPacket = { view: this.#view, at, length, headersLength, segmentSize };
    const count = segmentCount(packet);
    if (count > mostSegments) return this.#discard();
    const headers = packetArea + this.#headersUsed * headerStride + 4;
    this.#headersUsed += count;
    writeSegmentHeaders(packet, headers, headerStride);
    for (let index = 0; index < count; index++)
      this.#view.setUint32(headers + index * headerStride - 4, TUNNEL_HEADER);
    for (const endpoint of endpoints) this.#addSegments(endpoint, packet, headers, count);
    return count;
  }

  #addSegments(endpoint: LoopEndpoint, packet: SegmentedPacket, headers: number, count: number): void {
    const socket = this.#sockets.get(endpoint.fd);
    if (socket === undefined) return;
    const { at, length, headersLength, segmentSize } = packet;
    const tunnelHeader = endpoint.encapsulation === 'plain' ? 0 : 4;
    for (let index = 0; index < count; index++) {
      const from = headersLength + index * segmentSize;
      const header = headers + index * headerStride - tunnelHeader;
      const payload = Math.min(segmentSize, length - from);
      socket.add(endpoint, this.#memory, header, headersLength + tunnelHeader, at + from, payload);
    }
  }

  /** Completes the checksum that the kernel left to the device (virtio 1.2 §5.1.6.2). */
  #sum(offloadHeader: number, at: number, length: number): void {
    const start = this.#view.getUint16(offloadHeader + 6, true);
    const field = at + start + this.#view.getUint16(offloadHeader + 8, true);
    if (field + 2 > at + length) return;
    const checksum = checksumOf(onesComplementSumAt(this.#view, at + start, length - start));
    this.#view.setUint16(field, checksum || 0xffff);
  }

  #discard(): number {
    this.#counter.add('unsent', 1);
    return 0;
  }

  #lost({ destination, code, datagrams }: SendFailure): void {
    this.#counter.add('unsent', datagrams);
    const now = performance.now();
    // EINVAL: the same of segmented messages, but also a local address that is gone, which no bind mends.
    if ((code === 'EMSGSIZE' || code === 'EINVAL') && now >= this.#toldAt + reportIntervalMs) {
      this.#toldAt = now;
      const { address, port } = destination;
      this.#report({ kind: 'too-big', destination: { address, port } });
    }
  }
}

/** Room for several TCP pieces of 64 KiB or hundreds of small packets, and still in the processor's cache. */
const packetArea = 384 * 1024;
/** Of a full queue of the device (tun-device.ts). */
const mostBatches = 16;
const slotOctets = offloadHeaderOctets + 65_536;
/** Tunnel header, and IP and TCP headers with all their options. */
const headerStride = 128;
const headerLimit = 4096;
/** Of a piece of 64 KiB in the smallest segments that Linux makes (88 octets with all options). */
const mostSegments = 1024;
/** RFC 3519 §3.3.3: message type 4, next header 4 (IPv4), reserved. */
const TUNNEL_HEADER = 0x0404_0000;
const NEEDS_CHECKSUM = 1;
/** A path that fails packet after packet shall not keep the main thread busy. */
const reportIntervalMs = 10;
