/** Limits of the SIP transport: everything here can be made to grow by a peer. */

/** RFC 3261 §18.1.1: a longer request must not go by UDP when the path MTU is unknown. */
export const maximumUdpRequestOctets = 1_300;

/** Half of the 20,000 descriptors that a Debian service may commonly have; the connection idle for longest makes room. */
export const maximumConnections = 10_000;

/** Octets that wait for one connection to open: four messages of the largest size. */
export const maximumPendingOctets = 262_144;

/** Several times the 120 s between keep-alives that RFC 5626 §4.4.1 recommends. */
export const connectionIdleMs = 600_000;

/** A SYN is repeated after 1, 3 and 7 s (RFC 6298 §2.1, §5.5); who does not answer the last of these will not answer. */
export const connectTimeoutMs = 10_000;

/** How long a peer that refused TCP is spared further attempts for large requests. */
export const tcpRefusedMs = 300_000;

export const maximumRefusingPeers = 1_000;

/** Several times the neighbours of a server. Telephones may be more, but few of their transactions last at the same time; a route takes up 400 octets. */
export const maximumDatagramRoutes = 10_000;

/** Flows that a user agent keeps alive: some accesses with two edge proxies each (RFC 5626 §4.2.1), for some users. */
export const maximumKeptFlows = 1_000;

/** Questions to edge proxies under way at once, beside keep-alives: a few for each access of a handover. */
export const maximumFlowChecks = 16;
