/** Runs a network function whose changes are in a journal on disk before anybody is told of them (base/journal-writer.ts, journal-file.ts). */
import { join } from 'node:path';
import type { Instant } from '../base/instant.ts';
import type { JournalCompleted, JournalEffect, TimedJournal } from '../base/journal-writer.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import type { EventLoop } from './event-loop.ts';
import { JournalFile, readJournal } from './journal-file.ts';
import { monotonicNow } from './monotonic-clock.ts';
import type { RoleHost } from './role-host.ts';
import type { TlsCredentials } from './tls-security.ts';

export interface JournaledFunction<Event> extends NetworkFunction<JournalCompleted, Event, JournalEffect> {
  start(now: Instant): void;
  stop?(now: Instant): void;
  journalSnapshot(): readonly string[];
}

export interface JournaledOptions<Machine> {
  /** The node's name in reports, and of its journal. */
  readonly name: string;
  /** Where the journal lies; undefined: none is kept. */
  readonly directory: string | undefined;
  readonly tls?: TlsCredentials | undefined;
  readonly create: (journal: TimedJournal | undefined) => Machine;
}

export interface RunningFunction<Machine, Event> {
  readonly machine: Machine;
  readonly loop: EventLoop<JournalCompleted, Event, JournalEffect>;
  /** When all of the journal is on disk. */
  readonly close: () => Promise<void>;
}

/** Throws JOURNAL_FAILED. */
export function runJournaled<Event extends object, Machine extends JournaledFunction<Event>>(
  host: RoleHost,
  { name, directory, tls, create }: JournaledOptions<Machine>,
): RunningFunction<Machine, Event> {
  const path = directory === undefined ? undefined : join(directory, `${name}.journal`);
  const machine = create(
    path === undefined
      ? undefined
      : { lines: readJournal(path), timeOfDayOffsetMs: Date.now() - monotonicNow() },
  );
  const journal = path === undefined ? undefined : new JournalFile(path, () => machine.journalSnapshot());
  journal?.replace();
  const loop: EventLoop<JournalCompleted, Event, JournalEffect> = host.run({
    name,
    machine,
    tls,
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop?.(now),
    onEffect: ({ id, line }) =>
      journal?.append(line, (error) =>
        loop.handleInput({ kind: 'effect-completed', id, ...(error !== undefined && { error }) }),
      ),
  });
  return { machine, loop, close: async () => journal?.close() };
}
