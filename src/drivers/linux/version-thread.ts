/**
 * The thread that changes packets from one version of IP to the other (RFC 7915): from the TUN device, by the pair of addresses whose number
 * nftables has written into the destination, and back. TCP crosses in pieces of 64 KiB whose segmentation and checksums stay with the kernel.
 */
import type { MessagePort } from 'node:worker_threads';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { checksumOf, onesComplementSumAt } from '../../protocols/ip/internet-checksum.ts';
import {
  fragmentsOf,
  type PacketSpan,
  toIpv4,
  toIpv6,
  versionHeadroom,
} from '../../protocols/ip/version-change.ts';
import { PacketMemory, vectorOctets, writeVector } from './packet-memory.ts';
import { offloadHeaderOctets } from './packet-socket.ts';
import { readDescriptor, writeVectors } from './system-calls.ts';
import { type PacketThread, runPacketThread } from './tunnel-loop.ts';
import { pairNumberOf, pairOctets } from './version-pairs.ts';

export interface VersionThreadSettings {
  readonly tun: number;
  /** Raised after a command. */
  readonly event: number;
  /** The pairs of addresses (version-pairs.ts). */
  readonly pairs: SharedArrayBuffer;
}

export function runVersionThread(settings: VersionThreadSettings, port: MessagePort): void {
  runPacketThread(new VersionThread(settings), settings.event, port);
}

class VersionThread implements PacketThread {
  readonly descriptors: readonly number[];
  readonly #tun: number;
  readonly #pairs: Uint8Array;
  readonly #memory = new PacketMemory(offloadAt + longestPacket);
  readonly #view = this.#memory.view;
  /** Of the packet that was read: in memory, the longer header takes its place. */
  readonly #offload = new Uint8Array(offloadHeaderOctets);
  readonly #offloadView = new DataView(this.#offload.buffer);
  #identification = 0;

  constructor({ tun, pairs }: VersionThreadSettings) {
    this.descriptors = [tun];
    this.#tun = tun;
    this.#pairs = new Uint8Array(pairs);
  }

  obey(): void {
    // Only the end is commanded.
  }

  receive(): void {
    for (let count = 0; count < mostPackets; count++) {
      const length = readDescriptor(this.#tun, this.#memory.addressOf(offloadAt), longestPacket);
      if (length === undefined) return;
      this.#translate(length - offloadHeaderOctets);
    }
  }

  /** What cannot be translated is dropped, as by any router. */
  #translate(length: number): void {
    this.#offload.set(this.#memory.octets.subarray(offloadAt, packetAt));
    const version = length < 20 ? 0 : this.#view.getUint8(packetAt) >> 4;
    if (version === 4) this.#translateIpv4(length);
    else if (version === 6 && length >= 40) this.#translateIpv6(length);
  }

  #translateIpv4(length: number): void {
    const isPartial = this.#isPartial;
    const [identification, flags] = [this.#view.getUint16(packetAt + 4), this.#view.getUint16(packetAt + 6)];
    const mayBeCut = (flags & DONT_FRAGMENT) === 0 && !this.#isSegmented;
    const addresses = this.#addressesOf(this.#view.getUint32(packetAt + 16), 32);
    const checksum = isPartial ? 'partial' : 'complete';
    const changed = toIpv6(this.#view, { at: packetAt, length }, addresses, checksum);
    if (changed === undefined) return;
    if (mayBeCut && changed.length > MINIMUM_LINK_MTU) this.#sendPieces(changed, identification);
    else this.#send(changed, GSO_TCPV4, GSO_TCPV6);
  }

  #translateIpv6(length: number): void {
    const addresses = this.#addressesOf(this.#view.getUint32(packetAt + 36), 8);
    const checksum = this.#isPartial ? 'partial' : 'complete';
    this.#identification = (this.#identification + 1) & 0xffff;
    const changed = toIpv4(this.#view, { at: packetAt, length }, addresses, checksum, this.#identification);
    if (changed !== undefined) this.#send(changed, GSO_TCPV6, GSO_TCPV4);
  }

  #addressesOf(lowerBits: number, octets: number): Uint8Array {
    const at = pairNumberOf(lowerBits) * pairOctets;
    return this.#pairs.subarray(at, at + octets);
  }

  get #isPartial(): boolean {
    return (this.#offloadView.getUint8(0) & NEEDS_CHECKSUM) !== 0;
  }

  get #isSegmented(): boolean {
    return this.#offloadView.getUint8(1) !== 0;
  }

  /** The transport header stays where it is, so what the offload header counts from the packet's beginning changes with that. */
  #send({ at, length }: PacketSpan, formerGso: number, gso: number): void {
    const fields = this.#offloadView;
    const shift = packetAt - at;
    const [type, headerLength] = [fields.getUint8(1), fields.getUint16(2, true)];
    if ((type & ~GSO_ECN) === formerGso) fields.setUint8(1, gso | (type & GSO_ECN));
    if (headerLength > 0) fields.setUint16(2, headerLength + shift, true);
    if (this.#isPartial) fields.setUint16(6, fields.getUint16(6, true) + shift, true);
    this.#memory.octets.set(this.#offload, at - offloadHeaderOctets);
    this.#write(at - offloadHeaderOctets, offloadHeaderOctets + length);
  }

  /** Each with a checksum that is whole, since that of a partial one's pieces nobody could complete. */
  #sendPieces({ at, length }: PacketSpan, identification: number): void {
    const view = this.#view;
    if (this.#isPartial) {
      const start = packetAt + this.#offloadView.getUint16(6, true);
      const field = start + this.#offloadView.getUint16(8, true);
      const sum = checksumOf(onesComplementSumAt(view, start, at + length - start));
      view.setUint16(field, sum || 0xffff);
    }
    for (const piece of fragmentsOf(this.#memory.octets.slice(at, at + length), identification)) {
      this.#memory.octets.fill(0, offloadAt, packetAt);
      this.#memory.octets.set(piece, packetAt);
      this.#write(offloadAt, offloadHeaderOctets + piece.length);
    }
  }

  #write(at: number, length: number): void {
    writeVector(this.#view, 0, this.#memory, at, length);
    try {
      writeVectors(this.#tun, this.#memory.addressOf(0), 1);
    } catch (error) {
      // The kernel takes a packet for malformed.
      if (!(error instanceof TrimaranError)) throw error;
    }
  }
}

/** A packet is read behind its offload header, with room ahead for the longer header; the very first octets are for a struct iovec. */
const offloadAt = vectorOctets + versionHeadroom + offloadHeaderOctets;
const packetAt = offloadAt + offloadHeaderOctets;
const longestPacket = offloadHeaderOctets + 65_575;
/** Between two looks for a command. */
const mostPackets = 256;
const NEEDS_CHECKSUM = 1;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_ECN = 0x80;
const DONT_FRAGMENT = 0x4000;
/** RFC 8200 §5. */
const MINIMUM_LINK_MTU = 1280;
