/**
 * One end of a bulk transfer over TCP (TRIM fig. 9): both ends keep a checksum over all octets, the sender watches what the kernel says
 * about retransmissions, and each watches for the longest time without progress.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TransportAddress } from '../../base/network.ts';
import { SeededRandomSource } from '../../base/random-source.ts';
import { monotonicNow } from '../../runtime/monotonic-clock.ts';
import type { BulkReport, MediaSettings } from './media-protocol.ts';
import { Pacer } from './pacer.ts';
import { StallWatch } from './stall-watch.ts';
import { endsOf, openConnection } from './tcp-connection.ts';
import { readTcpInfo, type TcpInfo } from './tcp-info.ts';
import { ThroughputSeries } from './throughput-series.ts';

const chunkOctets = 65_536;
/** A limited sender writes this often; iperf does so too. */
const writeIntervalMs = 20;
const watchIntervalMs = 20;

export class BulkProgram {
  readonly local: TransportAddress | undefined;
  readonly #settings: MediaSettings['bulk'];
  readonly #hash = createHash('sha256');
  readonly #series = new ThroughputSeries(monotonicNow());
  readonly #stalls = new StallWatch();
  readonly #chunk: Buffer;
  #socket: Socket | undefined;
  #ends = { local: '', remote: '' };
  #octets = 0;
  #isStopping = false;
  #pacer: Pacer | undefined;
  #watch: NodeJS.Timeout | undefined;
  #ending = 'open';
  #latest: TcpInfo | undefined;
  #lossStates = 0;

  /** Listening or connected when it resolves; a listener takes its peer when that comes. */
  static async start(settings: MediaSettings['bulk']): Promise<BulkProgram> {
    const { local, socket } = await openConnection(settings.opening);
    const program = new BulkProgram(settings, local);
    void socket.then((opened) => program.#run(opened));
    return program;
  }

  private constructor(settings: MediaSettings['bulk'], local: TransportAddress | undefined) {
    this.local = local;
    this.#settings = settings;
    const random = new SeededRandomSource(settings.seed);
    this.#chunk = Buffer.from(
      Uint32Array.from({ length: chunkOctets / 4 }, () => random.nextUint32()).buffer,
    );
  }

  /** The sender ends its half of the connection after what it has written. */
  stopSending(): void {
    this.#isStopping = true;
    this.#pacer?.stop();
    if (this.#settings.role === 'sender') this.#socket?.end();
  }

  close(): void {
    this.#pacer?.stop();
    clearInterval(this.#watch);
    this.#socket?.destroy();
  }

  report(): BulkReport {
    return {
      octets: this.#octets,
      checksum: this.#hash.copy().digest('hex'),
      ...this.#ends,
      ending: this.#ending,
      longestStallMs: this.#stalls.longest?.ms ?? 0,
      longestStallEndedAt: this.#stalls.longest?.endedAt ?? 0,
      stalls: this.#stalls.stalls,
      retransmittedSegments: this.#latest?.retransmittedSegments ?? 0,
      retransmissionTimeouts: this.#latest?.retransmissionTimeouts ?? this.#lossStates,
      series: this.#series.report(),
    };
  }

  #run(socket: Socket): void {
    this.#socket = socket;
    this.#ends = endsOf(socket);
    socket.on('error', (error) => {
      this.#ending = error.message;
    });
    socket.on('end', () => {
      if (this.#ending === 'open') this.#ending = 'finished';
      socket.end();
    });
    socket.on('close', () => clearInterval(this.#watch));
    if (this.#settings.role === 'receiver') socket.on('data', (octets) => this.#receive(octets));
    else this.#send(socket);
  }

  #receive(octets: Buffer): void {
    const now = monotonicNow();
    this.#hash.update(octets);
    this.#octets += octets.length;
    this.#series.add(octets.length, now);
    this.#stalls.progressed(now);
  }

  #send(socket: Socket): void {
    socket.resume();
    this.#watch = setInterval(() => this.#look(socket), watchIntervalMs);
    const rate = this.#settings.rateBitsPerSecond;
    if (rate === undefined) {
      socket.on('drain', () => this.#fill(socket));
      this.#fill(socket);
    } else {
      this.#pacer = new Pacer(() => {
        this.#write(socket, Math.round((rate * writeIntervalMs) / 8000));
        return writeIntervalMs;
      });
    }
    if (this.#isStopping) this.stopSending();
  }

  #fill(socket: Socket): void {
    while (!this.#isStopping && this.#write(socket, chunkOctets));
  }

  /** The chunk starts with its place in the stream, so that a chunk repeated or left out changes the checksum. */
  #write(socket: Socket, octets: number): boolean {
    const chunk = Buffer.from(this.#chunk.subarray(0, Math.min(octets, chunkOctets)));
    chunk.writeDoubleBE(this.#octets, 0);
    this.#hash.update(chunk);
    this.#octets += chunk.length;
    return socket.write(chunk);
  }

  #look(socket: Socket): void {
    const info = readTcpInfo(socket);
    if (info === undefined) return;
    const now = monotonicNow();
    const gained = info.acknowledgedOctets - (this.#latest?.acknowledgedOctets ?? 0);
    if (info.isInLoss && !this.#latest?.isInLoss) this.#lossStates += 1;
    this.#latest = info;
    if (gained > 0) this.#series.add(gained, now);
    if (gained > 0 || info.unacknowledged === 0) this.#stalls.progressed(now);
  }
}
