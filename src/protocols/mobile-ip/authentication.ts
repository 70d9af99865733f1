/**
 * Authentication extensions of Mobile IPv4 (RFC 5944 §3.5.2, §3.6.1.3; RFC 4721 §5): HMAC over the message from its first octet up to and
 * including the extension's SPI. The SPI names the key and the algorithm; nothing on the wire tells the algorithm. Leaves out the keyed
 * MD5 of RFC 2002, which is broken, and nonces (optional, RFC 5944 §5.7.2).
 */
import { equalOctetsInConstantTime, hmac } from '../../base/digest.ts';

/** A Mobility Security Association (RFC 5944 §1.6). */
export interface SecurityAssociation {
  /** 256 … 2^32 − 1: the lower ones are reserved (RFC 5944 §1.6). */
  readonly spi: number;
  readonly algorithm: 'hmac-md5' | 'hmac-sha256';
  readonly key: Uint8Array;
}

/** Between whom an authentication extension is. */
export type AuthenticationKind =
  | 'mobile-home'
  | 'mobile-foreign'
  | 'foreign-home'
  | 'mobile-authentication-server';

/** An authentication extension as received. */
export interface Authentication {
  readonly of: AuthenticationKind;
  readonly spi: number;
  readonly authenticator: Uint8Array;
  /** How many octets of the message it covers. */
  readonly covered: number;
}

/** Whether the extension was made with this association. Takes a time that tells nothing about where the authenticators differ. */
export function isAuthentic(
  message: Uint8Array,
  authentication: Authentication,
  association: SecurityAssociation,
): boolean {
  const expected = authenticatorOf(message.subarray(0, authentication.covered), association);
  return (
    authentication.spi === association.spi &&
    equalOctetsInConstantTime(expected, authentication.authenticator)
  );
}

/** The message with its Mobile-Home Authentication extension behind it. */
export function authenticated(message: Uint8Array, association: SecurityAssociation): Uint8Array {
  const length = authenticatorOctets(association);
  const octets = new Uint8Array(message.length + 6 + length);
  octets.set(message);
  const view = new DataView(octets.buffer);
  view.setUint8(message.length, mobileHomeAuthentication);
  view.setUint8(message.length + 1, 4 + length);
  view.setUint32(message.length + 2, association.spi);
  const covered = message.length + 6;
  octets.set(authenticatorOf(octets.subarray(0, covered), association), covered);
  return octets;
}

const mobileHomeAuthentication = 32;

function authenticatorOf(covered: Uint8Array, { algorithm, key }: SecurityAssociation): Uint8Array {
  return hmac(algorithm === 'hmac-md5' ? 'md5' : 'sha256', key, covered);
}

function authenticatorOctets({ algorithm }: SecurityAssociation): number {
  return algorithm === 'hmac-md5' ? 16 : 32;
}
