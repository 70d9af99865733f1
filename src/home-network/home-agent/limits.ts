/** Limits of the home agent, and the times that it keeps. */
import type { DurationMs } from '../../base/instant.ts';

/** As many as a flow binding can name (RFC 7629 §4.2); a mobile node has two to five accesses. */
export const maximumBindingsPerMobileNode = 8;

/** Requests of one mobile node that wait for the journal: it may send one per second and access. */
export const maximumWaitingRequests = 16;

/** RFC 5944 §5.7.1. */
export const defaultTimestampToleranceMs: DurationMs = 7000;

/** RFC 5944 §3.6.1.2: what an agent advertises unless told otherwise. */
export const defaultMaximumLifetimeSeconds = 1800;

/** RFC 3519 §5.2. */
export const defaultMaximumLifetimeBehindNatSeconds = 60;

/** RFC 3519 §4.9: K. */
export const defaultKeepaliveSeconds = 110;

/** RFC 5944 §4.6: gratuitous ARP is repeated, since nobody acknowledges it. */
export const gratuitousArpTimes = 3;
export const gratuitousArpIntervalMs: DurationMs = 1000;

/** RFC 3543 §3.3: not more than one per second; four of them reach back over 15 s. */
export const revocationTimes = 4;
export const revocationIntervalMs: DurationMs = 1000;

/** Contacts of one user of SIP: as many as a registrar takes (protocols/sip/registration), twice what the mobile node can have bound. */
export const maximumContactsPerAccount = 16;
