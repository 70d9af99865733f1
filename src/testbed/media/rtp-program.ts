/**
 * One end of an RTP call: sends its stream and counts what arrives, on one UDP socket as a softphone does. Each payload starts with the
 * instant of sending, which tells the one-way delay. RTCP is left out.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Instant } from '../../base/instant.ts';
import { ipFamilyOf } from '../../base/ip-address.ts';
import { isMalformed } from '../../base/malformed.ts';
import { formatTransportAddress, type TransportAddress } from '../../base/network.ts';
import { randomBelow, SeededRandomSource } from '../../base/random-source.ts';
import { decodeRtpPacket, encodeRtpPacket, type RtpPacket } from '../../protocols/rtp/rtp-header.ts';
import { StreamStatistics } from '../../protocols/rtp/stream-statistics.ts';
import { monotonicNow } from '../../runtime/monotonic-clock.ts';
import { ArrivalGaps } from './arrival-gaps.ts';
import type { MediaSettings, RtpReport } from './media-protocol.ts';
import { createMediaStream, type MediaStream } from './media-stream.ts';
import { Pacer } from './pacer.ts';
import { ThroughputSeries } from './throughput-series.ts';

interface Source {
  readonly statistics: StreamStatistics;
  leastDelayMs: number;
  mostDelayMs: number;
}

/** Strangers may send anything: so many sources and remotes are told apart, no more. */
const maximumSources = 64;

export class RtpProgram {
  readonly #socket: Socket;
  #remote: TransportAddress;
  readonly #stream: MediaStream;
  readonly #ssrc: number;
  readonly #firstSequence: number;
  readonly #sources = new Map<number, Source>();
  readonly #remotes = new Set<string>();
  readonly #gaps = new ArrivalGaps();
  readonly #series = new ThroughputSeries(monotonicNow());
  #pacer: Pacer | undefined;
  #sent = 0;
  #sentOctets = 0;

  static async start(settings: MediaSettings['rtp']): Promise<RtpProgram> {
    const socket = createSocket({
      type: ipFamilyOf(settings.local.address) === 6 ? 'udp6' : 'udp4',
      recvBufferSize: 1_000_000,
    });
    socket.bind(settings.local.port, settings.local.address);
    await once(socket, 'listening');
    return new RtpProgram(socket, settings);
  }

  private constructor(socket: Socket, settings: MediaSettings['rtp']) {
    const random = new SeededRandomSource(settings.seed);
    this.#socket = socket;
    this.#remote = settings.remote;
    this.#stream = createMediaStream(settings.stream, settings.seed, settings.rateBitsPerSecond);
    this.#ssrc = random.nextUint32();
    this.#firstSequence = randomBelow(random, 0x1_0000);
    socket.on('message', (octets, remote) => this.#receive(octets, remote));
    // The far end may not be there yet: a datagram that nobody took is a lost one.
    socket.on('error', () => {});
  }

  get local(): TransportAddress {
    return this.#socket.address();
  }

  /** Not before the other end is ready, or the first packets are lost on nobody. */
  startSending(): void {
    this.#pacer ??= new Pacer(() => this.#sendFrame());
  }

  sendTo(remote: TransportAddress): void {
    this.#remote = remote;
  }

  stopSending(): void {
    this.#pacer?.stop();
  }

  close(): void {
    this.#pacer?.stop();
    this.#socket.close();
  }

  report(): RtpReport {
    return {
      sent: this.#sent,
      sentOctets: this.#sentOctets,
      latestSendMs: this.#pacer?.latestMs ?? 0,
      received: [...this.#sources].map(([ssrc, { statistics, leastDelayMs, mostDelayMs }]) => ({
        ssrc,
        ...statistics.report(),
        delayMs: { least: leastDelayMs, most: mostDelayMs },
      })),
      gaps: this.#gaps.report(),
      remotes: [...this.#remotes],
      series: this.#series.report(),
    };
  }

  #sendFrame(): number {
    const { payloadOctets, timestamp, intervalMs } = this.#stream.nextFrame();
    payloadOctets.forEach((octets, index) => {
      this.#send(octets, timestamp, index === payloadOctets.length - 1);
    });
    return intervalMs;
  }

  #send(payloadOctets: number, timestamp: number, marker: boolean): void {
    const payload = new Uint8Array(Math.max(payloadOctets, 8));
    new DataView(payload.buffer).setFloat64(0, monotonicNow());
    const header = {
      payloadType: this.#stream.payloadType,
      marker,
      sequenceNumber: this.#firstSequence + this.#sent,
      timestamp,
      ssrc: this.#ssrc,
      contributingSources: [],
    };
    const packet = encodeRtpPacket(header, payload);
    this.#sent += 1;
    this.#sentOctets += packet.length;
    this.#socket.send(packet, this.#remote.port, this.#remote.address, () => {});
  }

  #receive(octets: Buffer, remote: RemoteInfo): void {
    const now = monotonicNow();
    if (this.#remotes.size < maximumSources) this.#remotes.add(formatTransportAddress(remote));
    const packet = decodeRtpPacket(octets);
    if (isMalformed(packet) || packet.payload.length < 8) return;
    this.#series.add(octets.length, now);
    this.#gaps.arrived(now);
    this.#count(packet, now);
  }

  #count({ header, payload }: RtpPacket, now: Instant): void {
    let source = this.#sources.get(header.ssrc);
    if (source === undefined) {
      if (this.#sources.size === maximumSources) return;
      const statistics = new StreamStatistics({ clockRateHz: this.#stream.clockRateHz });
      source = { statistics, leastDelayMs: Number.POSITIVE_INFINITY, mostDelayMs: 0 };
      this.#sources.set(header.ssrc, source);
    }
    source.statistics.receive(header, now);
    const delayMs = now - new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
    source.leastDelayMs = Math.min(source.leastDelayMs, delayMs);
    source.mostDelayMs = Math.max(source.mostDelayMs, delayMs);
  }
}
