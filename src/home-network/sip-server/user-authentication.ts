/**
 * Who a request is from: Digest (RFC 3261 §22, RFC 7616, RFC 8760) with the users' passwords, for the registrar (401) and for the proxy
 * (407). A user may speak for himself only.
 */
import type { Instant } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { RandomSource } from '../../base/random-source.ts';
import {
  type DigestAlgorithm,
  parseDigestCredentials,
} from '../../protocols/sip/authentication/digest-fields.ts';
import { digestHa1 } from '../../protocols/sip/authentication/digest-response.ts';
import { DigestServer } from '../../protocols/sip/authentication/digest-server.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { nonceLifetimeMs } from './limits.ts';
import type { SipServerUser } from './sip-server-options.ts';

export type Authenticity =
  | { readonly kind: 'proved' }
  /** The response to send; `isWrong` when credentials came and were not those of that user. */
  | { readonly kind: 'unproved'; readonly response: SipResponse; readonly isWrong: boolean };

const fieldsOf = {
  registrar: { statusCode: 401, challenge: 'WWW-Authenticate', credentials: 'Authorization' },
  proxy: { statusCode: 407, challenge: 'Proxy-Authenticate', credentials: 'Proxy-Authorization' },
} as const;

export class UserAuthentication {
  /** By the user name of Digest. */
  readonly #users: ReadonlyMap<string, SipServerUser>;
  readonly #realm: string;
  readonly #digest: DigestServer;

  constructor(
    users: readonly SipServerUser[],
    realm: string,
    algorithms: readonly DigestAlgorithm[],
    random: RandomSource,
  ) {
    this.#users = new Map(users.map((user) => [user.authenticationName ?? user.name, user]));
    this.#realm = realm;
    this.#digest = new DigestServer({ realm, algorithms, random, nonceLifetimeMs });
  }

  /** Whether `request` is from the user of that name. Who is no user here is challenged as everybody else: a stranger learns no names. */
  judge(
    role: keyof typeof fieldsOf,
    request: SipRequest,
    name: string,
    toTag: string,
    now: Instant,
  ): Authenticity {
    const { statusCode, challenge, credentials: field } = fieldsOf[role];
    const credentials = this.#digest.credentialsOf(request, field);
    const challenged = (stale: boolean, isWrong: boolean): Authenticity => {
      const response = createResponse(request, statusCode, { toTag });
      for (const value of this.#digest.createChallenges(now, stale))
        response.headers.append(challenge, value);
      return { kind: 'unproved', response, isWrong };
    };
    // RFC 3261 §22.1: an IMS terminal names itself before it is challenged, without a response.
    if (credentials === undefined || credentials.response === '') return challenged(false, false);
    const ha1Of = (algorithm: DigestAlgorithm): string | undefined =>
      this.#ha1Of(credentials.username, algorithm);
    const verdict = this.#digest.verify(credentials, request, ha1Of, now);
    if (verdict.kind === 'challenge') return challenged(verdict.stale, false);
    const owner = this.#users.get(credentials.username);
    if (verdict.kind === 'accepted' && owner?.name === name) return { kind: 'proved' };
    return { kind: 'unproved', response: createResponse(request, 403, { toTag }), isWrong: true };
  }

  /** The answers to this realm's challenges are nobody else's business. */
  removeCredentials({ headers }: SipRequest): void {
    for (const { credentials: field } of Object.values(fieldsOf)) {
      const others = headers.getAll(field).filter((value) => {
        const credentials = parseDigestCredentials(value);
        return credentials === undefined || isMalformed(credentials) || credentials.realm !== this.#realm;
      });
      headers.removeAll(field);
      for (const value of others) headers.append(field, value);
    }
  }

  #ha1Of(name: string, algorithm: DigestAlgorithm): string | undefined {
    const user = this.#users.get(name);
    return user && digestHa1(algorithm, name, this.#realm, user.password);
  }
}
