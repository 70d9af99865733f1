/**
 * The clock of the runtime: CLOCK_MONOTONIC, which all processes of one machine share, in every namespace of the lab. So traces of
 * several roles can be merged by their instants.
 */
import type { Instant } from '../base/instant.ts';

/** Milliseconds since the machine was started, with a resolution of a nanosecond. */
export function monotonicNow(): Instant {
  return Number(process.hrtime.bigint()) / 1e6;
}
