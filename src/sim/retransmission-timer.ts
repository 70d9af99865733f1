/** TCP's retransmission timer (RFC 6298): the timeout follows the measured round trip and doubles with each expiry. */
import type { DurationMs, Instant } from '../base/instant.ts';
import type { Timeout } from '../base/machine.ts';

/** RFC 6298 §2.1. */
const initialTimeoutMs = 1000;
/** Linux TCP_RTO_MIN; RFC 6298 §2.4 asks for a second, and no stack in use waits that long. */
const minimumTimeoutMs = 200;
/** RFC 6298 §2.5. */
const maximumTimeoutMs = 60_000;

export class RetransmissionTimer {
  #smoothedMs: DurationMs | undefined;
  #variationMs: DurationMs = 0;
  #timeoutMs: DurationMs = initialTimeoutMs;
  #expiresAt: Instant | undefined;
  /** How often it expired since something was last acknowledged. */
  backoffs = 0;

  /** RFC 6298 §2.2, §2.3. */
  sample(roundTripMs: DurationMs): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = roundTripMs;
      this.#variationMs = roundTripMs / 2;
    } else {
      this.#variationMs = 0.75 * this.#variationMs + 0.25 * Math.abs(this.#smoothedMs - roundTripMs);
      this.#smoothedMs = 0.875 * this.#smoothedMs + 0.125 * roundTripMs;
    }
    this.#timeoutMs = clamp(this.#smoothedMs + 4 * this.#variationMs);
  }

  startIfStopped(now: Instant): void {
    this.#expiresAt ??= now + this.#timeoutMs;
  }

  /** New data was acknowledged and more is in flight (RFC 6298 §5.3). */
  restart(now: Instant): void {
    this.backoffs = 0;
    this.#expiresAt = now + this.#timeoutMs;
  }

  stop(): void {
    this.backoffs = 0;
    this.#expiresAt = undefined;
  }

  /** RFC 6298 §5.5, §5.6. */
  backOff(now: Instant): void {
    this.backoffs++;
    this.#timeoutMs = clamp(2 * this.#timeoutMs);
    this.#expiresAt = now + this.#timeoutMs;
  }

  isDue(now: Instant): boolean {
    return this.#expiresAt !== undefined && this.#expiresAt <= now;
  }

  pollTimeout(): Timeout | undefined {
    return this.#expiresAt === undefined ? undefined : { at: this.#expiresAt, reason: 'retransmission' };
  }
}

function clamp(timeoutMs: DurationMs): DurationMs {
  return Math.min(Math.max(timeoutMs, minimumTimeoutMs), maximumTimeoutMs);
}
