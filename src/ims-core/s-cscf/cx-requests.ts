/**
 * S-CSCF (TRIM Fig. 1): what it asks the HSS, MAR and SAR (TS 29.228 §6.1.2 and §6.3, TS 29.229 §6.1), and how it reads the answers.
 * Authentication schemes: "SIP Digest" (the HSS gives HA1) and Kamailio's "Digest-MD5" (it gives the password). Left out: IMS AKA.
 */
import type { Malformed } from '../../base/malformed.ts';
import { type Avp, avp, avpValue } from '../../protocols/diameter/avp.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';
import { digestHa1 } from '../../protocols/sip/authentication/digest-response.ts';
import { parseUserProfile, type UserProfile } from './user-profile.ts';

export type AuthenticationScheme = 'SIP Digest' | 'Digest-MD5';

/** Values of Server-Assignment-Type (TS 29.229 §6.3.15). */
export const serverAssignmentType = {
  registration: 1,
  reRegistration: 2,
  unregisteredUser: 3,
  timeoutDeregistration: 4,
  userDeregistration: 5,
  administrativeDeregistration: 8,
} as const;

/** Whom a request is about, and which S-CSCF sends it. */
export interface CxIdentity {
  /** Absent when only the public identity is known: a call to an unregistered user. */
  readonly privateIdentity?: string;
  readonly publicIdentity: string;
  /** The S-CSCF's own name, a SIP URI. */
  readonly serverName: string;
}

/** What checks a user's digest. */
export interface AuthenticationItem {
  readonly realm: string;
  readonly ha1: string;
}

export function multimediaAuthAvps(identity: CxIdentity, scheme: AuthenticationScheme): readonly Avp[] {
  return [
    ...identityAvps(identity),
    avp(cxAvps.sipNumberAuthItems, 1),
    avp(cxAvps.sipAuthDataItem, [avp(cxAvps.sipAuthenticationScheme, scheme)]),
  ];
}

export function serverAssignmentAvps(
  identity: CxIdentity,
  type: number,
  hasUserData: boolean,
): readonly Avp[] {
  return [
    ...identityAvps(identity),
    avp(cxAvps.serverAssignmentType, type),
    avp(cxAvps.userDataAlreadyAvailable, hasUserData ? 1 : 0),
  ];
}

/** `undefined` when the answer holds no item that a digest can be checked with. */
export function authenticationItemOf(
  answer: readonly Avp[],
  privateIdentity: string,
  ownRealm: string,
): AuthenticationItem | undefined {
  const item = avpValue(answer, cxAvps.sipAuthDataItem) ?? [];
  const digest = avpValue(item, cxAvps.sipDigestAuthenticate);
  if (digest !== undefined) {
    const ha1 = avpValue(digest, cxAvps.digestHa1);
    const realm = avpValue(digest, cxAvps.digestRealm) ?? ownRealm;
    return ha1 === undefined ? undefined : { realm, ha1 };
  }
  const password = avpValue(item, cxAvps.sipAuthorization);
  if (password === undefined) return undefined;
  return { realm: ownRealm, ha1: digestHa1('MD5', privateIdentity, ownRealm, latin1(password)) };
}

/** `undefined` when the answer has no User-Data. */
export function userProfileOf(answer: readonly Avp[]): UserProfile | Malformed | undefined {
  const data = avpValue(answer, cxAvps.userData);
  return data === undefined ? undefined : parseUserProfile(latin1(data));
}

function identityAvps({ privateIdentity, publicIdentity, serverName }: CxIdentity): readonly Avp[] {
  return [
    ...(privateIdentity === undefined ? [] : [avp(baseAvps.userName, privateIdentity)]),
    avp(cxAvps.publicIdentity, publicIdentity),
    avp(cxAvps.serverName, serverName),
  ];
}

/** One character per octet. */
function latin1(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}
