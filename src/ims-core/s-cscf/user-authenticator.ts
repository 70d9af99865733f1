/**
 * S-CSCF (TRIM Fig. 1): authentication of its users by digest (RFC 3261 §22, RFC 7616, RFC 8760) and by AKA (RFC 3310), with the secrets and
 * vectors that the HSS hands out in MAA (TS 29.228 §6.3). A secret is kept while its user may still answer a nonce, so that a refresh, and
 * a handover, cost one round trip.
 */
import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { DigestAlgorithm, DigestCredentials } from '../../protocols/sip/authentication/digest-fields.ts';
import { digestHa1 } from '../../protocols/sip/authentication/digest-response.ts';
import { DigestServer } from '../../protocols/sip/authentication/digest-server.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import type { AkaItem, PasswordItem } from './cx-requests.ts';
import { maximumSecrets, nonceLifetimeMs } from './limits.ts';

export type Judgement =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused' }
  /** Without credentials, or with some that cannot be judged before the HSS has been asked. */
  | {
      readonly kind: 'unknown';
      readonly stale: boolean;
      /** RAND ‖ AUTS: the USIM wants the HSS to catch up (TS 33.102 §6.3.5). */
      readonly resynchronisation?: Uint8Array;
    };

export interface UserIdentity {
  readonly privateIdentity: string;
  readonly publicIdentity: string;
}

/** A user who has proved himself for one public identity has not for another: only the HSS knows that both are his. */
interface Secret extends UserIdentity {
  readonly ha1: ReadonlyMap<DigestAlgorithm, string>;
}

const unjudged: Extract<Judgement, { kind: 'unknown' }> = { kind: 'unknown', stale: false };

export class UserAuthenticator {
  readonly #digest: DigestServer;
  readonly #realm: string;
  readonly #algorithms: readonly DigestAlgorithm[];
  /** Passwords by private identity and answers of USIMs by nonce, the oldest first. */
  readonly #secrets = new Map<string, Secret>();

  /** `algorithms`: what users with a password are offered, the best first. */
  constructor(realm: string, algorithms: readonly DigestAlgorithm[], random: RandomSource) {
    this.#realm = realm;
    this.#algorithms = algorithms;
    this.#digest = new DigestServer({
      realm,
      algorithms: [...algorithms, 'AKAv1-MD5'],
      random,
      nonceLifetimeMs,
    });
  }

  judge(request: SipRequest, identity: UserIdentity, now: Instant): Judgement {
    const credentials = this.#digest.credentialsOf(request, 'Authorization');
    if (credentials === undefined || credentials.response === '') return unjudged;
    const key = keyOf(identity, credentials);
    const secret = this.#secrets.get(key);
    // A nonce from before a restart, most likely: a terminal in good faith answers another one.
    if (secret === undefined) return { kind: 'unknown', stale: true };
    if (!isSameUser(secret, identity)) return unjudged;
    if (credentials.auts !== undefined) return this.#resynchronise(request, credentials, identity, now);
    const ha1Of = (algorithm: DigestAlgorithm): string | undefined => secret.ha1.get(algorithm);
    const verdict = this.#digest.verify(credentials, request, ha1Of, now);
    if (verdict.kind === 'challenge') return { kind: 'unknown', stale: verdict.stale };
    if (verdict.kind === 'refused') this.#secrets.delete(key);
    return verdict;
  }

  /** Values for WWW-Authenticate, whose answers will be judged by this item; empty when it fits none of the algorithms offered here. */
  challenge(identity: UserIdentity, item: PasswordItem | AkaItem, stale: boolean, now: Instant): string[] {
    const { privateIdentity, publicIdentity } = identity;
    if (item.kind === 'aka') {
      const { nonce, ck, ik, ha1 } = item;
      this.#remember(nonce, { privateIdentity, publicIdentity, ha1: new Map([['AKAv1-MD5', ha1]]) });
      return [this.#digest.createAkaChallenge({ nonce, stale, ck, ik }, now)];
    }
    const offered = this.#algorithms.filter((algorithm) => item.ha1.has(algorithm));
    if (offered.length === 0 || item.realm !== this.#realm) return [];
    this.#remember(privateIdentity, { privateIdentity, publicIdentity, ha1: item.ha1 });
    return this.#digest.createChallenges(now, stale, offered);
  }

  /** The token counts only beside an answer to a challenge of ours, which is then used up. */
  #resynchronise(
    request: SipRequest,
    credentials: DigestCredentials,
    { privateIdentity }: UserIdentity,
    now: Instant,
  ): Judgement {
    const withoutPassword = digestHa1('AKAv1-MD5', privateIdentity, this.#realm, '');
    const { kind } = this.#digest.verify(credentials, request, () => withoutPassword, now);
    if (kind !== 'accepted') return unjudged;
    this.#secrets.delete(credentials.nonce);
    const rand = Buffer.from(credentials.nonce, 'base64').subarray(0, 16);
    const auts = Buffer.from(credentials.auts ?? '', 'base64');
    return { ...unjudged, resynchronisation: Uint8Array.of(...rand, ...auts) };
  }

  #remember(key: string, secret: Secret): void {
    this.#secrets.delete(key);
    this.#secrets.set(key, secret);
    const oldest = this.#secrets.keys().next().value;
    if (this.#secrets.size > maximumSecrets && oldest !== undefined) this.#secrets.delete(oldest);
  }
}

function keyOf({ privateIdentity }: UserIdentity, { algorithm, nonce }: DigestCredentials): string {
  return algorithm.toUpperCase() === 'AKAV1-MD5' ? nonce : privateIdentity;
}

function isSameUser(a: UserIdentity, b: UserIdentity): boolean {
  return a.privateIdentity === b.privateIdentity && a.publicIdentity === b.publicIdentity;
}
