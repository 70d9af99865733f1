/**
 * A compact TCP for virtual time: what a handover does to a TCP flow (TRIM fig. 9) follows from windows, acknowledgments and
 * retransmission timers, and those are here: three-way handshake, slow start and congestion avoidance (RFC 5681), fast retransmit
 * and NewReno recovery (RFC 6582), retransmission timeout (RFC 6298, with Linux's 200 ms minimum).
 * Leaves out: SACK, delayed acknowledgments, flow control (the receiver reads at once), half-closed streams, TIME-WAIT.
 */
import { Fifo } from '../base/fifo.ts';
import type { Instant } from '../base/instant.ts';
import type { Timeout } from '../base/machine.ts';
import { RetransmissionTimer } from './retransmission-timer.ts';
import type { TcpSegment } from './virtual-packet.ts';

export type TcpOutput =
  | { readonly kind: 'segment'; readonly segment: TcpSegment }
  | { readonly kind: 'established' }
  | { readonly kind: 'received'; readonly payload: Uint8Array }
  /** Nothing more will be received. */
  | { readonly kind: 'closed'; readonly reason: string }
  /** Nothing more will be sent either: the connection can be forgotten. */
  | { readonly kind: 'gone' };

export interface TcpStatistics {
  retransmittedSegments: number;
  timeouts: number;
}

interface SentSegment {
  readonly sequence: number;
  /** Octets in sequence space: the payload, or one for SYN and FIN. */
  readonly length: number;
  readonly isSyn: boolean;
  readonly isFin: boolean;
  readonly payload: Uint8Array;
  sentAt: Instant;
  transmissions: number;
}

/** A packet of 1,440 octets: leaves room for the tunnels of access networks, as Trimaran's MSS clamp does. */
const segmentOctets = 1400;
/** RFC 6928 §2. */
const initialWindow: number = 10 * segmentOctets;
/** RFC 5681 §3.2. */
const duplicatesBeforeFastRetransmit = 3;
/** Retransmissions of one segment before the connection is given up (Linux tcp_syn_retries 6, tcp_retries2 15; shorter here). */
const maximumRetransmissions = 8;

const nothing: Uint8Array = new Uint8Array(0);

export class TcpConnection {
  readonly #statistics: TcpStatistics;
  readonly #isActive: boolean;
  readonly #outputs = new Fifo<TcpOutput>();
  readonly #timer = new RetransmissionTimer();
  #state: 'opening' | 'established' | 'closed' = 'opening';
  // Sending: segments [0, #next) are in flight, the others wait to be sent again; new ones are cut from #unsent.
  readonly #segments: SentSegment[] = [];
  #next = 0;
  #unsent: Uint8Array[] = [];
  #unsentOctets = 0;
  #nextSequence = 0;
  #acknowledged = 0;
  #window = initialWindow;
  #threshold = Number.POSITIVE_INFINITY;
  #duplicates = 0;
  /** Recovery lasts until this sequence number is acknowledged. */
  #recoverUntil: number | undefined;
  #wantsToClose = false;
  #sentFin = false;
  #receivedFin = false;
  // Receiving.
  #expected = 0;
  readonly #early = new Map<number, TcpSegment>();

  /** Counts into `statistics`, which several connections may share. */
  constructor(isActive: boolean, now: Instant, statistics: TcpStatistics) {
    this.#statistics = statistics;
    this.#isActive = isActive;
    if (isActive) this.#queueControl({ isSyn: true, isFin: false }, now);
  }

  /** Octets that are not yet acknowledged by the peer. */
  get unacknowledgedOctets(): number {
    return this.#nextSequence - this.#acknowledged + this.#unsentOctets;
  }

