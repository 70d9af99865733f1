/**
 * Which accesses have a link that leads nowhere (a router that is cut off, a cell without service): so many probes in a row stayed without
 * answer. A link's own state does not show it. What MIP–SIP §3 measures on all accesses tells.
 */
export class UnansweredProbes {
  readonly #limit: number;
  readonly #missed = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  isAnswering(access: string): boolean {
    return (this.#missed.get(access) ?? 0) < this.#limit;
  }

  /** Whether that made it answer again. */
  answered(access: string): boolean {
    const wasSilent = !this.isAnswering(access);
    this.#missed.delete(access);
    return wasSilent;
  }

  /** Whether that made it silent. */
  unanswered(access: string): boolean {
    const missed = (this.#missed.get(access) ?? 0) + 1;
    this.#missed.set(access, missed);
    return missed === this.#limit;
  }

  forget(access: string): void {
    this.#missed.delete(access);
  }
}
