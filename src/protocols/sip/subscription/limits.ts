/** What subscribers may make a notifier remember. The figures are this project's own. */

/** Subscriptions that one notifier or subscriber keeps: three for each of the users that an S-CSCF serves (terminal, P-CSCF, server). */
export const maximumSubscriptions = 300_000;
/** Of one resource: a user's contacts (16 at most), a P-CSCF for each, and some servers. */
export const maximumSubscriptionsPerResource = 40;
/** Changes that wait for the answer to a NOTIFY; beyond it they are told as one. */
export const maximumWaitingChanges = 8;
