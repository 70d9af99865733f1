/**
 * One end of an ssh-like session over TCP: the typist sends a short record for each key, at a person's irregular pace, and times its echo.
 */
import type { Socket } from 'node:net';
import type { Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import { type RandomSource, randomFraction, SeededRandomSource } from '../../base/random-source.ts';
import { monotonicNow } from '../../runtime/monotonic-clock.ts';
import type { InteractiveReport, MediaSettings } from './media-protocol.ts';
import { Pacer } from './pacer.ts';
import { endsOf, openConnection } from './tcp-connection.ts';

/** What ssh sends for one key: 36 octets of ciphertext. */
const keyOctets = 36;

export class InteractiveProgram {
  readonly local: TransportAddress | undefined;
  readonly #role: 'typist' | 'echo';
  readonly #random: RandomSource;
  readonly #sentAt: Instant[] = [];
  readonly #roundTripsMs: number[] = [];
  #socket: Socket | undefined;
  #pacer: Pacer | undefined;
  #ends = { local: '', remote: '' };
  #ending = 'open';
  #unread: Buffer = Buffer.alloc(0);

  /** Listening or connected when it resolves. */
  static async start(settings: MediaSettings['interactive']): Promise<InteractiveProgram> {
    const { local, socket } = await openConnection(settings.opening);
    const program = new InteractiveProgram(settings, local);
    void socket.then((opened) => program.#run(opened));
    return program;
  }

  private constructor(settings: MediaSettings['interactive'], local: TransportAddress | undefined) {
    this.local = local;
    this.#role = settings.role;
    this.#random = new SeededRandomSource(settings.seed);
  }

  stopSending(): void {
    this.#pacer?.stop();
  }

  close(): void {
    this.#pacer?.stop();
    this.#socket?.destroy();
  }

  report(): InteractiveReport {
    const sorted = this.#roundTripsMs.toSorted((a, b) => a - b);
    return {
      keys: this.#sentAt.length,
      echoed: sorted.length,
      roundTripMs: { median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 },
      ...this.#ends,
      ending: this.#ending,
    };
  }

  #run(socket: Socket): void {
    this.#socket = socket;
    this.#ends = endsOf(socket);
    socket.on('error', (error) => {
      this.#ending = error.message;
    });
    socket.on('end', () => {
      this.#ending = 'finished';
      socket.end();
    });
    if (this.#role === 'echo') {
      socket.on('data', (octets) => socket.write(octets));
      return;
    }
    socket.on('data', (octets) => this.#hear(octets));
    this.#pacer = new Pacer(() => this.#type(socket));
  }

  /** 60 to 240 ms between keys: about 80 words a minute. */
  #type(socket: Socket): number {
    const record = Buffer.alloc(keyOctets);
    record.writeUInt32BE(this.#sentAt.length);
    this.#sentAt.push(monotonicNow());
    socket.write(record);
    return 60 + 180 * randomFraction(this.#random);
  }

  #hear(octets: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, octets]);
    for (; this.#unread.length >= keyOctets; this.#unread = this.#unread.subarray(keyOctets)) {
      const key = this.#unread.readUInt32BE();
      const sentAt = this.#sentAt[key];
      // Only the echo of the next key counts: anything else was damaged or came out of order.
      if (key === this.#roundTripsMs.length && sentAt !== undefined)
        this.#roundTripsMs.push(monotonicNow() - sentAt);
    }
  }
}
