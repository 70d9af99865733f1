/**
 * A network function whose process can be killed at any instant and started again, over a simulated disk: a line of its journal is durable
 * some time after it was handed over. A kill loses what was not; of that the disk may have had some lines, and a part of the next one.
 */
import type { Instant } from '../../src/base/instant.ts';
import type { JournalEffect, TimedJournal } from '../../src/base/journal-writer.ts';
import { earlierTimeout, type Timeout } from '../../src/base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../src/base/network.ts';
import { type RandomSource, randomBelow } from '../../src/base/random-source.ts';
import type { NotedFunction, Started } from './ims-core-lab.ts';

/** A busy disk: longer than a confirmation takes to its user, so that one which does not wait for the disk is caught. */
const maximumWriteMs = 60;
/** Machines that are killed do not know that the instants of this network start at 0. */
const timeOfDayOffsetMs = 1_700_000_000_000;

export type JournaledFunction = NotedFunction<object> & { journalSnapshot(): readonly string[] };

interface Write extends JournalEffect {
  readonly durableAt: Instant;
}

export class MortalFunction implements Started {
  readonly #create: (life: number, journal: TimedJournal) => JournaledFunction;
  readonly #random: RandomSource;
  #journal: string[] = [];
  #life = 0;
  #inner: JournaledFunction | undefined;
  #now: Instant = 0;
  #writes: Write[] = [];

  constructor(create: (life: number, journal: TimedJournal) => JournaledFunction, random: RandomSource) {
    this.#create = create;
    this.#random = random;
    this.#inner = this.#newLife();
  }

  /** What is on the disk. */
  get journal(): readonly string[] {
    return this.#journal;
  }

  start(now: Instant): void {
    this.#now = now;
    this.#inner ??= this.#newLife();
    this.#inner.start(now);
  }

  /** The network has to forget its sockets (SipTestNetwork.abandon). */
  kill(): void {
    this.#inner = undefined;
    const lost = this.#writes;
    this.#writes = [];
    const survivors = randomBelow(this.#random, lost.length + 1);
    this.#journal.push(...lost.slice(0, survivors).map(({ line }) => line));
    const torn = lost[survivors]?.line;
    if (torn !== undefined) this.#journal.push(torn.slice(0, randomBelow(this.#random, torn.length)));
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#now = now;
    this.#inner?.handleInput(input, now);
  }

  handleTimeout(now: Instant): void {
    this.#now = now;
    while (this.#writes[0] !== undefined && this.#writes[0].durableAt <= now) {
      const { id, line } = this.#writes.shift()!;
      this.#journal.push(line);
      this.#inner?.handleInput({ kind: 'effect-completed', id }, now);
    }
    this.#inner?.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    const [write] = this.#writes;
    const disk = write && { at: write.durableAt, reason: 'the disk has written' };
    return earlierTimeout(disk, this.#inner?.pollTimeout());
  }

  pollOutput(): NetworkOutput | undefined {
    for (let output = this.#inner?.pollOutput(); ; output = this.#inner?.pollOutput()) {
      if (output?.kind === 'effect') this.#write(output.effect);
      else if (output?.kind !== 'event') return output;
    }
  }

  #newLife(): JournaledFunction {
    const machine = this.#create(this.#life++, { lines: this.#journal, timeOfDayOffsetMs });
    this.#journal = [...machine.journalSnapshot()];
    return machine;
  }

  /** One after the other, as a disk does. */
  #write(effect: JournalEffect): void {
    const durableAt = this.#now + randomBelow(this.#random, maximumWriteMs + 1);
    this.#writes.push({ ...effect, durableAt: Math.max(durableAt, this.#writes.at(-1)?.durableAt ?? 0) });
  }
}
