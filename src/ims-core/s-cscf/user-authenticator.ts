/**
 * S-CSCF (TRIM Fig. 1): digest authentication of its users (RFC 3261 §22, RFC 7616) with the secrets that the HSS hands out in MAA
 * (TS 29.228 §6.3). A secret is kept while its user may still answer a nonce, so that a refresh, and a handover, cost one round trip.
 * Algorithm MD5 only: that is what HA1 in Cx is made of.
 */
import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { DigestServer } from '../../protocols/sip/authentication/digest-server.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { maximumSecrets, nonceLifetimeMs } from './limits.ts';

/** 'unknown': without credentials, or with some that cannot be judged before the HSS has been asked. */
export type Judgement = 'accepted' | 'refused' | 'stale' | 'unknown';

export interface UserIdentity {
  readonly privateIdentity: string;
  readonly publicIdentity: string;
}

interface Secret {
  readonly ha1: string;
  /** A user who has proved himself for one public identity has not for another: only the HSS knows that both are his. */
  readonly publicIdentity: string;
}

export class UserAuthenticator {
  readonly #digest: DigestServer;
  /** By private identity, the oldest first. */
  readonly #secrets = new Map<string, Secret>();

  constructor(realm: string, random: RandomSource) {
    this.#digest = new DigestServer({ realm, algorithms: ['MD5'], random, nonceLifetimeMs });
  }

  judge(request: SipRequest, { privateIdentity, publicIdentity }: UserIdentity, now: Instant): Judgement {
    const credentials = this.#digest.credentialsOf(request, 'Authorization');
    const secret = this.#secrets.get(privateIdentity);
    if (credentials === undefined || credentials.response === '') return 'unknown';
    if (secret === undefined || secret.publicIdentity !== publicIdentity) return 'unknown';
    const verdict = this.#digest.verify(credentials, request, () => secret.ha1, now);
    if (verdict.kind === 'challenge') return verdict.stale ? 'stale' : 'unknown';
    if (verdict.kind === 'refused') this.#secrets.delete(privateIdentity);
    return verdict.kind;
  }

  /** Values for WWW-Authenticate; answers to them will be judged by this HA1. */
  challenge(
    { privateIdentity, publicIdentity }: UserIdentity,
    ha1: string,
    stale: boolean,
    now: Instant,
  ): string[] {
    this.#secrets.delete(privateIdentity);
    this.#secrets.set(privateIdentity, { ha1, publicIdentity });
    const oldest = this.#secrets.keys().next().value;
    if (this.#secrets.size > maximumSecrets && oldest !== undefined) this.#secrets.delete(oldest);
    return this.#digest.createChallenges(now, stale);
  }
}
