/**
 * The timer values of SIP transactions: RFC 3261 table 4 and §17.1.1.1, RFC 6026 §7 (L and M), RFC 4320 §4.1 (100 to non-INVITE).
 * All in milliseconds. Timers A, E and G are T1 doubling (E and G up to T2); D, I, J and K are zero over a reliable transport.
 */
import type { DurationMs } from '../../../base/instant.ts';

export interface SipTimers {
  /** T1: estimate of the round-trip time. */
  readonly t1Ms: DurationMs;
  /** T2: longest interval between retransmissions of a non-INVITE request or an INVITE response. */
  readonly t2Ms: DurationMs;
  /** T4: longest time a message stays in the network. */
  readonly t4Ms: DurationMs;
  /** Timer C: a proxy gives an INVITE up when no provisional response came for this long; more than 3 minutes (§16.6 item 11). */
  readonly timerCMs: DurationMs;
  /** Timer D: how long an INVITE client absorbs repeated final responses over UDP; at least 32 s. */
  readonly timerDMs: DurationMs;
  /** An INVITE that has no response after this long gets a 100 (§17.2.1). */
  readonly tryingMs: DurationMs;
}

export const defaultSipTimers: SipTimers = {
  t1Ms: 500,
  t2Ms: 4_000,
  t4Ms: 5_000,
  timerCMs: 190_000,
  timerDMs: 32_000,
  tryingMs: 200,
};

/** Timers B, F, H, J, L and M, and how long a UAS core repeats a 2xx. */
export function transactionTimeoutMs(timers: SipTimers): DurationMs {
  return 64 * timers.t1Ms;
}

/** When timer E is reset to T2, counted from the request: from then on a server owes a non-INVITE request a 100 (RFC 4320 §4.1). */
export function nonInviteTryingMs(timers: SipTimers): DurationMs {
  let elapsed = 0;
  for (let interval = timers.t1Ms; interval < timers.t2Ms; interval *= 2) elapsed += interval;
  return elapsed;
}
