/**
 * Where the Identification of registration requests comes from (RFC 5944 §5.7.1): the time of day, strictly increasing over all accesses,
 * set right by an agent that finds it wrong.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { type RandomSource, randomBelow } from '../../base/random-source.ts';
import { isLater, ntpTimestamp, timestampDifferenceMs } from '../../protocols/mobile-ip/timestamp.ts';
import { clockGranularityMs } from './limits.ts';

/** Units of the fraction in a microsecond, which is as fine as our clocks are: what is finer is random, as the standard asks. */
const unitsPerMicrosecond = 4294;

export class RegistrationClock {
  readonly #random: RandomSource;
  #offsetMs: DurationMs;
  #last: bigint | undefined;

  constructor(timeOfDayOffsetMs: DurationMs, random: RandomSource) {
    this.#offsetMs = timeOfDayOffsetMs;
    this.#random = random;
  }

  next(now: Instant): bigint {
    const time = ntpTimestamp(now + this.#offsetMs) + BigInt(randomBelow(this.#random, unitsPerMicrosecond));
    const isFresh = this.#last === undefined || isLater(time, this.#last);
    this.#last = isFresh ? time : BigInt.asUintN(64, (this.#last ?? 0n) + 1n);
    return this.#last;
  }

  /**
   * Takes over the agent's time from a reply with code 133. How far it was off; 0 when the clocks agree, which means that the request was
   * refused for its order and a new one will do.
   */
  resynchronise(reply: bigint, now: Instant): DurationMs {
    // Whole seconds: on average half a second has passed since.
    const agentTime = ((reply >> 32n) << 32n) | 0x8000_0000n;
    const byMs = timestampDifferenceMs(agentTime, ntpTimestamp(now + this.#offsetMs));
    if (Math.abs(byMs) < clockGranularityMs) return 0;
    this.#offsetMs += byMs;
    // None of the earlier ones was accepted, so they need not be exceeded.
    this.#last = undefined;
    return byMs;
  }
}
