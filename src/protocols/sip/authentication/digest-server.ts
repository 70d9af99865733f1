/**
 * The server side of Digest (RFC 7616 §3.3–3.5, RFC 3261 §22): makes challenges, keeps the nonces it gave out, and judges credentials.
 * Looking up the user is the caller's business. The Authorization `uri` is not compared with the Request-URI: proxies on the way
 * rewrite the latter, and RFC 8760 §2.6 lets a server that is responsible for both accept that. The nonce of AKA is the home network's
 * (RFC 3310 §3.2): the caller brings it.
 */
import { equalInConstantTime } from '../../../base/digest.ts';
import type { Instant } from '../../../base/instant.ts';
import { isMalformed } from '../../../base/malformed.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import type { SipRequest } from '../message/sip-message.ts';
import {
  type DigestAlgorithm,
  type DigestChallenge,
  type DigestCredentials,
  formatDigestChallenge,
  parseDigestCredentials,
} from './digest-fields.ts';
import { digestAlgorithmOf, digestResponse } from './digest-response.ts';

export interface DigestServerOptions {
  readonly realm: string;
  /** Best first; one challenge is made for each (RFC 8760 §2.3). */
  readonly algorithms: readonly DigestAlgorithm[];
  readonly qop?: readonly ('auth' | 'auth-int')[];
  readonly random: RandomSource;
  /** How long a nonce is good, in milliseconds; 5 minutes unless told otherwise. */
  readonly nonceLifetimeMs?: number;
}

export type DigestVerdict =
  | { readonly kind: 'accepted' }
  /** Answer 401 or 407 with new challenges. `stale`: the password was right, only the nonce was not. */
  | { readonly kind: 'challenge'; readonly stale: boolean }
  /** The nonce was good and the answer wrong. */
  | { readonly kind: 'refused' };

/** Nonces that are in use at the same time; the oldest gives way, which costs its user one more round trip (`stale`). */
const maximumNonces = 10_000;

interface IssuedNonce {
  readonly issuedAt: Instant;
  highestCount: number;
}

export class DigestServer {
  readonly #options: DigestServerOptions;
  readonly #nonces = new Map<string, IssuedNonce>();

  constructor(options: DigestServerOptions) {
    this.#options = options;
  }

  /**
   * Values for WWW-Authenticate or Proxy-Authenticate, one line each; `algorithms` when this user's secret is not known for all that
   * the server offers.
   */
  createChallenges(
    now: Instant,
    stale = false,
    algorithms: readonly DigestAlgorithm[] = this.#options.algorithms,
  ): string[] {
    const nonce = randomToken(this.#options.random, 32);
    return algorithms.map((algorithm) => this.#challenge({ nonce, algorithm, stale }, now));
  }

  /** The value for WWW-Authenticate with a nonce of AKA, and the keys for the P-CSCF. */
  createAkaChallenge(
    challenge: Pick<DigestChallenge, 'nonce' | 'stale' | 'ck' | 'ik'>,
    now: Instant,
  ): string {
    return this.#challenge({ ...challenge, algorithm: 'AKAv1-MD5' }, now);
  }

  #challenge(challenge: Omit<DigestChallenge, 'realm' | 'qop'>, now: Instant): string {
    const { realm, qop = ['auth'] } = this.#options;
    if (!this.#nonces.has(challenge.nonce)) {
      this.#dropOldNonces(now);
      this.#nonces.set(challenge.nonce, { issuedAt: now, highestCount: 0 });
    }
    return formatDigestChallenge({ ...challenge, realm, qop });
  }

  /** The credentials for this realm in the request; `undefined` when there are none, or none that can be read. */
  credentialsOf(
    request: SipRequest,
    field: 'Authorization' | 'Proxy-Authorization',
  ): DigestCredentials | undefined {
    for (const value of request.headers.getAll(field)) {
      const credentials = parseDigestCredentials(value);
      if (credentials !== undefined && !isMalformed(credentials) && credentials.realm === this.#options.realm)
        return credentials;
    }
    return undefined;
  }

  /**
   * Judges credentials by H(user:realm:password) for the algorithm that they name: `ha1Of` gives it, or `undefined` when the user
   * or that form of the secret is not known.
   */
  verify(
    credentials: DigestCredentials,
    request: SipRequest,
    ha1Of: (algorithm: DigestAlgorithm) => string | undefined,
    now: Instant,
  ): DigestVerdict {
    const isRight = this.#isResponseRight(credentials, request, ha1Of);
    const issued = this.#nonces.get(credentials.nonce);
    const isExpired = issued === undefined || now - issued.issuedAt > this.#lifetimeMs;
    if (isExpired) return { kind: 'challenge', stale: isRight };
    if (!isRight) return { kind: 'refused' };
    const count = credentials.nonceCount ?? 0;
    // A count that does not rise is a replay or came late; a client in good faith simply takes a new nonce.
    if (count <= issued.highestCount) return { kind: 'challenge', stale: true };
    issued.highestCount = count;
    return { kind: 'accepted' };
  }

  get #lifetimeMs(): number {
    return this.#options.nonceLifetimeMs ?? 300_000;
  }

  /** A client that leaves qop out although it was offered gets no further: replay protection hangs on it (RFC 7616 §3.4). */
  #isResponseRight(
    credentials: DigestCredentials,
    request: SipRequest,
    ha1Of: (algorithm: DigestAlgorithm) => string | undefined,
  ): boolean {
    const { algorithms, qop = ['auth'] } = this.#options;
    const algorithm = digestAlgorithmOf(credentials.algorithm);
    if (algorithm === undefined || !algorithms.includes(algorithm)) return false;
    if (credentials.qop === undefined || !qop.includes(credentials.qop)) return false;
    const ha1 = ha1Of(algorithm);
    const expected = digestResponse(algorithm, ha1 ?? '', credentials, request);
    return equalInConstantTime(expected, credentials.response.toLowerCase()) && ha1 !== undefined;
  }

  /** A Map keeps the order of insertion, so the oldest come first. */
  #dropOldNonces(now: Instant): void {
    for (const [nonce, { issuedAt }] of this.#nonces) {
      if (this.#nonces.size < maximumNonces && now - issuedAt <= this.#lifetimeMs) return;
      this.#nonces.delete(nonce);
    }
  }
}
