/**
 * One direction of an access link as a machine (TRIM fig. 7): a queue in front of a line of limited rate, then the air.
 *
 *   offered ─▶ queue (octet limit) ─▶ line (token bucket) ─▶ loss ─▶ air (delay ± jitter, in order) ─▶ delivered
 *
 * Instants are exact however late the owner calls: a packet's departure and arrival follow from the inputs, not from when
 * `handleTimeout` came. Changed characteristics hold from that instant on: for the packet at the head of the queue too, not for packets
 * already in the air. Not here: reordering and duplication, which an in-sequence bearer does not do (the virtual network adds them).
 */
import { Fifo } from '../base/fifo.ts';
import type { Instant } from '../base/instant.ts';
import type { Machine, Timeout } from '../base/machine.ts';
import { type RandomSource, randomFraction } from '../base/random-source.ts';
import type { LinkCharacteristics } from './link-characteristics.ts';
import { LossProcess } from './loss-process.ts';

export type LinkInput<Packet> =
  /** `octets` is the length of the IP packet. */
  | { readonly kind: 'packet-offered'; readonly packet: Packet; readonly octets: number }
  | { readonly kind: 'characteristics-changed'; readonly characteristics: LinkCharacteristics }
  /** What waits and what is in the air is dropped, and whatever is offered until the link is up again. */
  | { readonly kind: 'link-went-down' }
  | { readonly kind: 'link-came-up' };

export type DropReason = 'link-down' | 'queue-full' | 'lost';

export type LinkOutput<Packet> =
  | { readonly kind: 'packet-delivered'; readonly packet: Packet }
  | { readonly kind: 'packet-dropped'; readonly packet: Packet; readonly reason: DropReason };

interface Waiting<Packet> {
  readonly packet: Packet;
  readonly octets: number;
}

interface InTheAir<Packet> {
  readonly packet: Packet;
  readonly arrivalAt: Instant;
}

export class LinkEmulator<Packet> implements Machine<LinkInput<Packet>, LinkOutput<Packet>> {
  readonly #random: RandomSource;
  readonly #loss: LossProcess;
  readonly #outputs = new Fifo<LinkOutput<Packet>>();
  #characteristics: LinkCharacteristics;
  #isUp = true;
  #queue = new Fifo<Waiting<Packet>>();
  #queuedOctets = 0;
  #air = new Fifo<InTheAir<Packet>>();
  #lastArrivalAt: Instant = Number.NEGATIVE_INFINITY;
  /** Octets that the line may pass at `#tokensAt`; grows with the rate. */
  #tokens: number;
  #tokensAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(characteristics: LinkCharacteristics, random: RandomSource) {
    this.#characteristics = characteristics;
    this.#tokens = characteristics.burstOctets;
    this.#random = random;
    this.#loss = new LossProcess(random);
  }

  get queuedOctets(): number {
    return this.#queuedOctets;
  }

  handleInput(input: LinkInput<Packet>, now: Instant): void {
    this.handleTimeout(now);
    switch (input.kind) {
      case 'packet-offered':
        this.#offer(input.packet, input.octets, now);
        break;
      case 'characteristics-changed':
        this.#refill(now);
        this.#characteristics = input.characteristics;
        break;
      case 'link-went-down':
        this.#goDown();
        break;
      case 'link-came-up':
        this.#isUp = true;
        break;
    }
    this.handleTimeout(now);
  }

  handleTimeout(now: Instant): void {
    for (let at = this.#nextDepartureAt(); at !== undefined && at <= now; at = this.#nextDepartureAt())
      this.#depart(at);
    for (let next = this.#air.peek(); next !== undefined && next.arrivalAt <= now; next = this.#air.peek()) {
      this.#air.shift();
      this.#outputs.push({ kind: 'packet-delivered', packet: next.packet });
    }
  }

  pollOutput(): LinkOutput<Packet> | undefined {
    return this.#outputs.shift();
  }

  /** Nothing overtakes the first packet in the air, so the line need not be looked at before that one arrives. */
  pollTimeout(): Timeout | undefined {
    const arriving = this.#air.peek();
    if (arriving !== undefined) return { at: arriving.arrivalAt, reason: 'packet arrives' };
    const at = this.#nextDepartureAt();
    return at === undefined ? undefined : { at, reason: 'packet leaves the line' };
  }

  #offer(packet: Packet, octets: number, now: Instant): void {
    if (!this.#isUp) {
      this.#drop(packet, 'link-down');
    } else if (this.#queuedOctets + octets > this.#characteristics.queueLimitOctets) {
      this.#drop(packet, 'queue-full');
    } else {
      if (this.#queue.length === 0) this.#refill(now);
      this.#queue.push({ packet, octets });
      this.#queuedOctets += octets;
    }
  }

  /** Moves the bucket to `now`. It overflows at its depth unless a longer packet waits for it to fill. */
  #refill(now: Instant): void {
    const { rateBitsPerSecond, burstOctets } = this.#characteristics;
    const depth = Math.max(burstOctets, this.#queue.peek()?.octets ?? 0);
    const gained =
      rateBitsPerSecond === undefined ? depth : ((now - this.#tokensAt) * rateBitsPerSecond) / 8000;
    this.#tokens = Math.min(depth, this.#tokens + gained);
    this.#tokensAt = now;
  }

  #nextDepartureAt(): Instant | undefined {
    const head = this.#queue.peek();
    if (head === undefined) return undefined;
    const { rateBitsPerSecond } = this.#characteristics;
    if (rateBitsPerSecond === undefined || this.#tokens >= head.octets) return this.#tokensAt;
    return this.#tokensAt + ((head.octets - this.#tokens) * 8000) / rateBitsPerSecond;
  }

  #depart(at: Instant): void {
    const head = this.#queue.shift();
    if (head === undefined) return;
    this.#tokens = at === this.#tokensAt ? Math.max(0, this.#tokens - head.octets) : 0;
    this.#tokensAt = at;
    this.#queuedOctets -= head.octets;
    if (this.#loss.isNextLost(this.#characteristics.loss)) {
      this.#drop(head.packet, 'lost');
      return;
    }
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, at + this.#drawDelay());
    this.#air.push({ packet: head.packet, arrivalAt: this.#lastArrivalAt });
  }

  #drawDelay(): number {
    const { delayMs, jitterMs } = this.#characteristics;
    if (jitterMs === 0) return delayMs;
    return Math.max(0, delayMs + jitterMs * (2 * randomFraction(this.#random) - 1));
  }

  #goDown(): void {
    this.#isUp = false;
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift())
      this.#drop(item.packet, 'link-down');
    for (let item = this.#air.shift(); item !== undefined; item = this.#air.shift())
      this.#drop(item.packet, 'link-down');
    this.#queuedOctets = 0;
    this.#lastArrivalAt = Number.NEGATIVE_INFINITY;
  }

  #drop(packet: Packet, reason: DropReason): void {
    this.#outputs.push({ kind: 'packet-dropped', packet, reason });
  }
}
