/**
 * Limits of the address translator, and the times after which it forgets. A kernel table of 100,000 bindings takes 52 MB and was
 * measured to work (100,000 bindings: bench/nftables-cpu.bench.ts); a full QUERY answer of one session has to stay far below the Diameter message limit.
 */
/** With a binding each for RTP and RTCP. */
export const maximumSessions = 50_000;
export const maximumBindings = 100_000;
export const maximumBindingsPerSession = 64;
/** One controller among several cannot take the whole translator; one that is alone may. */
export const maximumSessionsPerController = 40_000;

/** The longest a packet may be under way over the old access: 100 full packets queued at UMTS's 384 kbit/s take 3.1 s. */
export const defaultGraceTimeMs = 5000;

/**
 * How long the bindings of a controller outlive it (RFC 6736 §4.6 leaves the number to the operator): a call without signalling goes on
 * while the TRIM AS is restarted, and an AS that took its sessions over has this long to ask for them.
 */
export const defaultControllerGraceTimeMs: number = 5 * 60_000;
