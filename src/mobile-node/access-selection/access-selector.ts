/**
 * Which access shall carry the sessions: the one place where that is decided. This policy follows the order of preference in the
 * configuration, unless a person asked for an access, which then holds as long as that access lives.
 */

export interface AccessSelector {
  /** `candidates` are the accesses that can be used now, by name. `undefined` when none can. */
  select(candidates: readonly string[], current: string | undefined): string | undefined;
  /** A person's wish, until the access is lost. */
  pin(access: string | undefined): void;
}

export class PreferenceOrder implements AccessSelector {
  readonly #order: readonly string[];
  #pinned: string | undefined;

  /** The most preferred access first; accesses that are not listed are used when no other is there. */
  constructor(order: readonly string[]) {
    this.#order = order;
  }

  pin(access: string | undefined): void {
    this.#pinned = access;
  }

  select(candidates: readonly string[], current: string | undefined): string | undefined {
    if (this.#pinned !== undefined && candidates.includes(this.#pinned)) return this.#pinned;
    this.#pinned = undefined;
    const preferred = this.#order.find((name) => candidates.includes(name));
    return preferred ?? candidates.find((name) => name === current) ?? candidates[0];
  }
}
