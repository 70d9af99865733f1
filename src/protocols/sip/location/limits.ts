/** Limits of server location on what the DNS of others can make grow. */

/** Servers tried for one request: each may take 32 s (timer B or F). */
export const maximumTargets = 8;

/** Questions to the DNS for one URI: NAPTR, three SRV, two families of eight hosts. */
export const maximumQueries = 24;

/** Answers that are remembered; the oldest makes room. */
export const maximumCachedAnswers = 10_000;

/** How long an answer is taken for true: the resolver of the host, which knows the time to live, is asked again then. */
export const cachedAnswerMs = 30_000;

/** As no answer: the usual resolver gives up after two tries of 5 s (resolv.conf). */
export const answerTimeoutMs = 10_000;
