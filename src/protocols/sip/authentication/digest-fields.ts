/**
 * Challenge and credentials of the Digest scheme as header field values (RFC 7616 §3.3, §3.4; RFC 8760 for SIP; RFC 3310 for AKA). What
 * is quoted and what is not follows the standard when written; both are read. Leaves out userhash, and `domain`, which SIP does not use (RFC 3261 §22.4).
 */
import { Malformed } from '../../../base/malformed.ts';
import { quote, unquote } from '../message/parameters.ts';

export type DigestAlgorithm =
  | 'MD5'
  | 'MD5-sess'
  | 'SHA-256'
  | 'SHA-256-sess'
  | 'SHA-512-256'
  | 'SHA-512-256-sess'
  /** The password is what a USIM answers to the nonce (RFC 3310). */
  | 'AKAv1-MD5';

export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  /** As written; "MD5" when absent. May be one that this program does not know. */
  readonly algorithm: string;
  /** Empty in challenges older than RFC 2617. */
  readonly qop: readonly string[];
  readonly opaque?: string | undefined;
  readonly stale: boolean;
  /** The keys of IMS AKA in hexadecimal, from the S-CSCF to the P-CSCF and no further (TS 24.229 §7.2A.1): written, never read. */
  readonly ck?: string | undefined;
  readonly ik?: string | undefined;
}

export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** Hexadecimal; empty in the first REGISTER of an IMS terminal. */
  readonly response: string;
  readonly algorithm: string;
  readonly opaque?: string | undefined;
  /** With `qop` come `cnonce` and `nonceCount`; legacy clients send none of them. */
  readonly qop?: 'auth' | 'auth-int' | undefined;
  readonly cnonce?: string | undefined;
  readonly nonceCount?: number | undefined;
  /** Base64 of the token that asks for a resynchronisation (RFC 3310 §3.4); the response was made with an empty password. */
  readonly auts?: string | undefined;
}

/** `undefined` when the scheme is not Digest (a client passes over challenges of schemes it does not know). */
export function parseDigestChallenge(text: string): DigestChallenge | Malformed | undefined {
  const parameters = parseAuthParameters(text);
  if (!(parameters instanceof Map)) return parameters;
  const realm = parameters.get('realm');
  const nonce = parameters.get('nonce');
  if (realm === undefined || nonce === undefined)
    return new Malformed('WWW-Authenticate', 0, 'RFC 7616 §3.3: realm and nonce are mandatory');
  return {
    realm,
    nonce,
    algorithm: parameters.get('algorithm') ?? 'MD5',
    qop: (parameters.get('qop') ?? '').split(',').flatMap((value) => value.trim().toLowerCase() || []),
    opaque: parameters.get('opaque'),
    stale: parameters.get('stale')?.toLowerCase() === 'true',
  };
}

export function formatDigestChallenge(challenge: DigestChallenge): string {
  return formatAuthParameters([
    ['realm', quote(challenge.realm)],
    ['nonce', quote(challenge.nonce)],
    ['opaque', challenge.opaque === undefined ? undefined : quote(challenge.opaque)],
    ['algorithm', challenge.algorithm],
    ['qop', challenge.qop.length === 0 ? undefined : quote(challenge.qop.join(','))],
    ['stale', challenge.stale ? 'true' : undefined],
    ['ck', challenge.ck === undefined ? undefined : quote(challenge.ck)],
    ['ik', challenge.ik === undefined ? undefined : quote(challenge.ik)],
  ]);
}

/** `undefined` when the scheme is not Digest. */
export function parseDigestCredentials(text: string): DigestCredentials | Malformed | undefined {
  const parameters = parseAuthParameters(text);
  if (!(parameters instanceof Map)) return parameters;
  const [username, realm, nonce, uri, response] = ['username', 'realm', 'nonce', 'uri', 'response'].map(
    (name) => parameters.get(name),
  );
  if (
    username === undefined ||
    realm === undefined ||
    nonce === undefined ||
    uri === undefined ||
    response === undefined
  )
    return new Malformed(
      'Authorization',
      0,
      'RFC 7616 §3.4: username, realm, nonce, uri and response are mandatory',
    );
  const auts = parameters.get('auts');
  const credentials = {
    ...{ username, realm, nonce, uri, response },
    algorithm: parameters.get('algorithm') ?? 'MD5',
    opaque: parameters.get('opaque'),
    ...(auts !== undefined && { auts }),
  };
  const qop = parameters.get('qop')?.toLowerCase();
  if (qop === undefined) return credentials;
  const cnonce = parameters.get('cnonce');
  const nonceCount = parameters.get('nc') ?? '';
  if ((qop !== 'auth' && qop !== 'auth-int') || cnonce === undefined || !/^[0-9a-f]{8}$/i.test(nonceCount))
    return new Malformed('Authorization', 0, 'RFC 7616 §3.4: qop comes with cnonce and eight digits of nc');
  return { ...credentials, qop, cnonce, nonceCount: Number.parseInt(nonceCount, 16) };
}

export function formatDigestCredentials(credentials: DigestCredentials): string {
  const { opaque, cnonce, nonceCount, auts } = credentials;
  return formatAuthParameters([
    ['username', quote(credentials.username)],
    ['realm', quote(credentials.realm)],
    ['nonce', quote(credentials.nonce)],
    ['uri', quote(credentials.uri)],
    ['response', quote(credentials.response)],
    ['algorithm', credentials.algorithm],
    ['opaque', opaque === undefined ? undefined : quote(opaque)],
    ['qop', credentials.qop],
    ['cnonce', cnonce === undefined ? undefined : quote(cnonce)],
    ['nc', nonceCount === undefined ? undefined : formatNonceCount(nonceCount)],
    ['auts', auts === undefined ? undefined : quote(auts)],
  ]);
}

/** Eight hexadecimal digits (RFC 7616 §3.4). */
export function formatNonceCount(nonceCount: number): string {
  return nonceCount.toString(16).padStart(8, '0');
}

/** The white space before a value belongs to the value, so that there is one way only to match a run of it. */
const authParameter =
  /[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=(?:[ \t]*("(?:[^"\\]|\\[\s\S])*"|[^\s,"]+))?[ \t]*(?:,|$)/y;

/** Names in lower case, values without quotes. A name that stands there twice is a forgery attempt as likely as a mistake. */
function parseAuthParameters(text: string): Map<string, string> | Malformed | undefined {
  const scheme = /^Digest[ \t]+/i.exec(text);
  if (scheme === null) return undefined;
  const parameters = new Map<string, string>();
  for (let at = scheme[0].length; at < text.length; at = authParameter.lastIndex) {
    authParameter.lastIndex = at;
    const match = authParameter.exec(text);
    const name = match?.[1]?.toLowerCase() ?? '';
    if (match === null || parameters.has(name))
      return new Malformed('Digest', at, 'RFC 7235 §2.1: name=value, each name once');
    parameters.set(name, unquote(match[2] ?? ''));
  }
  return parameters;
}

function formatAuthParameters(
  parameters: readonly (readonly [name: string, value: string | undefined])[],
): string {
  const present = parameters.filter(([, value]) => value !== undefined);
  return `Digest ${present.map(([name, value]) => `${name}=${value}`).join(', ')}`;
}
