/**
 * Which accesses have a link that leads nowhere (a router that is cut off, a cell without service): so many probes in a row stayed without
 * answer, while one that was sent later over another access was answered. A link's own state does not show it; the probes that MIP–SIP §3
 * sends over all accesses do. When none is answered it is the home agent that is silent, and no access is any better than another.
 */
import type { Instant } from '../../base/instant.ts';

interface ProbeRecord {
  missed: number;
  /** When the probe was sent that reached the limit. */
  limitReachedBy: Instant | undefined;
  /** When the last probe was sent that was answered. */
  answeredProbeAt: Instant;
}

export class UnansweredProbes {
  readonly #limit: number;
  readonly #records = new Map<string, ProbeRecord>();
  readonly #silent = new Set<string>();
  readonly #events: { readonly access: string; readonly isAnswering: boolean }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  isAnswering(access: string): boolean {
    return !this.#silent.has(access);
  }

  answered(access: string, sentAt: Instant): void {
    const record = this.#recordOf(access);
    record.missed = 0;
    record.limitReachedBy = undefined;
    record.answeredProbeAt = Math.max(record.answeredProbeAt, sentAt);
    if (this.#silent.delete(access)) this.#events.push({ access, isAnswering: true });
    this.#judge();
  }

  unanswered(access: string, sentAt: Instant): void {
    const record = this.#recordOf(access);
    record.missed += 1;
    if (record.missed >= this.#limit) record.limitReachedBy ??= sentAt;
    this.#judge();
  }

  /** The access is gone. */
  forget(access: string): void {
    this.#records.delete(access);
    this.#silent.delete(access);
  }

  /** An access has become silent, or answers again. */
  pollEvent(): { readonly access: string; readonly isAnswering: boolean } | undefined {
    return this.#events.shift();
  }

  #judge(): void {
    for (const [access, { limitReachedBy }] of this.#records) {
      if (limitReachedBy === undefined || this.#silent.has(access)) continue;
      if (![...this.#records.values()].some(({ answeredProbeAt }) => answeredProbeAt > limitReachedBy))
        continue;
      this.#silent.add(access);
      this.#events.push({ access, isAnswering: false });
    }
  }

  #recordOf(access: string): ProbeRecord {
    const known = this.#records.get(access);
    if (known !== undefined) return known;
    const record = { missed: 0, limitReachedBy: undefined, answeredProbeAt: Number.NEGATIVE_INFINITY };
    this.#records.set(access, record);
    return record;
  }
}
