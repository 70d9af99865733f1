/**
 * The arithmetic of Digest (RFC 7616 §3.4.1–3.4.3; RFC 2617 for clients without qop). All text is octets as latin1: a password with
 * letters beyond ASCII is handed in as its UTF-8 octets. With AKA the password is RES, or empty beside AUTS (RFC 3310 §3.3, §3.4).
 */
import { type HashAlgorithm, hashHex } from '../../../base/digest.ts';
import { type DigestAlgorithm, type DigestCredentials, formatNonceCount } from './digest-fields.ts';

const hashes: Readonly<Record<DigestAlgorithm, HashAlgorithm>> = {
  MD5: 'md5',
  'MD5-sess': 'md5',
  'SHA-256': 'sha256',
  'SHA-256-sess': 'sha256',
  'SHA-512-256': 'sha512-256',
  'SHA-512-256-sess': 'sha512-256',
  'AKAv1-MD5': 'md5',
};

/** The algorithm that a peer named, in whatever case; `undefined` when it is none of ours. */
export function digestAlgorithmOf(name: string): DigestAlgorithm | undefined {
  return (Object.keys(hashes) as DigestAlgorithm[]).find(
    (known) => known.toLowerCase() === name.toLowerCase(),
  );
}

/** H(user:realm:password): all that a server has to keep of a password, and the same for the -sess form of an algorithm. */
export function digestHa1(
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
): string {
  return hashHex(hashes[algorithm], `${username}:${realm}:${password}`);
}

/** The `response` that belongs to these credentials (their own `response` is not looked at). */
export function digestResponse(
  algorithm: DigestAlgorithm,
  ha1: string,
  credentials: Omit<DigestCredentials, 'response' | 'algorithm'>,
  request: { readonly method: string; readonly body: string },
): string {
  const hash = (text: string): string => hashHex(hashes[algorithm], text);
  const { nonce, uri, qop, cnonce = '', nonceCount = 0 } = credentials;
  const secret = algorithm.endsWith('-sess') ? hash(`${ha1}:${nonce}:${cnonce}`) : ha1;
  const ha2 = hash(
    qop === 'auth-int' ? `${request.method}:${uri}:${hash(request.body)}` : `${request.method}:${uri}`,
  );
  return qop === undefined
    ? hash(`${secret}:${nonce}:${ha2}`)
    : hash(`${secret}:${nonce}:${formatNonceCount(nonceCount)}:${cnonce}:${qop}:${ha2}`);
}
