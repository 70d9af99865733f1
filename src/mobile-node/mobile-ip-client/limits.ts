/** Times and limits of the Mobile IP client. */
import type { DurationMs } from '../../base/instant.ts';

/** RFC 5944 §3. */
export const mobileIpPort = 434;

/**
 * RFC 5944 §3.6.3: never less between two registration requests but for movements (access-binding.ts); here per access, as each is a
 * registration of its own (RFC 7629 §5.1).
 */
export const minimumRequestIntervalMs: DurationMs = 1000;

/**
 * RFC 5944 §2.4.2 and §3.6.3: once per second on average. A handover's registration over an access that is measured by requests of another
 * kind waits for none of them, so these leave room for it.
 */
export const minimumUnboundProbeIntervalMs: DurationMs = 2000;
/** RFC 5944 §3.6.3: what the agent may need beyond two round trips. */
export const processingAllowanceMs: DurationMs = 100;

/** What was refused is tried again: soon at first, then rarely, since most reasons need a person. */
export const refusedRetryMs: DurationMs = 5000;
export const maximumRefusedRetryMs: DurationMs = 300_000;

/** Unanswered requests after which the agent counts as out of reach over that access: 1 + 2 + 4 s. */
export const requestsUntilUnreachable = 3;

/** Lost echoes in a row after which the path is taken to have changed (RFC 3519 §4.10). */
export const lostEchoesUntilRenewal = 3;

/** Echoes under way over one access; at five per second and a time-out of 5 s there are 25. */
export const maximumEchoesUnderWay = 64;
export const minimumEchoTimeoutMs: DurationMs = 1000;
export const maximumEchoTimeoutMs: DurationMs = 5000;

/** RFC 3519 §4.9, §4.10: K, and what it may shrink to. */
export const defaultKeepaliveSeconds = 110;
export const minimumKeepaliveMs: DurationMs = 10_000;

/** How often a lost access's binding is taken back over another one; it runs out by itself in the end. */
export const withdrawalAttempts = 3;

/** The agent's clock comes in whole seconds, so less than this is no difference (RFC 5944 §5.7.1). */
export const clockGranularityMs: DurationMs = 1500;

/** RFC 3519 §5.2 has agents cut longer ones behind address translation anyway. */
export const defaultLifetimeSeconds = 300;

/** With a correspondent: so long at most it sends into a tunnel whose mobile node has gone without a word. */
export const defaultCorrespondentLifetimeSeconds = 60;

/** A third miss is no coincidence any more: with 10 % of random loss it is one in a thousand. */
export const defaultMissedProbes = 3;
