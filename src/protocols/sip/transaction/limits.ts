/** Limits of the SIP transaction tables. */

/**
 * Server transactions at one time; beyond it new requests are answered 503 without state. One that is answered holds 0.85 kB with a
 * response of 500 octets (measured with 100,000 of them), so these are 0.34 GB; at 32 s each (timer J) they carry 12,500 requests a
 * second, those of 3,000 calls with PRACK and UPDATE.
 */
export const maximumServerTransactions = 400_000;

/** Servers whose wishes for less are remembered: more next hops than a proxy of one operator has. */
export const maximumRestrainedServers = 10_000;

/** No server keeps its clients away for longer at one word; it can say it again. */
export const maximumRetryAfterMs = 300_000;
