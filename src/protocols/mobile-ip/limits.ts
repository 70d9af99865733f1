/** Limits of the Mobile IP box: everything that a peer can make grow. */

/** A registration with NAI, tunnel request and 8 flow bindings has about 500 octets; more than an Ethernet frame is never needed. */
export const maximumMessageOctets = 1500;

/** RFC 7629 §4.2: BID Count 1 … 8. */
export const maximumBindingIdsPerFlow = 8;
