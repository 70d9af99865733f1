/**
 * Hash functions, and the comparison of secrets: the only place of the project that uses node:crypto.
 * Text is octets as latin1 (one character per octet), as everywhere in SIP messages here.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

export type HashAlgorithm = 'md5' | 'sha256' | 'sha512-256';

/** In lower-case hexadecimal. */
export function hashHex(algorithm: HashAlgorithm, octets: string): string {
  return createHash(algorithm).update(octets, 'latin1').digest('hex');
}

/** Whether two texts are equal, in a time that tells nothing about where they differ (their lengths are no secret). */
export function equalInConstantTime(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));
}
