/** Limits of the SIP transaction tables. */

/**
 * Server transactions at one time; beyond it new requests are answered 503 without state. One that absorbs repetitions of a
 * 700-octet request holds 3.6 kB (measured with 100,000 of them), so these are 0.7 GB; at 32 s each (timer J) they carry 6,000
 * requests a second.
 */
export const maximumServerTransactions = 200_000;

/** Servers whose wishes for less are remembered: more next hops than a proxy of one operator has. */
export const maximumRestrainedServers = 10_000;

/** No server keeps its clients away for longer at one word; it can say it again. */
export const maximumRetryAfterMs = 300_000;
