/**
 * S-CSCF (TRIM Fig. 1): who is registered here, with which profile and which bindings (RFC 3261 §10, TS 23.228 §5.2.1a).
 * All public identities of one profile form an implicit registration set: they are registered, and removed, together.
 */

import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import { parseUri } from '../../protocols/sip/message/sip-uri.ts';
import { addressOfRecord } from '../../protocols/sip/registration/address-of-record.ts';
import type { Binding } from '../../protocols/sip/registration/binding.ts';
import type { InitialFilterCriterion } from './initial-filter-criteria.ts';
import { maximumUsers } from './limits.ts';
import type { PublicIdentity, UserProfile } from './user-profile.ts';

/** One implicit registration set. Without bindings its user is known here but not registered. */
export interface ServedUser {
  readonly privateIdentity: string;
  readonly profile: UserProfile;
  readonly bindings: readonly Binding[];
}

export class Registrar {
  readonly #users = new Map<string, ServedUser>();
  /** Canonical public identity → private identity. */
  readonly #owners = new Map<string, string>();
  readonly #deadlines = new DeadlineQueue<string>();

  get size(): number {
    return this.#users.size;
  }

  get isFull(): boolean {
    return this.#users.size >= maximumUsers;
  }

  /** By a public identity in its canonical form. */
  find(identity: string): ServedUser | undefined {
    const owner = this.#owners.get(identity);
    return owner === undefined ? undefined : this.#users.get(owner);
  }

  findPrivate(privateIdentity: string): ServedUser | undefined {
    return this.#users.get(privateIdentity);
  }

  /** Puts the user in the place of the one with the same private identity; without bindings the user is forgotten. */
  store(user: ServedUser): void {
    this.forget(user.privateIdentity);
    if (user.bindings.length === 0) return;
    this.#users.set(user.privateIdentity, user);
    for (const { identity } of identitiesOf(user.profile)) {
      this.#owners.set(canonicalIdentity(identity), user.privateIdentity);
    }
    const earliest = Math.min(...user.bindings.map(({ expiresAt }) => expiresAt));
    this.#deadlines.set(user.privateIdentity, earliest, 'registration expires');
  }

  /** Removes what has expired; returns the users that have lost bindings, as they were and as they are. */
  expire(now: Instant): { readonly before: ServedUser; readonly after: ServedUser }[] {
    const changes: { before: ServedUser; after: ServedUser }[] = [];
    for (let id = this.#deadlines.takeDue(now); id !== undefined; id = this.#deadlines.takeDue(now)) {
      const before = this.#users.get(id)!;
      const after = { ...before, bindings: before.bindings.filter(({ expiresAt }) => expiresAt > now) };
      this.store(after);
      changes.push({ before, after });
    }
    return changes;
  }

  get users(): Iterable<ServedUser> {
    return this.#users.values();
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  forget(privateIdentity: string): void {
    const old = this.#users.get(privateIdentity);
    if (old === undefined) return;
    this.#users.delete(privateIdentity);
    this.#deadlines.delete(privateIdentity);
    for (const { identity } of identitiesOf(old.profile)) {
      const canonical = canonicalIdentity(identity);
      // Two private identities may share a public one: it stays with the one that registered last.
      if (this.#owners.get(canonical) === privateIdentity) this.#owners.delete(canonical);
    }
  }
}

export function identitiesOf(profile: UserProfile): PublicIdentity[] {
  return profile.serviceProfiles.flatMap(({ publicIdentities }) => publicIdentities);
}

/** P-Associated-URI (RFC 7315 §4.1): the identities the user may show, the default one first. */
export function associatedIdentities(profile: UserProfile): string[] {
  return identitiesOf(profile)
    .filter(({ isBarred }) => !isBarred)
    .map(({ identity }) => identity);
}

/** The criteria that hold for one identity; `undefined` when the profile does not know it. */
export function filterCriteriaOf(
  profile: UserProfile,
  identity: string,
): readonly InitialFilterCriterion[] | undefined {
  return profile.serviceProfiles.find(({ publicIdentities }) =>
    publicIdentities.some((candidate) => canonicalIdentity(candidate.identity) === identity),
  )?.initialFilterCriteria;
}

export function canonicalIdentity(identity: string): string {
  const uri = parseUri(identity);
  return isMalformed(uri) ? identity : addressOfRecord(uri);
}
