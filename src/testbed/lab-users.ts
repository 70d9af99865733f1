/** The two users of the lab and their home network, in either paper. */

export const labDomain = 'ims.test';
export const correspondentIdentity: string = `sip:alice@${labDomain}`;
export const mobileIdentity: string = `sip:bob@${labDomain}`;

export function privateIdentityOf(identity: string): string {
  return identity.slice('sip:'.length);
}

/** Nobody outside the lab can reach its core. Softphones write it into files where spaces and semicolons part things. */
export function passwordOf(identity: string): string {
  return `secret-of-${userOf(identity)}`;
}

export function userOf(identity: string): string {
  return identity.replace(/^sip:|@.*/g, '');
}