  send(payload: Uint8Array, now: Instant): void {
    if (this.#state === 'closed' || this.#wantsToClose) return;
    this.#unsent.push(payload);
    this.#unsentOctets += payload.length;
    this.#transmit(now);
  }

  /** Sends what is left, then FIN. */
  close(now: Instant): void {
    if (this.#wantsToClose) return;
    this.#wantsToClose = true;
    this.#transmit(now);
  }

  /** Gives up at once, as when the local address is gone. */
  abort(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#timer.stop();
    if (!this.#receivedFin) this.#outputs.push({ kind: 'closed', reason });
    this.#outputs.push({ kind: 'gone' });
  }

  handleSegment(segment: TcpSegment, now: Instant): void {
    if (this.#state === 'closed') return;
    if (segment.isReset) {
      this.abort(this.#state === 'opening' ? 'connection refused' : 'reset by the peer');
      return;
    }
    if (segment.isSyn && this.#expected === 0) this.#handleSyn(now);
    if (segment.isAck) this.#handleAcknowledgment(segment, now);
    if (segment.payload.length > 0 || segment.isFin) this.#handleData(segment, now);
    else if (segment.isSyn && this.#isActive) this.#acknowledge();
    this.#transmit(now);
    this.#finishIfDone();
  }

  handleTimeout(now: Instant): void {
    if (!this.#timer.isDue(now) || this.#segments.length === 0) return;
    if (this.#timer.backoffs >= maximumRetransmissions) {
      this.abort('timed out');
      return;
    }
    this.#statistics.timeouts++;
    this.#threshold = Math.max(this.#inFlight() / 2, 2 * segmentOctets);
    this.#window = segmentOctets;
    this.#recoverUntil = this.#nextSequence;
    this.#duplicates = 0;
    this.#next = 0;
    this.#timer.backOff(now);
    this.#transmit(now);
  }

  pollOutput(): TcpOutput | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    return this.#timer.pollTimeout();
  }

  #handleSyn(now: Instant): void {
    this.#expected = 1;
    if (!this.#isActive) this.#queueControl({ isSyn: true, isFin: false }, now);
  }

  #handleAcknowledgment(segment: TcpSegment, now: Instant): void {
    if (segment.acknowledgment > this.#acknowledged) this.#advance(segment.acknowledgment, now);
    else if (this.#isDuplicate(segment)) this.#handleDuplicate(now);
    if (this.#state === 'opening' && this.#acknowledged >= 1 && this.#expected >= 1) {
      this.#state = 'established';
      this.#outputs.push({ kind: 'established' });
    }
  }

  #advance(acknowledgment: number, now: Instant): void {
    const acknowledgedOctets = acknowledgment - this.#acknowledged;
    this.#acknowledged = acknowledgment;
    this.#duplicates = 0;
    while (this.#segments[0] !== undefined && endOf(this.#segments[0]) <= acknowledgment) {
      const segment = this.#segments.shift()!;
      this.#next = Math.max(0, this.#next - 1);
      // Karn's algorithm: a retransmitted segment says nothing about the round trip (RFC 6298 §3).
      if (segment.transmissions === 1) this.#timer.sample(now - segment.sentAt);
    }
    if (this.#segments.length === 0) this.#timer.stop();
    else this.#timer.restart(now);
    if (this.#recoverUntil === undefined) this.#grow(acknowledgedOctets);
    else this.#recover(this.#recoverUntil, acknowledgedOctets, now);
  }

  /** RFC 5681 §3.1, equations 2 and 3. */
  #grow(acknowledgedOctets: number): void {
    if (this.#window < this.#threshold) this.#window += Math.min(acknowledgedOctets, segmentOctets);
    else this.#window += (segmentOctets * segmentOctets) / this.#window;
  }

  /** RFC 6582 §3.2: an acknowledgment of a part tells that the next segment is missing too. */
  #recover(until: number, acknowledgedOctets: number, now: Instant): void {
    if (this.#acknowledged >= until) {
      this.#recoverUntil = undefined;
      this.#window = Math.max(Math.min(this.#window, this.#threshold), 2 * segmentOctets);
      return;
    }
    if (this.#next < this.#segments.length) {
      // After a timeout everything is sent again, in slow start.
      this.#grow(acknowledgedOctets);
      return;
    }
    this.#window = Math.max(this.#window - acknowledgedOctets + segmentOctets, segmentOctets);
    this.#retransmitFirst(now);
  }

  #isDuplicate(segment: TcpSegment): boolean {
    return (
      segment.acknowledgment === this.#acknowledged &&
      this.#next > 0 &&
      segment.payload.length === 0 &&
      !segment.isSyn &&
      !segment.isFin
    );
  }

  #handleDuplicate(now: Instant): void {
    this.#duplicates++;
    if (this.#recoverUntil !== undefined) this.#window += segmentOctets;
    else if (this.#duplicates === duplicatesBeforeFastRetransmit) {
      this.#recoverUntil = this.#nextSequence;
      this.#threshold = Math.max(this.#inFlight() / 2, 2 * segmentOctets);
      this.#window = this.#threshold + duplicatesBeforeFastRetransmit * segmentOctets;
      this.#retransmitFirst(now);
    }
  }

  #handleData(segment: TcpSegment, now: Instant): void {
    if (segment.sequence > this.#expected) this.#early.set(segment.sequence, segment);
    else this.#take(segment, now);
    for (
      let next = this.#early.get(this.#expected);
      next !== undefined;
      next = this.#early.get(this.#expected)
    ) {
      this.#early.delete(this.#expected);
      this.#take(next, now);
    }
    this.#acknowledge();
  }

  #take(segment: TcpSegment, now: Instant): void {
    if (segment.sequence !== this.#expected) return;
    this.#expected += segment.payload.length + (segment.isFin ? 1 : 0);
    if (segment.payload.length > 0) this.#outputs.push({ kind: 'received', payload: segment.payload });
    if (!segment.isFin) return;
    this.#receivedFin = true;
    this.#outputs.push({ kind: 'closed', reason: 'closed by the peer' });
    this.close(now);
  }

  #finishIfDone(): void {
    if (this.#receivedFin && this.#sentFin && this.#segments.length === 0) this.abort('');
  }

  #queueControl(flags: { readonly isSyn: boolean; readonly isFin: boolean }, now: Instant): void {
    this.#append({ ...flags, payload: nothing, length: 1 });
    this.#transmit(now);
  }

  #append(part: Pick<SentSegment, 'isSyn' | 'isFin' | 'payload' | 'length'>): void {
    this.#segments.push({ ...part, sequence: this.#nextSequence, sentAt: 0, transmissions: 0 });
    this.#nextSequence += part.length;
  }

  #transmit(now: Instant): void {
    for (;;) {
      if (this.#next === this.#segments.length && !this.#cutSegment()) return;
      const segment = this.#segments[this.#next]!;
      if (this.#next > 0 && this.#inFlight() + segment.length > this.#window) return;
      this.#next++;
      this.#emit(segment, now);
    }
  }

  /** Makes the next segment out of what the application sent, when there is room for it in the window. */
  #cutSegment(): boolean {
    if (this.#state !== 'established') return false;
    if (this.#unsentOctets === 0) {
      if (!this.#wantsToClose || this.#sentFin) return false;
      this.#sentFin = true;
      this.#append({ isSyn: false, isFin: true, payload: nothing, length: 1 });
      return true;
    }
    const length = Math.min(segmentOctets, this.#unsentOctets);
    if (this.#next > 0 && this.#inFlight() + length > this.#window) return false;
    this.#append({ isSyn: false, isFin: false, payload: this.#takeUnsent(length), length });
    return true;
  }

  #takeUnsent(length: number): Uint8Array {
    const payload = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      const chunk = this.#unsent[0]!;
      const part = chunk.subarray(0, length - filled);
      payload.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.#unsent.shift();
      else this.#unsent[0] = chunk.subarray(part.length);
    }
    this.#unsentOctets -= length;
    return payload;
  }

  #inFlight(): number {
    const next = this.#segments[this.#next];
    return (next === undefined ? this.#nextSequence : next.sequence) - this.#acknowledged;
  }

  #retransmitFirst(now: Instant): void {
    const first = this.#segments[0];
    if (first !== undefined) this.#emit(first, now);
  }

  #emit(segment: SentSegment, now: Instant): void {
    if (segment.transmissions++ > 0) this.#statistics.retransmittedSegments++;
    segment.sentAt = now;
    this.#timer.startIfStopped(now);
    this.#outputs.push({
      kind: 'segment',
      segment: {
        sequence: segment.sequence,
        acknowledgment: this.#expected,
        isSyn: segment.isSyn,
        isAck: this.#expected > 0,
        isFin: segment.isFin,
        isReset: false,
        payload: segment.payload,
      },
    });
  }

  #acknowledge(): void {
    const segment = {
      sequence: this.#nextSequence,
      acknowledgment: this.#expected,
      isSyn: false,
      isAck: true,
      isFin: false,
      isReset: false,
      payload: nothing,
    };
    this.#outputs.push({ kind: 'segment', segment });
  }
}

/** What answers a segment that belongs to no connection (RFC 9293 §3.5.2). */
export function resetFor(segment: TcpSegment): TcpSegment {
  return {
    sequence: segment.acknowledgment,
    acknowledgment: segment.sequence + segment.payload.length + (segment.isSyn || segment.isFin ? 1 : 0),
    isSyn: false,
    isAck: true,
    isFin: false,
    isReset: true,
    payload: nothing,
  };
}

function endOf(segment: SentSegment): number {
  return segment.sequence + segment.length;
}
