/**
 * S-CSCF (TRIM Fig. 1): what it asks the HSS, MAR and SAR (TS 29.228 §6.1.2 and §6.3, TS 29.229 §6.1), and how it reads the answers.
 * Authentication schemes: "SIP Digest" (the HSS gives HA1), "Digest-AKAv1-MD5" (it gives an authentication vector), Kamailio's "Digest-MD5"
 * (it gives the password), and "Unknown" (the HSS chooses by what it knows of the user).
 */
import type { Malformed } from '../../base/malformed.ts';
import {
  type Avp,
  type Avps,
  avp,
  avpValue,
  avpValues,
  isEmpty,
  optionalAvp,
} from '../../protocols/diameter/avp.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';
import type { DigestAlgorithm } from '../../protocols/sip/authentication/digest-fields.ts';
import { digestAlgorithmOf, digestHa1 } from '../../protocols/sip/authentication/digest-response.ts';
import { parseUserProfile, type UserProfile } from './user-profile.ts';

export type AuthenticationScheme = 'Unknown' | 'SIP Digest' | 'Digest-AKAv1-MD5' | 'Digest-MD5';

/** Values of Server-Assignment-Type (TS 29.229 §6.3.15). */
export const serverAssignmentType = {
  registration: 1,
  reRegistration: 2,
  unregisteredUser: 3,
  timeoutDeregistration: 4,
  userDeregistration: 5,
  administrativeDeregistration: 8,
  authenticationFailure: 9,
} as const;

/** Whom a request is about, and which S-CSCF sends it. */
export interface CxIdentity {
  /** Absent when only the public identity is known: a call to an unregistered user. */
  readonly privateIdentity?: string;
  readonly publicIdentity: string;
  /** The S-CSCF's own name, a SIP URI. */
  readonly serverName: string;
}

/** What checks a user's digest, by algorithm. */
export interface PasswordItem {
  readonly kind: 'password';
  readonly realm: string;
  readonly ha1: ReadonlyMap<DigestAlgorithm, string>;
}

/** What challenges a USIM and checks its answer, once. */
export interface AkaItem {
  readonly kind: 'aka';
  /** Base64 of RAND ‖ AUTN (RFC 3310 §3.2). */
  readonly nonce: string;
  readonly ha1: string;
  /** In hexadecimal, for the P-CSCF. */
  readonly ck?: string;
  readonly ik?: string;
}

/** `count`: how many algorithms could be offered to the user. `resynchronisation`: RAND ‖ AUTS, when the USIM asks for it. */
export function multimediaAuthAvps(
  identity: CxIdentity,
  scheme: AuthenticationScheme,
  count: number,
  resynchronisation?: Uint8Array,
): readonly Avp[] {
  return [
    ...identityAvps(identity),
    avp(cxAvps.sipNumberAuthItems, count),
    avp(cxAvps.sipAuthDataItem, [
      avp(cxAvps.sipAuthenticationScheme, scheme),
      ...optionalAvp(cxAvps.sipAuthorization, resynchronisation),
    ]),
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

/** `undefined` when the answer holds no item that a user can be checked with. */
export function authenticationItemOf(
  answer: Avps,
  privateIdentity: string,
  ownRealm: string,
): PasswordItem | AkaItem | undefined {
  const items = avpValues(answer, cxAvps.sipAuthDataItem);
  const hasDigest = (item: Avps): boolean => !isEmpty(avpValue(item, cxAvps.sipDigestAuthenticate) ?? []);
  if (items.some(hasDigest)) return sipDigestItem(items, ownRealm);
  const [item] = items;
  const authorization = item === undefined ? undefined : avpValue(item, cxAvps.sipAuthorization);
  if (item === undefined || authorization === undefined) return undefined;
  const scheme = avpValue(item, cxAvps.sipAuthenticationScheme);
  const secret = latin1(authorization);
  if (scheme === 'Digest-AKAv1-MD5')
    return akaItem(item, digestHa1('AKAv1-MD5', privateIdentity, ownRealm, secret));
  const algorithms = ['MD5', 'SHA-256', 'SHA-512-256'] as const;
  const ha1 = algorithms.map((name) => [name, digestHa1(name, privateIdentity, ownRealm, secret)] as const);
  return { kind: 'password', realm: ownRealm, ha1: new Map(ha1) };
}

function sipDigestItem(items: readonly Avps[], ownRealm: string): PasswordItem | undefined {
  const ha1 = new Map<DigestAlgorithm, string>();
  let realm = ownRealm;
  for (const item of items) {
    const digest = avpValue(item, cxAvps.sipDigestAuthenticate) ?? [];
    const value = avpValue(digest, cxAvps.digestHa1);
    const algorithm = digestAlgorithmOf(avpValue(digest, cxAvps.digestAlgorithm) ?? 'MD5');
    if (value !== undefined && algorithm !== undefined) ha1.set(algorithm, value);
    realm = avpValue(digest, cxAvps.digestRealm) ?? realm;
  }
  return ha1.size === 0 ? undefined : { kind: 'password', realm, ha1 };
}

function akaItem(item: Avps, ha1: string): AkaItem | undefined {
  const challenge = avpValue(item, cxAvps.sipAuthenticate);
  if (challenge === undefined) return undefined;
  const ck = avpValue(item, cxAvps.confidentialityKey);
  const ik = avpValue(item, cxAvps.integrityKey);
  return {
    kind: 'aka',
    nonce: Buffer.from(challenge).toString('base64'),
    ha1,
    ...(ck && { ck: Buffer.from(ck).toString('hex') }),
    ...(ik && { ik: Buffer.from(ik).toString('hex') }),
  };
}

/** `undefined` when the answer has no User-Data. */
export function userProfileOf(answer: Avps): UserProfile | Malformed | undefined {
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
