/**
 * Limits of the address translator, and the times after which it forgets. A kernel table of 100,000 bindings takes 52 MB and was
 * measured to work (100,000 bindings: bench/nftables-cpu.bench.ts); a full QUERY answer of one session has to stay far below the Diameter message limit.
 */
/** Of an operator who names no number. */
export const defaultMaximumSessions = 50_000;
/** As many as there may be, on average: one each for RTP and RTCP. */
export const bindingsOfSession = 2;
export const maximumBindingsPerSession = 64;
/** One controller among several cannot take the whole translator; one that is alone may. */
export const shareOfController = 0.8;

/** What an engine has to have room for: both directions of each binding, and one more while its mobile node moves. */
export function maximumFlows(maximumSessions: number): number {
  return 3 * bindingsOfSession * maximumSessions;
}

/** The longest a packet may be under way over the old access: 100 full packets queued at UMTS's 384 kbit/s take 3.1 s. */
export const defaultGraceTimeMs = 5000;

/**
 * How long the bindings of a controller outlive it (RFC 6736 §4.6 leaves the number to the operator): a call without signalling goes on
 * while the TRIM AS is restarted, and an AS that took its sessions over has this long to ask for them.
 */
export const defaultControllerGraceTimeMs: number = 5 * 60_000;
