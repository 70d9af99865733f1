/**
 * One end of an RTP stream in virtual time: sends a packet every 20 ms to where it was told, as a program that knows nothing of mobility, and
 * keeps book of what arrives and from where (TRIM fig. 5).
 */
import type { Instant } from '../../src/base/instant.ts';
import type { Timeout } from '../../src/base/machine.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import {
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../../src/base/network.ts';
import type { NetworkFunction } from '../../src/base/network-function.ts';
import { decodeRtpPacket, encodeRtpPacket } from '../../src/protocols/rtp/rtp-header.ts';

export class RtpParty implements NetworkFunction<never, never, never> {
  readonly #local: TransportAddress;
  readonly #intervalMs: number;
  readonly #outputs: NetworkOutput[] = [];
  #remote: TransportAddress | undefined;
  #nextAt: Instant | undefined;
  #sent = 0;
  /** How often each sequence number arrived. */
  readonly #arrivals = new Map<number, number>();
  readonly #arrivedAt: Instant[] = [];
  readonly #remotes = new Set<string>();

  constructor(local: TransportAddress, intervalMs = 20) {
    this.#local = local;
    this.#intervalMs = intervalMs;
  }

  listen(): void {
    this.#outputs.push({ kind: 'listen', transport: 'udp', local: this.#local });
  }

  sendTo(remote: TransportAddress, now: Instant): void {
    this.#remote = remote;
    this.#nextAt = now;
  }

  stop(): void {
    this.#nextAt = undefined;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Different packets that arrived. */
  get received(): number {
    return this.#arrivals.size;
  }

  get duplicated(): number {
    return [...this.#arrivals.values()].reduce((sum, count) => sum + count - 1, 0);
  }

  get longestGapMs(): number {
    return this.#arrivedAt.reduce((gap, at, index, all) => Math.max(gap, at - (all[index - 1] ?? at)), 0);
  }

  /** Every address that packets came from. */
  get remotes(): string[] {
    return [...this.#remotes];
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind !== 'datagram-received') return;
    const packet = decodeRtpPacket(input.payload);
    if (isMalformed(packet)) return;
    const { sequenceNumber } = packet.header;
    this.#arrivals.set(sequenceNumber, (this.#arrivals.get(sequenceNumber) ?? 0) + 1);
    this.#arrivedAt.push(now);
    this.#remotes.add(formatTransportAddress(input.remote));
  }

  handleTimeout(now: Instant): void {
    if (this.#nextAt === undefined || this.#nextAt > now || this.#remote === undefined) return;
    const sequenceNumber = this.#sent++;
    const header = {
      payloadType: 8,
      marker: false,
      sequenceNumber,
      timestamp: sequenceNumber * 160,
      ssrc: 1,
      contributingSources: [],
    };
    const payload = encodeRtpPacket(header, new Uint8Array(160));
    this.#outputs.push({
      kind: 'transmit',
      transport: 'udp',
      local: this.#local,
      remote: this.#remote,
      payload,
    });
    this.#nextAt += this.#intervalMs;
  }

  pollTimeout(): Timeout | undefined {
    return this.#nextAt === undefined ? undefined : { at: this.#nextAt, reason: 'next packet' };
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }
}
