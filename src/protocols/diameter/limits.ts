/**
 * Limits of the Diameter box: everything that a peer can make grow. None of them is in RFC 6733 unless it says so; each number is
 * far above what Cx and NAT control need and small enough that a hostile peer cannot exhaust the process.
 */

/** A Cx User-Data answer of a large profile is about 20 kB; a QUERY answer of a full NAT-control session about 60 kB. */
export const maximumMessageOctets: number = 256 * 1024;

/** The deepest nesting in use is 4 (Failed-AVP, Install, Definition, Address). */
export const maximumGroupDepth = 8;

/** Connections that have not yet said who they are (RFC 6733 §5.6.1). */
export const maximumPendingConnections = 64;

/** How long such a connection may stay silent, in ms (RFC 6733 §5.6.1 leaves it open). */
export const capabilitiesTimeoutMs = 10_000;

/** Requests without an answer, per peer. */
export const maximumOutstandingRequests = 4096;

/** Answers kept for duplicates of their requests; RFC 6733 §3 asks for four minutes' worth. */
export const maximumRememberedAnswers = 4096;
export const answerMemoryMs: number = 4 * 60_000;

/** NAT control requests of one session that wait for the one before them: a handover, and what SDP negotiation may bring meanwhile. */
export const maximumQueuedNatRequests = 16;

/** Sessions whose end an unreachable translator has still to be told; RFC 6736 §4.6 has it forget them by itself in the end. */
export const maximumUnendedSessions = 100_000;
