/**
 * Packets on their way into a TUN device. TCP segments of one connection that follow each other go in as one piece of up to 64 KiB
 * (virtio-net TSO), which the kernel handles once instead of forty times (docs/userplane.md). Their checksums are looked at here, since
 * the kernel trusts a piece; what does not fit together goes in as it is.
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import {
  hasRightTcpChecksum,
  sameSegmentedPacket,
  tcpFlag,
  tcpHeadersLength,
  writeMergedHeaders,
} from '../../protocols/ip/tcp-segmentation.ts';
import { PacketMemory, vectorOctets, writeVector } from './packet-memory.ts';
import { offloadHeaderOctets } from './packet-socket.ts';
import { writeVectors } from './system-calls.ts';

export class TcpCoalescer {
  readonly #tun: number;
  /** Where the packets are. */
  readonly #packets: PacketMemory;
  readonly #onUndelivered: (packets: number) => void;
  readonly #memory = new PacketMemory(VECTORS_AT + (segmentLimit + 1) * vectorOctets);
  readonly #view = this.#memory.view;
  /** The packet that waits for more, its TCP headers' length (0: it waits for nothing) and payload per segment. */
  #first = 0;
  #headersLength = 0;
  #segmentSize = 0;
  #segments = 0;
  #length = 0;
  #lastFlags = 0;
  #nextSequence = 0;
  #isVerified = false;

  constructor(tun: number, packets: PacketMemory, onUndelivered: (packets: number) => void) {
    this.#tun = tun;
    this.#packets = packets;
    this.#onUndelivered = onUndelivered;
    writeVector(this.#view, VECTORS_AT, this.#memory, 0, offloadHeaderOctets);
  }

  /** The packet's memory must stay as it is until the next `flush`. */
  add(at: number, length: number): void {
    const { view } = this.#packets;
    const headersLength = tcpHeadersLength(view, at, length);
    if (this.#segments > 0 && headersLength === this.#headersLength && this.#append(at, length)) return;
    this.flush();
    this.#first = at;
    this.#length = length;
    this.#segments = 1;
    this.#setVector(1, at, length);
    const payload = headersLength === undefined ? 0 : length - headersLength;
    const flags = headersLength === undefined ? 0 : view.getUint8(at + 33);
    // Only data with no other news than PSH begins a piece.
    if (headersLength === undefined || payload === 0 || (flags & ~tcpFlag.cwr) !== tcpFlag.ack) {
      this.flush();
      return;
    }
    this.#headersLength = headersLength;
    this.#segmentSize = payload;
    this.#nextSequence = (view.getUint32(at + 24) + payload) >>> 0;
    this.#lastFlags = 0;
    this.#isVerified = false;
  }

  /** Writes what waits. */
  flush(): void {
    const segments = this.#segments;
    if (segments === 0) return;
    this.#segments = 0;
    const vectors = segments + 1;
    if (segments === 1) this.#writeOffloadHeader(0, 0, 0);
    else {
      writeMergedHeaders(this.#packets.view, this.#first, this.#length, this.#lastFlags);
      this.#writeOffloadHeader(GSO_TCPV4, this.#headersLength, this.#segmentSize);
    }
    this.#headersLength = 0;
    if (!this.#write(vectors)) this.#onUndelivered(segments);
  }

  /** False when the packet is not the next segment of what waits. */
  #append(at: number, length: number): boolean {
    const { view } = this.#packets;
    const headersLength = this.#headersLength;
    const payload = length - headersLength;
    if (payload === 0 || payload > this.#segmentSize || this.#length + payload > longestPiece) return false;
    if (this.#segments === segmentLimit || view.getUint32(at + 24) !== this.#nextSequence) return false;
    if (!sameSegmentedPacket(view, this.#first, at, headersLength)) return false;
    const flags = view.getUint8(at + 33);
    if ((flags & tcpFlag.cwr) !== 0) return false;
    this.#isVerified ||= hasRightTcpChecksum(view, this.#first, this.#length);
    if (!this.#isVerified || !hasRightTcpChecksum(view, at, length)) return false;
    this.#segments++;
    this.#length += payload;
    this.#nextSequence = (this.#nextSequence + payload) >>> 0;
    this.#lastFlags = flags & (tcpFlag.fin | tcpFlag.psh);
    this.#setVector(this.#segments, at + headersLength, payload);
    if (payload < this.#segmentSize || this.#lastFlags !== 0) this.flush();
    return true;
  }

  #setVector(index: number, offset: number, length: number): void {
    writeVector(this.#view, VECTORS_AT + index * vectorOctets, this.#packets, offset, length);
  }

  /** struct virtio_net_hdr. */
  #writeOffloadHeader(type: number, headersLength: number, segmentSize: number): void {
    const isPiece = type !== 0;
    this.#view.setUint8(0, isPiece ? NEEDS_CHECKSUM : 0);
    this.#view.setUint8(1, type);
    this.#view.setUint16(2, headersLength, true);
    this.#view.setUint16(4, segmentSize, true);
    this.#view.setUint16(6, isPiece ? IP_HEADER : 0, true);
    this.#view.setUint16(8, isPiece ? TCP_CHECKSUM : 0, true);
  }

  #write(vectors: number): boolean {
    try {
      return writeVectors(this.#tun, this.#memory.addressOf(VECTORS_AT), vectors);
    } catch (error) {
      // Somebody switched the device off, or the kernel refuses what the packet claims to be.
      if (!(error instanceof TrimaranError)) throw error;
      return false;
    }
  }
}

/** An IPv4 packet's. */
const longestPiece = 65_535;
const segmentLimit = 128;
const VECTORS_AT = 16;
const GSO_TCPV4 = 1;
const NEEDS_CHECKSUM = 1;
const IP_HEADER = 20;
const TCP_CHECKSUM = 16;
