/**
 * A machine's side of its journal: each change is one line, handed to the host as an effect, and whatever tells the change to others waits
 * until the host says that the line is durable. The host's side is runtime/journal-file.ts. The home agent does the same by itself,
 * since its changes of one mobile node wait for one another (home-network/home-agent).
 */
import { Fifo } from './fifo.ts';
import type { DurationMs, Instant } from './instant.ts';
import type { EffectOutput } from './network-function.ts';

/** To be durable before it is completed. `line` is without line feed. */
export interface JournalEffect {
  readonly type: 'journal';
  readonly id: number;
  readonly line: string;
}

export interface JournalCompleted {
  readonly kind: 'effect-completed';
  readonly id: number;
  /** Why the line is not in the journal. */
  readonly error?: string;
}

/** What a machine whose journal has times in it is made with. */
export interface TimedJournal {
  /** Oldest first; the last one may be torn. */
  readonly lines: readonly string[];
  /** The time of day is that much ahead of an instant: milliseconds since 1970 at instant 0. */
  readonly timeOfDayOffsetMs: DurationMs;
}

/** `error` as in JournalCompleted. */
type Continuation = (error: string | undefined, now: Instant) => void;

export class JournalWriter {
  readonly #isKept: boolean;
  readonly #continuations = new Map<number, Continuation>();
  readonly #effects = new Fifo<EffectOutput<JournalEffect>>();
  #last = 0;

  /** Without a journal every change counts as written at once. */
  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  /** `then` is called when the line is durable, or cannot be; at once when there is no journal. */
  write(line: () => string, now: Instant, then: Continuation = () => {}): void {
    if (!this.#isKept) {
      then(undefined, now);
      return;
    }
    const id = ++this.#last;
    this.#continuations.set(id, then);
    this.#effects.push({ kind: 'effect', effect: { type: 'journal', id, line: line() } });
  }

  /** `then` is called when everything written so far is durable, or cannot be. */
  flushed(now: Instant, then: (now: Instant) => void): void {
    const last = this.#continuations.get(this.#last);
    if (last === undefined) then(now);
    else
      this.#continuations.set(this.#last, (error, later) => {
        last(error, later);
        then(later);
      });
  }

  complete({ id, error }: JournalCompleted, now: Instant): void {
    const then = this.#continuations.get(id);
    this.#continuations.delete(id);
    then?.(error, now);
  }

  pollOutput(): EffectOutput<JournalEffect> | undefined {
    return this.#effects.shift();
  }
}
