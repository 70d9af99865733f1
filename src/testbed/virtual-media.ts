/**
 * The applications of a scenario in virtual time: the twins of the media programs (media/), which send the same packets and octets and report in
 * the same form. They are machines over the virtual host's sockets and know nothing of mobility.
 */
import { createHash, type Hash } from 'node:crypto';
import { Fifo } from '../base/fifo.ts';
import type { DurationMs, Instant } from '../base/instant.ts';
import type { Timeout } from '../base/machine.ts';
import { isMalformed } from '../base/malformed.ts';
import {
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../base/network.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import { randomBelow, randomFraction, SeededRandomSource } from '../base/random-source.ts';
import { decodeRtpPacket, encodeRtpPacket } from '../protocols/rtp/rtp-header.ts';
import { StreamStatistics } from '../protocols/rtp/stream-statistics.ts';
import { ArrivalGaps } from './media/arrival-gaps.ts';
import type {
  BulkReport,
  InteractiveReport,
  MediaSettings,
  Opening,
  RtpReport,
} from './media/media-protocol.ts';
import { createMediaStream, type MediaStream } from './media/media-stream.ts';
import { StallWatch } from './media/stall-watch.ts';
import { ThroughputSeries } from './media/throughput-series.ts';

/** What all of them share: outputs, and one instant at which the next thing is to be sent. */
abstract class VirtualMedium implements NetworkFunction<never, never, never> {
  protected readonly outputs: Fifo<NetworkOutput> = new Fifo();
  protected nextAt: Instant | undefined;

  abstract handleInput(input: NetworkInput, now: Instant): void;
  /** Sends what is due and says how long after `dueAt` the next is. */
  protected abstract send(now: Instant): DurationMs;

  stopSending(): void {
    this.nextAt = undefined;
  }

  handleTimeout(now: Instant): void {
    while (this.nextAt !== undefined && this.nextAt <= now) {
      const dueAt = this.nextAt;
      const afterMs = this.send(now);
      if (this.nextAt !== undefined) this.nextAt = dueAt + afterMs;
    }
  }

  pollOutput(): NetworkOutput | undefined {
    return this.outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    return this.nextAt === undefined ? undefined : { at: this.nextAt, reason: 'next media' };
  }
}

export class VirtualRtp extends VirtualMedium {
  readonly #settings: MediaSettings['rtp'];
  #remote: TransportAddress;
  readonly #stream: MediaStream;
  readonly #ssrc: number;
  readonly #firstSequence: number;
  readonly #series: ThroughputSeries;
  readonly #remotes = new Set<string>();
  readonly #gaps = new ArrivalGaps();
  readonly #statistics: StreamStatistics;
  #leastDelayMs = Number.POSITIVE_INFINITY;
  #mostDelayMs = 0;
  #sent = 0;
  #sentOctets = 0;

  constructor(settings: MediaSettings['rtp'], now: Instant) {
    super();
    const random = new SeededRandomSource(settings.seed);
    this.#settings = settings;
    this.#remote = settings.remote;
    this.#stream = createMediaStream(settings.stream, settings.seed, settings.rateBitsPerSecond);
    this.#ssrc = random.nextUint32();
    this.#firstSequence = randomBelow(random, 0x1_0000);
    this.#series = new ThroughputSeries(now);
    this.#statistics = new StreamStatistics({ clockRateHz: this.#stream.clockRateHz });
    this.outputs.push({ kind: 'listen', transport: 'udp', local: settings.local });
  }

  startSending(now: Instant): void {
    this.nextAt = now;
  }

  sendTo(remote: TransportAddress): void {
    this.#remote = remote;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind !== 'datagram-received') return;
    this.#remotes.add(formatTransportAddress(input.remote));
    const packet = decodeRtpPacket(input.payload);
    if (isMalformed(packet)) return;
    this.#series.add(input.payload.length, now);
    this.#gaps.arrived(now);
    this.#statistics.receive(packet.header, now);
    const delayMs = now - new DataView(packet.payload.buffer, packet.payload.byteOffset).getFloat64(0);
    this.#leastDelayMs = Math.min(this.#leastDelayMs, delayMs);
    this.#mostDelayMs = Math.max(this.#mostDelayMs, delayMs);
  }

  report(): RtpReport {
    const delayMs = { least: this.#leastDelayMs, most: this.#mostDelayMs };
    const hasReceived = this.#remotes.size > 0;
    return {
      sent: this.#sent,
      sentOctets: this.#sentOctets,
      latestSendMs: 0,
      // The source's own SSRC is the peer's business; there is only one.
      received: hasReceived ? [{ ssrc: 0, ...this.#statistics.report(), delayMs }] : [],
      gaps: this.#gaps.report(),
      remotes: [...this.#remotes],
      series: this.#series.report(),
    };
  }

  protected send(now: Instant): DurationMs {
    const { payloadOctets, timestamp, intervalMs } = this.#stream.nextFrame();
    payloadOctets.forEach((octets, index) => {
      const payload = new Uint8Array(Math.max(octets, 8));
      new DataView(payload.buffer).setFloat64(0, now);
      const packet = encodeRtpPacket(
        {
          payloadType: this.#stream.payloadType,
          marker: index === payloadOctets.length - 1,
          sequenceNumber: this.#firstSequence + this.#sent,
          timestamp,
          ssrc: this.#ssrc,
          contributingSources: [],
        },
        payload,
      );
      this.#sent += 1;
      this.#sentOctets += packet.length;
      const { local } = this.#settings;
      this.outputs.push({
        kind: 'transmit',
        transport: 'udp',
        local,
        remote: this.#remote,
        payload: packet,
      });
    });
    return intervalMs;
  }
}

/** Opens the one connection of a TCP medium. */
function open(opening: Opening, outputs: Fifo<NetworkOutput>): void {
  if (opening.kind === 'listen') outputs.push({ kind: 'listen', transport: 'tcp', local: opening.local });
  else {
    const { remote, local } = opening;
    outputs.push({ kind: 'connect', connection: 'o1', remote, ...(local && { local }) });
  }
}

interface Connection {
  readonly id: string;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
}

/** The connection that an input tells of, once it is there. */
function connectionOf(input: NetworkInput, opening: Opening): Connection | undefined {
  if (input.kind === 'connection-accepted')
    return { id: input.connection, local: input.local, remote: input.remote };
  if (input.kind === 'connection-established' && opening.kind === 'connect')
    return { id: input.connection, local: input.local, remote: opening.remote };
  return undefined;
}

const bulkIntervalMs = 20;
/** What an unlimited sender keeps written and not yet received: a socket's send buffer. */
const sendBufferOctets = 262_144;
const chunkOctets = 65_536;

export class VirtualBulk extends VirtualMedium {
  readonly #settings: MediaSettings['bulk'];
  /** How much the other end has: what the kernel would tell the sender by a full buffer. */
  readonly #receivedByPeer: () => number;
  readonly #hash: Hash = createHash('sha256');
  readonly #series: ThroughputSeries;
  readonly #stalls = new StallWatch();
  readonly #chunk: Uint8Array;
  #connection: Connection | undefined;
  #octets = 0;
  #ending = 'open';

  constructor(settings: MediaSettings['bulk'], receivedByPeer: () => number, now: Instant) {
    super();
    this.#settings = settings;
    this.#receivedByPeer = receivedByPeer;
    this.#series = new ThroughputSeries(now);
    const random = new SeededRandomSource(settings.seed);
    this.#chunk = new Uint8Array(
      Uint32Array.from({ length: chunkOctets / 4 }, () => random.nextUint32()).buffer,
    );
    open(settings.opening, this.outputs);
  }

  get octets(): number {
    return this.#octets;
  }

  override stopSending(): void {
    super.stopSending();
    if (this.#settings.role === 'sender' && this.#connection !== undefined) {
      this.outputs.push({ kind: 'close', connection: this.#connection.id });
      this.#ending = 'finished';
    }
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#connection ??= connectionOf(input, this.#settings.opening);
    if (input.kind === 'stream-received') this.#receive(input.payload, now);
    else if (input.kind === 'connection-closed')
      this.#ending = input.reason === 'closed by the peer' ? 'finished' : input.reason;
    else if (this.#connection !== undefined && this.#settings.role === 'sender') this.nextAt ??= now;
  }

  /** `retransmissions` are the sending host's: the simulator counts them there. */
  report(retransmissions: { readonly retransmittedSegments: number; readonly timeouts: number }): BulkReport {
    return {
      octets: this.#octets,
      checksum: this.#hash.copy().digest('hex'),
      local: this.#connection ? formatTransportAddress(this.#connection.local) : '',
      remote: this.#connection ? formatTransportAddress(this.#connection.remote) : '',
      ending: this.#ending,
      longestStallMs: this.#stalls.longest?.ms ?? 0,
      longestStallEndedAt: this.#stalls.longest?.endedAt ?? 0,
      stalls: this.#stalls.stalls,
      retransmittedSegments: retransmissions.retransmittedSegments,
      retransmissionTimeouts: retransmissions.timeouts,
      series: this.#series.report(),
    };
  }

  protected send(): DurationMs {
    const { rateBitsPerSecond: rate } = this.#settings;
    if (rate !== undefined) this.#write(Math.round((rate * bulkIntervalMs) / 8000));
    else while (this.#octets - this.#receivedByPeer() < sendBufferOctets) this.#write(chunkOctets);
    return bulkIntervalMs;
  }

  #write(octets: number): void {
    if (this.#connection === undefined) return;
    const payload = this.#chunk.slice(0, Math.min(octets, chunkOctets));
    new DataView(payload.buffer).setFloat64(0, this.#octets);
    this.#hash.update(payload);
    this.#octets += payload.length;
    this.outputs.push({ kind: 'transmit', transport: 'tcp', connection: this.#connection.id, payload });
  }

  #receive(payload: Uint8Array, now: Instant): void {
    this.#hash.update(payload);
    this.#octets += payload.length;
    this.#series.add(payload.length, now);
    this.#stalls.progressed(now);
  }
}

/** What ssh sends for one key. */
const keyOctets = 36;

export class VirtualInteractive extends VirtualMedium {
  readonly #settings: MediaSettings['interactive'];
  readonly #random: SeededRandomSource;
  readonly #sentAt: Instant[] = [];
  readonly #roundTripsMs: number[] = [];
  #connection: Connection | undefined;
  #unread = 0;
  #ending = 'open';

  constructor(settings: MediaSettings['interactive']) {
    super();
    this.#settings = settings;
    this.#random = new SeededRandomSource(settings.seed);
    open(settings.opening, this.outputs);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#connection ??= connectionOf(input, this.#settings.opening);
    if (input.kind === 'connection-closed') this.#ending = input.reason;
    else if (input.kind === 'stream-received') this.#hear(input.payload, now);
    else if (this.#connection !== undefined && this.#settings.role === 'typist') this.nextAt ??= now;
  }

  report(): InteractiveReport {
    const sorted = this.#roundTripsMs.toSorted((a, b) => a - b);
    return {
      keys: this.#sentAt.length,
      echoed: sorted.length,
      roundTripMs: { median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 },
      local: this.#connection ? formatTransportAddress(this.#connection.local) : '',
      remote: this.#connection ? formatTransportAddress(this.#connection.remote) : '',
      ending: this.#ending,
    };
  }

  /** 60 to 240 ms between keys, as media/interactive-program.ts. */
  protected send(now: Instant): DurationMs {
    this.#sentAt.push(now);
    this.#transmit(new Uint8Array(keyOctets));
    return 60 + 180 * randomFraction(this.#random);
  }

  #hear(payload: Uint8Array, now: Instant): void {
    if (this.#settings.role === 'echo') {
      this.#transmit(payload);
      return;
    }
    // The simulator's TCP keeps order and content, so the place of a key says which it is.
    for (this.#unread += payload.length; this.#unread >= keyOctets; this.#unread -= keyOctets)
      this.#roundTripsMs.push(now - (this.#sentAt[this.#roundTripsMs.length] ?? now));
  }

  #transmit(payload: Uint8Array): void {
    if (this.#connection !== undefined)
      this.outputs.push({ kind: 'transmit', transport: 'tcp', connection: this.#connection.id, payload });
  }
}
