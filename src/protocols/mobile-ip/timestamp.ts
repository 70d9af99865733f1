/**
 * The time of day as Mobile IP writes it (RFC 5944 §5.7.1): 64-bit NTP format, seconds since 1900 in the upper half and their fraction in
 * the lower. Machines know instants; `timeOfDayOffsetMs` is what makes milliseconds since 1970 of one. NTP's second era, from 2036 on,
 * begins at zero again, so timestamps are compared by their difference modulo 2^64, never by size.
 */
import type { DurationMs } from '../../base/instant.ts';

/** Seconds from 1900 to 1970. */
const epochSeconds = 2_208_988_800n;

/** Of milliseconds since 1970, of which fractions count. */
export function ntpTimestamp(unixMs: number): bigint {
  const microseconds = BigInt(Math.round(unixMs * 1000));
  const fraction = ((microseconds % 1_000_000n) << 32n) / 1_000_000n;
  return BigInt.asUintN(64, ((microseconds / 1_000_000n + epochSeconds) << 32n) | fraction);
}

/** The 32-bit timestamps of RFC 3543: whole seconds. */
export function ntpSeconds(unixMs: number): number {
  return upperHalf(ntpTimestamp(unixMs));
}

/** a − b in milliseconds. */
export function timestampDifferenceMs(a: bigint, b: bigint): DurationMs {
  return Number(BigInt.asIntN(64, a - b)) / (2 ** 32 / 1000);
}

/** Whether `a` was made after `b`. */
export function isLater(a: bigint, b: bigint): boolean {
  return BigInt.asIntN(64, a - b) > 0n;
}

/** The seconds of a timestamp. */
export function upperHalf(identification: bigint): number {
  return Number(identification >> 32n);
}

/** What a reply always copies and a mobile node matches on (RFC 5944 §5.7). */
export function lowerHalf(identification: bigint): number {
  return Number(identification & 0xffff_ffffn);
}

/** Seconds in the upper half over the lower half of another identification (RFC 5944 §5.7.1: the reply with code 133). */
export function identificationOf(upper: number, lower: number): bigint {
  return (BigInt(upper) << 32n) | BigInt(lower);
}
