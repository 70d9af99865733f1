/**
 * Relative Network Load of one access towards one agent (MIP–SIP paper, equations 1–5): the smoothed round-trip time of Mobile IP
 * registrations and echo probes, plus its smoothed variation.
 *
 *   RTT_n = R_n − S_n                                        (3)      RNL_n = z̄_n + c·J_n                          (1)
 *   z̄_n = RTT_n/h + (h−1)/h·z̄_{n−1},   z̄_0 = RTT_0             (2)      D_n = RTT_n − RTT_{n−1}                      (4)
 *   J_n = |D_n|/h + (h−1)/h·J_{n−1},     J_0 = |D_1|             (5)
 *
 * The paper leaves some things open; what is decided here: R is when the reply arrives, on the clock that S was read from. J is 0 until the
 * second sample, which starts it. A probe without reply is a sample all the same, of at least the time that was waited: a dead link would
 * keep its good load otherwise.
 */
import type { DurationMs } from '../../base/instant.ts';

export interface RelativeNetworkLoadOptions {
  /** h ≥ 1: the newest sample weighs 1/h. The paper's example has 5. */
  readonly historyWindow: number;
  /** c > 0: weight of the jitter; from c > h − 1 the load leads a steady rise. The paper's example has 5. */
  readonly jitterWeight: number;
}

export class RelativeNetworkLoad {
  readonly #historyWindow: number;
  readonly #jitterWeight: number;
  #lastRttMs: DurationMs = 0;
  #smoothedRttMs: DurationMs = 0;
  #jitterMs: DurationMs = 0;
  #samples = 0;
  #missed = 0;

  constructor(options: RelativeNetworkLoadOptions) {
    this.#historyWindow = options.historyWindow;
    this.#jitterWeight = options.jitterWeight;
  }

  /** Samples so far, censored ones included. */
  get samples(): number {
    return this.#samples;
  }

  /** Probes without reply since the last reply. */
  get missedProbes(): number {
    return this.#missed;
  }

  get smoothedRttMs(): DurationMs {
    return this.#smoothedRttMs;
  }

  get jitterMs(): DurationMs {
    return this.#jitterMs;
  }

  /** RNL_n in milliseconds; `undefined` before the first sample. */
  get value(): number | undefined {
    return this.#samples === 0 ? undefined : this.#smoothedRttMs + this.#jitterWeight * this.#jitterMs;
  }

  addReply(rttMs: DurationMs): void {
    this.#missed = 0;
    this.#add(rttMs);
  }

  /** A probe that was not answered within `waitedMs`. */
  addLoss(waitedMs: DurationMs): void {
    this.#missed++;
    this.#add(Math.max(waitedMs, this.#lastRttMs));
  }

  #add(rttMs: DurationMs): void {
    const difference = Math.abs(rttMs - this.#lastRttMs);
    if (this.#samples === 0) this.#smoothedRttMs = rttMs;
    else {
      this.#smoothedRttMs = this.#smooth(rttMs, this.#smoothedRttMs);
      this.#jitterMs = this.#samples === 1 ? difference : this.#smooth(difference, this.#jitterMs);
    }
    this.#lastRttMs = rttMs;
    this.#samples++;
  }

  #smooth(newest: number, history: number): number {
    return newest / this.#historyWindow + (history * (this.#historyWindow - 1)) / this.#historyWindow;
  }
}
