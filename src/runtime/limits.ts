/** What one role process will hold for its peers at most. A SIP or Diameter message is a few kilobytes; these leave room for bursts. */

/** Datagrams of one port that wait for the bind or for the kernel. */
export const maximumPendingDatagrams = 1024;

/** Octets of one byte stream that wait for the kernel: a peer that stops reading is disconnected. */
export const maximumUnsentOctets = 1_048_576;

/** Octets of one byte stream that are gathered in a turn before they go out: what one read of the peer takes (Node's is of 64 KiB). */
export const maximumGatheredOctets: number = 64 * 1024;

/** Accepted byte streams of one listener, open at the same time. */
export const maximumAcceptedConnections = 1024;

/** A closed stream may linger this long to flush what was written: one TCP retransmission timeout (RFC 6298 §2.1: 1 s) and its repeat. */
export const lingerMs = 3000;
