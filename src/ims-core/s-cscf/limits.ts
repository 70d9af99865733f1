/**
 * What a peer may make the S-CSCF remember or compute. The figures are this project's own unless a source is named.
 */

/** Octets of one pattern; a profile's longest expressions name a few URIs. */
export const maximumPatternLength = 512;
/** Automaton states of one pattern after its counted repetitions are written out. */
export const maximumPatternStates = 2_048;
/** Octets of text that one pattern looks at, so that one match costs at most states × text steps. */
export const maximumPatternText = 4_096;

/** How long a user stays away whom the network has sent away for a while (RFC 3680 §4.7.1, probation). */
export const probationSeconds = 60;

/** Users that one S-CSCF serves at a time, registered or fetched for an unregistered service. */
export const maximumUsers = 100_000;

/** Users between challenge and answer, or with a nonce still good: as many as the digest server issues nonces. */
export const maximumSecrets = 10_000;
/** A nonce lives as long as a registration usually does (RFC 3261 §10.2.1: an hour), so that a handover needs no second round trip. */
export const nonceLifetimeMs = 3_600_000;

/** Dialogs that can be ended from here; one that nobody ended with BYE stays until it is the oldest. */
export const maximumDialogs = 100_000;

/** How long the profile of an unregistered user is kept after his last request: longer than an application server lets a call ring. */
export const unregisteredUserMs = 600_000;
