/** Limits of the SIP server. The number of its users comes from its configuration, what each may hold from protocols/sip/registration. */

/**
 * A nonce lives as long as a registration usually does (RFC 3261 §10.2.1: an hour), so that a mobile node that moves is not challenged
 * again.
 */
export const nonceLifetimeMs = 3_600_000;
