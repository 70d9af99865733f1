/**
 * Identifiers of one node: Hop-by-Hop, End-to-End (RFC 6733 §3) and Session-Id (RFC 6733 §8.8).
 * They are unique over a restart because the Origin-State-Id (the time of start) is in them.
 */
import type { RandomSource } from '../../base/random-source.ts';

export class Identifiers {
  readonly #originHost: string;
  readonly #originStateId: number;
  #hopByHop: number;
  #endToEnd: number;
  #session = 0;

  constructor(originHost: string, originStateId: number, random: RandomSource) {
    this.#originHost = originHost;
    this.#originStateId = originStateId;
    this.#hopByHop = random.nextUint32();
    // High 12 bits: the low 12 of the time at start; the rest random, then counted (RFC 6733 §3).
    this.#endToEnd = ((originStateId << 20) | (random.nextUint32() >>> 12)) >>> 0;
  }

  nextHopByHop(): number {
    this.#hopByHop = (this.#hopByHop + 1) >>> 0;
    return this.#hopByHop;
  }

  nextEndToEnd(): number {
    this.#endToEnd = (this.#endToEnd + 1) >>> 0;
    return this.#endToEnd;
  }

  nextSessionId(): string {
    this.#session += 1;
    return `${this.#originHost};${this.#originStateId};${this.#session}`;
  }
}
