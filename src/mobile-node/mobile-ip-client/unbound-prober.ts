/**
 * Round trips over an access that has no binding, because the home agent allows one care-of address only: MIP–SIP §3 measures all accesses
 * by registrations, but here each would move the binding. One request moves nothing: to take back the binding of a care-of address that has
 * none (RFC 5944 §3.8.2.2 deletes "only the entry containing the specified Care-of Address"). Every home agent answers it, authenticated,
 * by the way of all registrations; whether it accepts or refuses is no matter.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { EchoProber, type LostEcho } from './echo-prober.ts';
import { minimumUnboundProbeIntervalMs } from './limits.ts';

export class UnboundProber {
  readonly #intervalMs: DurationMs | undefined;
  readonly #prober: EchoProber;
  /** Sequence numbers by lower halves of the requests' identifications. */
  readonly #requests = new Map<number, number>();

  /** Without an interval nothing is measured. */
  constructor(probeIntervalMs: DurationMs | undefined) {
    this.#intervalMs = probeIntervalMs && Math.max(probeIntervalMs, minimumUnboundProbeIntervalMs);
    this.#prober = new EchoProber(this.#intervalMs);
  }

  /** Goes on, if it had begun. */
  start(now: Instant): void {
    if (this.#intervalMs !== undefined) this.#prober.start(this.#intervalMs, now);
  }

  stop(): void {
    this.#prober.stop();
    this.#requests.clear();
  }

  /** A request is due; its identification is to be told (`sent`). */
  takeDue(now: Instant): number | undefined {
    return this.#prober.takeDue(now);
  }

  sent(sequence: number, lowerIdentification: number): void {
    this.#requests.set(lowerIdentification, sequence);
  }

  /** When the request was sent that a reply with this identification is to; undefined for another's. */
  answered(lowerIdentification: number, now: Instant): Instant | undefined {
    const sequence = this.#requests.get(lowerIdentification);
    if (sequence === undefined) return undefined;
    this.#requests.delete(lowerIdentification);
    return this.#prober.answered(sequence, now);
  }

  takeLost(now: Instant): readonly LostEcho[] {
    const lost = this.#prober.takeLost(now);
    if (this.#prober.underWay === 0) this.#requests.clear();
    return lost;
  }

  get nextAt(): Instant {
    return this.#prober.nextAt;
  }
}
