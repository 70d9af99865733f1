/** Limits of one call leg on what a peer can make grow. */

/** Early dialogs per INVITE: more forks than a person has telephones ring at once; further ones are ignored. */
export const maxEarlyDialogs = 16;

/** Requests of ours that wait on one dialog for their turn. */
export const maxQueuedRequests = 32;

/** Provisional and final responses of ours that wait for the PRACK of the one before. */
export const maxQueuedResponses = 32;

/** How often 491, or 500 with Retry-After, is tried again: at 2.1–4 s each this outlasts a transaction of 32 s. */
export const maxRetries = 8;

/** Ended dialogs that are remembered: the two legs of 3,000 calls a second for a minute, at 80 octets each 32 MB. */
export const maxEndedDialogs = 400_000;
