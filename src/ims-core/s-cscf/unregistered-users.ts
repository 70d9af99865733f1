/**
 * S-CSCF (TRIM Fig. 1): users who are not registered and whose calls it serves all the same (SAR with UNREGISTERED_USER, TS 29.228 §6.1.2): their
 * profiles, so that a request that comes back from an application server finds the criteria behind it. After a while without requests the
 * HSS is told that nobody serves the user here any more.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { maximumUsers, unregisteredUserMs } from './limits.ts';
import { canonicalIdentity, identitiesOf } from './registrar.ts';
import type { UserProfile } from './user-profile.ts';

export class UnregisteredUsers {
  /** By private identity. */
  readonly #profiles = new Map<string, UserProfile>();
  readonly #owners = new Map<string, string>();
  readonly #deadlines = new DeadlineQueue<string>();

  /** By a public identity in its canonical form; from now on the user stays that much longer. */
  find(identity: string, now: Instant): UserProfile | undefined {
    const owner = this.#owners.get(identity);
    if (owner !== undefined) this.#extend(owner, now);
    return owner === undefined ? undefined : this.#profiles.get(owner);
  }

  /** Beyond the limit a user is served without being remembered. */
  store(profile: UserProfile, now: Instant): void {
    const { privateIdentity } = profile;
    this.forget(privateIdentity);
    if (this.#profiles.size >= maximumUsers) return;
    this.#profiles.set(privateIdentity, profile);
    for (const { identity } of identitiesOf(profile))
      this.#owners.set(canonicalIdentity(identity), privateIdentity);
    this.#extend(privateIdentity, now);
  }

  has(privateIdentity: string): boolean {
    return this.#profiles.has(privateIdentity);
  }

  forget(privateIdentity: string): void {
    const profile = this.#profiles.get(privateIdentity);
    if (profile === undefined) return;
    this.#profiles.delete(privateIdentity);
    this.#deadlines.delete(privateIdentity);
    for (const { identity } of identitiesOf(profile)) this.#owners.delete(canonicalIdentity(identity));
  }

  /** Who had no requests for long enough. */
  takeExpired(now: Instant): UserProfile[] {
    const expired: UserProfile[] = [];
    for (let id = this.#deadlines.takeDue(now); id !== undefined; id = this.#deadlines.takeDue(now)) {
      expired.push(this.#profiles.get(id)!);
      this.forget(id);
    }
    return expired;
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #extend(privateIdentity: string, now: Instant): void {
    this.#deadlines.set(privateIdentity, now + unregisteredUserMs, 'unregistered user is forgotten');
  }
}
