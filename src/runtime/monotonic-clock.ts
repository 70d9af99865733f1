/**
 * The clock of the runtime: CLOCK_MONOTONIC, which all processes of one machine share, in every namespace of the lab. So traces of
 * several roles can be merged by their instants.
 */
import type { Instant } from '../base/instant.ts';

/** Milliseconds since the machine was started, with a resolution of a nanosecond. Not by way of a bigint: every input takes an instant. */
export function monotonicNow(): Instant {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
