/**
 * The client side of Digest (RFC 7616 §3.6, RFC 3261 §22.2, §22.3): remembers the challenges of each realm, answers them in every
 * later request, and knows when trying again is useless. Leaves out AKA and the check of Authentication-Info.
 */
import { isMalformed } from '../../../base/malformed.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import {
  type DigestAlgorithm,
  type DigestChallenge,
  formatDigestCredentials,
  parseDigestChallenge,
  parseDigestCredentials,
} from './digest-fields.ts';
import { digestAlgorithmOf, digestHa1, digestResponse } from './digest-response.ts';

/** Who challenged decides where the answer stands. */
const answerFieldOf = {
  'WWW-Authenticate': 'Authorization',
  'Proxy-Authenticate': 'Proxy-Authorization',
} as const;
type ChallengeField = keyof typeof answerFieldOf;

/** A call crosses a handful of realms at most; more is a flood. */
const maximumRealms = 16;

interface KnownChallenge extends DigestChallenge {
  readonly field: ChallengeField;
  readonly knownAlgorithm: DigestAlgorithm;
  nonceCount: number;
}

export class DigestClient {
  readonly #username: string;
  readonly #password: string;
  readonly #random: RandomSource;
  /** By field and realm. */
  readonly #challenges = new Map<string, KnownChallenge>();

  /** `username` and `password` are octets as latin1. */
  constructor(username: string, password: string, random: RandomSource) {
    this.#username = username;
    this.#password = password;
    this.#random = random;
  }

  /**
   * Takes over the challenges of a 401 or 407 to `request`. Returns whether sending the request again (with a new CSeq and branch, after
   * `authorize`) makes sense: not when a fresh nonce was answered already, which means that the password is wrong.
   */
  acceptChallenge(request: SipRequest, response: SipResponse): boolean {
    const seen = new Set<string>();
    for (const field of ['WWW-Authenticate', 'Proxy-Authenticate'] as const) {
      for (const value of response.headers.getAll(field)) {
        const challenge = parseDigestChallenge(value);
        if (challenge === undefined || isMalformed(challenge)) continue;
        const key = `${field} ${challenge.realm}`;
        const knownAlgorithm = digestAlgorithmOf(challenge.algorithm);
        // The server lists what it likes best first; the client takes the first that it knows (RFC 8760 §2.4).
        if (knownAlgorithm === undefined || seen.has(key) || !isAnswerable(challenge)) continue;
        if (!challenge.stale && wasFreshlyAnswered(request, field, challenge.realm)) return false;
        if (seen.size >= maximumRealms) return false;
        seen.add(key);
        this.#challenges.delete(key);
        this.#challenges.set(key, { ...challenge, field, knownAlgorithm, nonceCount: 0 });
      }
    }
    this.#forgetOldRealms();
    return seen.size > 0;
  }

  /** Puts the answers to all known challenges into the request, with the next nonce count each. Does nothing before the first challenge. */
  authorize(request: SipRequest): void {
    for (const field of Object.values(answerFieldOf)) request.headers.removeAll(field);
    for (const challenge of this.#challenges.values())
      request.headers.append(answerFieldOf[challenge.field], this.#answer(challenge, request));
  }

  #answer(challenge: KnownChallenge, request: SipRequest): string {
    challenge.nonceCount++;
    const common = {
      username: this.#username,
      realm: challenge.realm,
      nonce: challenge.nonce,
      uri: request.requestUri,
      opaque: challenge.opaque,
    };
    const qop = challenge.qop.includes('auth') ? 'auth' : 'auth-int';
    const isSession = challenge.knownAlgorithm.endsWith('-sess');
    const fields =
      challenge.qop.length === 0 && !isSession
        ? common
        : ({
            ...common,
            qop,
            cnonce: randomToken(this.#random, 16),
            nonceCount: challenge.nonceCount,
          } as const);
    const ha1 = digestHa1(challenge.knownAlgorithm, this.#username, challenge.realm, this.#password);
    const response = digestResponse(challenge.knownAlgorithm, ha1, fields, request);
    return formatDigestCredentials({ ...fields, response, algorithm: challenge.algorithm });
  }

  #forgetOldRealms(): void {
    for (const key of this.#challenges.keys()) {
      if (this.#challenges.size <= maximumRealms) return;
      this.#challenges.delete(key);
    }
  }
}

/** No qop at all is the legacy form; a list without auth and auth-int is one of the future. */
function isAnswerable({ qop }: DigestChallenge): boolean {
  return qop.length === 0 || qop.includes('auth') || qop.includes('auth-int');
}

/** Whether the request answered a nonce of this realm for the first time (or in the legacy form, which does not count). */
function wasFreshlyAnswered(request: SipRequest, field: ChallengeField, realm: string): boolean {
  return request.headers.getAll(answerFieldOf[field]).some((value) => {
    const credentials = parseDigestCredentials(value);
    if (credentials === undefined || isMalformed(credentials)) return false;
    return credentials.realm === realm && credentials.response !== '' && (credentials.nonceCount ?? 1) === 1;
  });
}
