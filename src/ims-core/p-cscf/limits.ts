/** What user equipment may make the P-CSCF remember. The figure is this project's own: a large access network's worth of users. */
export const maximumRegisteredContacts = 100_000;
