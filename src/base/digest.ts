/**
 * Hash functions, and the comparison of secrets. With block-cipher.ts the only place of the project that uses node:crypto.
 * Text is octets as latin1 (one character per octet), as everywhere in SIP messages here.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type HashAlgorithm = 'md5' | 'sha256' | 'sha512-256';

/** In lower-case hexadecimal. */
export function hashHex(algorithm: HashAlgorithm, octets: string): string {
  return createHash(algorithm).update(octets, 'latin1').digest('hex');
}

/** Whether two texts are equal, in a time that tells nothing about where they differ (their lengths are no secret). */
export function equalInConstantTime(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));
}

/** Message authentication code (RFC 2104), whole: 16 octets of MD5, 32 of SHA-256. */
export function hmac(algorithm: 'md5' | 'sha256', key: Uint8Array, octets: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac(algorithm, key).update(octets).digest());
}

/** As `equalInConstantTime`, for octets. */
export function equalOctetsInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
