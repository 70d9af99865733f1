/** Limits of the SIP transaction tables. */

/**
 * Server transactions at one time; beyond it new requests are answered 503 without state. An absorbed one costs about 5 kB, so these
 * are 1 GB; at 32 s each (timer J) they carry 6,000 requests a second.
 */
export const maximumServerTransactions = 200_000;
