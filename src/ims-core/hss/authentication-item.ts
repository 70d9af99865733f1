/**
 * The SIP-Auth-Data-Items of a MAA (TS 29.229 §6.3.13): what the S-CSCF challenges and checks a user with. "SIP Digest" hands out HA1
 * (TS 29.228 §6.3), for each algorithm of RFC 8760 in an item of its own when the S-CSCF asks for several; "Digest-AKAv1-MD5" an
 * authentication vector; "Digest-MD5" is how Kamailio asks for nonce and password (seen with Kamailio 5.6.3).
 */
import { type HashAlgorithm, hashHex } from '../../base/digest.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { createAuthenticationVector } from '../../protocols/aka/authentication-vector.ts';
import { type Avp, avp } from '../../protocols/diameter/avp.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';
import type { AkaCredentials, Subscriber } from './subscriber.ts';

export interface AuthenticationRequest {
  readonly scheme: string;
  /** How many items the S-CSCF can use. */
  readonly count: number;
  readonly realm: string;
  /** Of the vector, should it be AKA. */
  readonly sequenceNumber: number;
}

/** What HA1 may be made of (RFC 8760), in the order in which they are offered: an S-CSCF that takes one item means MD5 by it. */
const digestAlgorithms: readonly (readonly [name: string, hash: HashAlgorithm])[] = [
  ['MD5', 'md5'],
  ['SHA-256', 'sha256'],
  ['SHA-512-256', 'sha512-256'],
];

/** Empty when the scheme is not supported, or not with what is known of the user. */
export function authenticationItems(
  subscriber: Subscriber,
  request: AuthenticationRequest,
  random: RandomSource,
): readonly Avp[] {
  const { credentials } = subscriber;
  // "Unknown" leaves the choice to the HSS (TS 29.228 §6.3.1).
  const isAny = request.scheme === 'Unknown';
  if ('k' in credentials)
    return isAny || request.scheme === akaScheme ? [akaItem(credentials, request, random)] : [];
  if (isAny || request.scheme === 'SIP Digest') return sipDigestItems(subscriber, request);
  return request.scheme === 'Digest-MD5' && 'password' in credentials
    ? [digestMd5Item(credentials.password, random)]
    : [];
}

export const akaScheme = 'Digest-AKAv1-MD5';

function sipDigestItems(
  { credentials, privateIdentity }: Subscriber,
  { realm, count }: AuthenticationRequest,
): readonly Avp[] {
  if ('ha1' in credentials) return [sipDigestItem(1, realm, 'MD5', credentials.ha1)];
  if (!('password' in credentials)) return [];
  const secret = latin1(`${privateIdentity}:${realm}:${credentials.password}`);
  return digestAlgorithms
    .slice(0, Math.max(1, count))
    .map(([name, hash], index) => sipDigestItem(index + 1, realm, name, hashHex(hash, secret)));
}

function sipDigestItem(number: number, realm: string, algorithm: string, ha1: string): Avp {
  return avp(cxAvps.sipAuthDataItem, [
    avp(cxAvps.sipItemNumber, number),
    avp(cxAvps.sipAuthenticationScheme, 'SIP Digest'),
    avp(cxAvps.sipDigestAuthenticate, [
      avp(cxAvps.digestRealm, realm),
      avp(cxAvps.digestAlgorithm, algorithm),
      avp(cxAvps.digestQop, 'auth'),
      avp(cxAvps.digestHa1, ha1),
    ]),
  ]);
}

function akaItem(
  credentials: AkaCredentials,
  { sequenceNumber }: AuthenticationRequest,
  random: RandomSource,
): Avp {
  const rand = randomOctets(random);
  const vector = createAuthenticationVector(credentials, rand, sequenceNumber, credentials.managementField);
  return avp(cxAvps.sipAuthDataItem, [
    avp(cxAvps.sipItemNumber, 1),
    avp(cxAvps.sipAuthenticationScheme, akaScheme),
    avp(cxAvps.sipAuthenticate, Uint8Array.of(...rand, ...vector.autn)),
    avp(cxAvps.sipAuthorization, vector.expectedResponse),
    avp(cxAvps.confidentialityKey, vector.ck),
    avp(cxAvps.integrityKey, vector.ik),
  ]);
}

function digestMd5Item(password: string, random: RandomSource): Avp {
  return avp(cxAvps.sipAuthDataItem, [
    avp(cxAvps.sipItemNumber, 1),
    avp(cxAvps.sipAuthenticationScheme, 'Digest-MD5'),
    avp(cxAvps.sipAuthenticate, randomOctets(random)),
    avp(cxAvps.sipAuthorization, new TextEncoder().encode(password)),
  ]);
}

/** 16 of them. */
function randomOctets(random: RandomSource): Uint8Array {
  const octets = new Uint8Array(16);
  for (let at = 0; at < octets.length; at += 4)
    new DataView(octets.buffer).setUint32(at, random.nextUint32());
  return octets;
}

/** One character per octet of UTF-8, as hashHex takes it. */
function latin1(value: string): string {
  return String.fromCharCode(...new TextEncoder().encode(value));
}
