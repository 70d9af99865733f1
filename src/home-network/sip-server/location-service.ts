/** The location service of RFC 3261 §10 and §16.5: where the users are, and for how long that is known. In memory: user agents refresh. */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { Binding } from '../../protocols/sip/registration/binding.ts';

interface Location {
  readonly bindings: readonly Binding[];
  /** IP address that the user's latest REGISTER came from. */
  readonly source: string;
}

export class LocationService {
  readonly #locations = new Map<string, Location>();
  /** How many users have an end there: where they registered from, and the hosts of their contacts. */
  readonly #ends = new Map<string, number>();
  readonly #deadlines = new DeadlineQueue<string>();

  /** Of the user with that name, those that have not run out. */
  bindingsOf(user: string, now: Instant): readonly Binding[] {
    return (this.#locations.get(user)?.bindings ?? []).filter(({ expiresAt }) => expiresAt > now);
  }

  store(user: string, bindings: readonly Binding[], source: string): void {
    this.#deadlines.delete(user);
    for (const end of endsOf(this.#locations.get(user))) this.#count(end, -1);
    this.#locations.delete(user);
    if (bindings.length === 0) return;
    const location = { bindings, source };
    this.#locations.set(user, location);
    for (const end of endsOf(location)) this.#count(end, 1);
    this.#deadlines.set(user, Math.min(...bindings.map(({ expiresAt }) => expiresAt)), 'binding expires');
  }

  /** Whether a user who is registered now registered from this address, or has a contact with this host. */
  isEnd(host: string): boolean {
    return this.#ends.has(host);
  }

  /** Whether that user is registered from this address, or has a contact with this host. */
  isAt(user: string, host: string): boolean {
    return endsOf(this.#locations.get(user)).has(host);
  }

  /** Removes what has run out. The users who have no binding left. */
  expire(now: Instant): readonly string[] {
    const gone: string[] = [];
    for (let user = this.#deadlines.takeDue(now); user !== undefined; user = this.#deadlines.takeDue(now)) {
      const bindings = this.bindingsOf(user, now);
      if (bindings.length === 0) gone.push(user);
      this.store(user, bindings, this.#locations.get(user)!.source);
    }
    return gone;
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #count(end: string, change: 1 | -1): void {
    const count = (this.#ends.get(end) ?? 0) + change;
    if (count > 0) this.#ends.set(end, count);
    else this.#ends.delete(end);
  }
}

function endsOf(location: Location | undefined): ReadonlySet<string> {
  const hosts = (location?.bindings ?? []).flatMap(({ contact: { uri } }) =>
    uri.kind === 'sip' ? [uri.host] : [],
  );
  return new Set(location === undefined ? [] : [location.source, ...hosts]);
}
