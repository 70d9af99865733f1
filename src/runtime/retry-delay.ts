/** How long to wait before a local address is tried again: an address that is being configured appears within milliseconds (IPv4) or after duplicate address detection of about a second (RFC 4862 §5.4). */
import type { DurationMs } from '../base/instant.ts';

/** 50, 100, 200 … at most 1,600 ms. */
export function retryDelayMs(failedAttempts: number): DurationMs {
  return 50 * 2 ** Math.min(failedAttempts, 5);
}
