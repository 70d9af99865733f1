/**
 * Which address translator anchors a new session (TRIM §3.2: "selects an address translator from the home network"; footnote 5: there may be
 * several). The least loaded of those that are up, by sessions per weight; one that just refused for lack of addresses rests for a while.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';

export interface TranslatorOptions {
  /** Its Diameter identity (Origin-Host). */
  readonly host: string;
  /** Share of the sessions relative to the others; default 1. */
  readonly weight?: number;
}

interface TranslatorState {
  readonly host: string;
  readonly weight: number;
  isUp: boolean;
  sessions: number;
  restsUntil: Instant;
}

/** Sessions last minutes; a full pool has addresses again after some seconds (DIAMETER_RESOURCE_FAILURE is transient, RFC 6736 §9.1). */
const restMs: DurationMs = 5000;

export class TranslatorSelection {
  readonly #translators: readonly TranslatorState[];

  constructor(translators: readonly TranslatorOptions[]) {
    this.#translators = translators.map(({ host, weight = 1 }) => ({
      host: host.toLowerCase(),
      weight,
      isUp: false,
      sessions: 0,
      restsUntil: Number.NEGATIVE_INFINITY,
    }));
  }

  /** `undefined` when none can be asked. `refused` are those that the session has tried. */
  select(refused: readonly string[], now: Instant): string | undefined {
    let least: TranslatorState | undefined;
    for (const translator of this.#translators) {
      if (!translator.isUp || translator.restsUntil > now || refused.includes(translator.host)) continue;
      if (least === undefined || loadOf(translator) < loadOf(least)) least = translator;
    }
    return least?.host;
  }

  get states(): { readonly host: string; readonly isAvailable: boolean; readonly sessions: number }[] {
    return this.#translators.map(({ host, isUp, sessions }) => ({ host, isAvailable: isUp, sessions }));
  }

  setUp(host: string, isUp: boolean): void {
    const translator = this.#find(host);
    if (translator !== undefined) translator.isUp = isUp;
  }

  rest(host: string, now: Instant): void {
    const translator = this.#find(host);
    if (translator !== undefined) translator.restsUntil = now + restMs;
  }

  /** A session starts (+1) or ends (−1) there. */
  count(host: string, change: 1 | -1): void {
    const translator = this.#find(host);
    if (translator !== undefined) translator.sessions += change;
  }

  #find(host: string): TranslatorState | undefined {
    const name = host.toLowerCase();
    return this.#translators.find((translator) => translator.host === name);
  }
}

function loadOf({ sessions, weight }: TranslatorState): number {
  return sessions / weight;
}
