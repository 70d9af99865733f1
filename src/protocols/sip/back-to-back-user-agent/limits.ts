/** Limits of the back-to-back user agent on what its peers can make grow. */

/** Calls at the same time of an owner who names no number, such as a mobile node. */
export const defaultMaximumCalls = 20_000;

/** Messages of one leg that wait behind a session description which the owner has not decided on. */
export const maxWaitingMessages = 32;

/** Replaced legs of a call that Replaces may still name: a mover names the last or the one before. */
export const maxFormerLegs = 8;
