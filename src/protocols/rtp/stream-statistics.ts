/**
 * What a receiver counts about one RTP source: sequence tracking with cycles (RFC 3550 §A.1), packets expected and lost (§A.3),
 * interarrival jitter (§A.8) and, beyond the standard, each sequence number only once: a duplicate would otherwise hide a loss.
 * The probation of §A.1 against stray sources is left out (the first packet counts), because who measures knows its source.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { RtpHeader } from './rtp-header.ts';

export interface StreamReport {
  readonly received: number;
  /** Distinct sequence numbers among the received. */
  readonly unique: number;
  readonly duplicated: number;
  /** Arrived after a higher sequence number had. */
  readonly reordered: number;
  /** Sequence numbers between the first and the highest that never came. */
  readonly lost: number;
  /** RFC 3550 §A.3: expected − received in 24 signed bits; duplicates make it smaller. */
  readonly cumulativeLost: number;
  readonly jitterMs: DurationMs;
  /** The longest time between two packets in order of arrival, and when it ended. */
  readonly longestGapMs: DurationMs;
  readonly longestGapEndedAt: Instant;
  /** Times the numbering started anew: a jump of more than 3,000 confirmed by a second packet in sequence. */
  readonly restarts: number;
}

/** RFC 3550 §A.1. */
const maxDropout = 3000;
const maxMisorder = 100;
const cycle = 0x1_0000;

export class StreamStatistics {
  readonly #clockRateHz: number;
  #baseSequence = 0;
  /** Highest sequence number seen, counted on over 65535. */
  #maxSequence = 0;
  #hasStarted = false;
  /** After a jump: the number that would confirm it (the standard's bad_seq). */
  #awaitedSequence: number | undefined;
  /** Octet n tells whether sequence number n of the last 65536 was received. */
  readonly #seen = new Uint8Array(cycle);
  #received = 0;
  #unique = 0;
  #expectedBeforeRestart = 0;
  #reordered = 0;
  #restarts = 0;
  #jitter = 0;
  #previous: { readonly timestamp: number; readonly arrivalAt: Instant } | undefined;
  #lastArrivalAt: Instant | undefined;
  #longestGapMs = 0;
  #longestGapEndedAt: Instant = 0;

  constructor(options: { readonly clockRateHz: number }) {
    this.#clockRateHz = options.clockRateHz;
  }

  receive(header: RtpHeader, arrivalAt: Instant): void {
    this.#measureGap(arrivalAt);
    if (!this.#track(header.sequenceNumber)) return;
    this.#received += 1;
    this.#measureJitter(header.timestamp, arrivalAt);
  }

  report(): StreamReport {
    const current = this.#hasStarted ? this.#maxSequence - this.#baseSequence + 1 : 0;
    const expected = this.#expectedBeforeRestart + current;
    return {
      received: this.#received,
      unique: this.#unique,
      duplicated: this.#received - this.#unique,
      reordered: this.#reordered,
      lost: expected - this.#unique,
      cumulativeLost: Math.max(-0x80_0000, Math.min(0x7f_ffff, expected - this.#received)),
      jitterMs: (this.#jitter * 1000) / this.#clockRateHz,
      longestGapMs: this.#longestGapMs,
      longestGapEndedAt: this.#longestGapEndedAt,
      restarts: this.#restarts,
    };
  }

  /** RFC 3550 §A.1, update_seq: whether the packet counts. */
  #track(sequence: number): boolean {
    if (!this.#hasStarted) return this.#start(sequence);
    const ahead = (sequence - this.#maxSequence) & 0xffff;
    if (ahead > 0 && ahead < maxDropout) return this.#advance(ahead);
    const behind = (cycle - ahead) & 0xffff;
    if (behind < maxMisorder) return this.#acceptLate(this.#maxSequence - behind);
    if (sequence !== this.#awaitedSequence) {
      this.#awaitedSequence = (sequence + 1) & 0xffff;
      return false;
    }
    this.#expectedBeforeRestart += this.#maxSequence - this.#baseSequence + 1;
    this.#restarts += 1;
    return this.#start(sequence);
  }

  #start(sequence: number): true {
    this.#hasStarted = true;
    this.#awaitedSequence = undefined;
    this.#baseSequence = sequence;
    this.#maxSequence = sequence;
    this.#seen.fill(0);
    return this.#countOnce(sequence);
  }

  #advance(steps: number): true {
    for (let step = 1; step <= steps; step++) this.#seen[(this.#maxSequence + step) & 0xffff] = 0;
    this.#maxSequence += steps;
    return this.#countOnce(this.#maxSequence);
  }

  /** A duplicate, or one that was overtaken, perhaps by the very first packet. */
  #acceptLate(sequence: number): true {
    this.#baseSequence = Math.min(this.#baseSequence, sequence);
    if (this.#seen[sequence & 0xffff] === 0) this.#reordered += 1;
    return this.#countOnce(sequence);
  }

  #countOnce(sequence: number): true {
    this.#unique += this.#seen[sequence & 0xffff] === 0 ? 1 : 0;
    this.#seen[sequence & 0xffff] = 1;
    return true;
  }

  /** RFC 3550 §A.8, with the difference of two transit times written so that the 32-bit timestamp may wrap. */
  #measureJitter(timestamp: number, arrivalAt: Instant): void {
    const previous = this.#previous;
    this.#previous = { timestamp, arrivalAt };
    if (previous === undefined) return;
    const elapsed = ((arrivalAt - previous.arrivalAt) * this.#clockRateHz) / 1000;
    const difference = Math.abs(elapsed - ((timestamp - previous.timestamp) | 0));
    this.#jitter += (difference - this.#jitter) / 16;
  }

  #measureGap(arrivalAt: Instant): void {
    const gap = arrivalAt - (this.#lastArrivalAt ?? arrivalAt);
    this.#lastArrivalAt = arrivalAt;
    if (gap <= this.#longestGapMs) return;
    this.#longestGapMs = gap;
    this.#longestGapEndedAt = arrivalAt;
  }
}
