/**
 * The client side of Digest (RFC 7616 §3.6, RFC 3261 §22.2, §22.3): remembers the challenges of each realm, answers them in every
 * later request, and knows when trying again is useless. Whoever has a USIM in place of a password answers AKA challenges, and asks the
 * network to catch up when its sequence number is old (RFC 3310 §3.3, §3.4). Leaves out the check of Authentication-Info.
 */
import { isMalformed } from '../../../base/malformed.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import type { Usim } from '../../aka/usim.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import {
  type DigestAlgorithm,
  type DigestChallenge,
  type DigestCredentials,
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

/** A password, or what answers AKA challenges. */
export type DigestSecret = string | Usim;

interface KnownChallenge extends DigestChallenge {
  readonly field: ChallengeField;
  readonly knownAlgorithm: DigestAlgorithm;
  /** For this nonce: RES with AKA. */
  readonly password: string;
  /** Goes with the answer, base64. */
  readonly auts: string | undefined;
  nonceCount: number;
}

export class DigestClient {
  readonly #username: string;
  readonly #secret: DigestSecret;
  readonly #random: RandomSource;
  /** By field and realm. */
  readonly #challenges = new Map<string, KnownChallenge>();

  /** `username` and a password are octets as latin1. */
  constructor(username: string, secret: DigestSecret, random: RandomSource) {
    this.#username = username;
    this.#secret = secret;
    this.#random = random;
  }

  /**
   * Takes over the challenges of a 401 or 407 to `request`. Returns whether sending the request again (with a new CSeq and branch, after
   * `authorize`) makes sense: not when a fresh nonce was answered already, which means that the password is wrong, and not when an AKA
   * challenge is not the home network's.
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
        if ((knownAlgorithm === 'AKAv1-MD5') === (typeof this.#secret === 'string')) continue;
        const answered = freshAnswerOf(request, field, challenge.realm);
        if (!challenge.stale && answered !== undefined && answered.auts === undefined) return false;
        if (seen.size >= maximumRealms) return false;
        const answer = this.#passwordFor(challenge);
        // The network was told already where to go on, and did not.
        if (answer === undefined || (answer.auts !== undefined && answered?.auts !== undefined)) return false;
        seen.add(key);
        this.#challenges.delete(key);
        this.#challenges.set(key, { ...challenge, field, knownAlgorithm, ...answer, nonceCount: 0 });
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

  #passwordFor({ nonce }: DigestChallenge): Pick<KnownChallenge, 'password' | 'auts'> | undefined {
    const secret = this.#secret;
    if (typeof secret === 'string') return { password: secret, auts: undefined };
    // RFC 3310 §3.2: RAND, AUTN, then whatever the server likes.
    const octets = Buffer.from(nonce, 'base64');
    const answer = secret.authenticate(octets.subarray(0, 16), octets.subarray(16, 32));
    if (answer.kind === 'network-refused') return undefined;
    return answer.kind === 'authenticated'
      ? { password: Buffer.from(answer.res).toString('latin1'), auts: undefined }
      : { password: '', auts: Buffer.from(answer.auts).toString('base64') };
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
    const { knownAlgorithm, algorithm, realm, password, auts } = challenge;
    const ha1 = digestHa1(knownAlgorithm, this.#username, realm, password);
    const response = digestResponse(knownAlgorithm, ha1, fields, request);
    return formatDigestCredentials({ ...fields, response, algorithm, auts });
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

/** The credentials with which the request answered a nonce of this realm for the first time (or in the legacy form, which does not count). */
function freshAnswerOf(
  request: SipRequest,
  field: ChallengeField,
  realm: string,
): DigestCredentials | undefined {
  for (const value of request.headers.getAll(answerFieldOf[field])) {
    const credentials = parseDigestCredentials(value);
    if (credentials === undefined || isMalformed(credentials)) continue;
    const isFresh = credentials.response !== '' && (credentials.nonceCount ?? 1) === 1;
    if (credentials.realm === realm && isFresh) return credentials;
  }
  return undefined;
}
