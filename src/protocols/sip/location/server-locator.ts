/** Carries out server locations (RFC 3263): asks the host's resolver, remembers answers for a while, and does not wait for ever. */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Machine, Timeout } from '../../../base/machine.ts';
import type { DnsQuery, DnsRecord, NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import type { SipUri } from '../message/sip-uri.ts';
import type { SipTarget } from '../transaction/sip-event.ts';
import { answerTimeoutMs, cachedAnswerMs, maximumCachedAnswers, maximumQueries } from './limits.ts';
import { type ClientAbility, type Location, locateServers } from './server-location.ts';

interface Search<Id> {
  readonly id: Id;
  readonly location: Location;
  queries: number;
}

export interface Located<Id> {
  readonly id: Id;
  /** The best first; empty when the name leads nowhere. */
  readonly targets: readonly SipTarget[];
}

export class ServerLocator<Id> implements Machine<NetworkInput, NetworkOutput> {
  readonly #outputs = new Fifo<NetworkOutput>();
  readonly #found = new Fifo<Located<Id>>();
  /** By question. */
  readonly #waiting = new TurnoverMap<string, Search<Id>[]>();
  readonly #deadlines = new DeadlineQueue<string>();
  readonly #answers = new Map<string, { readonly records: readonly DnsRecord[]; readonly until: Instant }>();

  /** `id` comes back with what was found, at once if all of it is remembered. */
  locate(id: Id, uri: SipUri, ability: ClientAbility, now: Instant): void {
    const search = { id, location: locateServers(uri, ability), queries: 0 };
    this.#advance(search, [], now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind === 'resolved') this.#answer(keyOf(input.query), input.records, now);
  }

  handleTimeout(now: Instant): void {
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now))
      this.#answer(key, [], now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }

  pollLocated(): Located<Id> | undefined {
    return this.#found.shift();
  }

  #answer(key: string, records: readonly DnsRecord[], now: Instant): void {
    const searches = this.#waiting.get(key);
    // What nobody asked is not believed.
    if (searches === undefined) return;
    this.#waiting.delete(key);
    this.#deadlines.delete(key);
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined && this.#answers.size >= maximumCachedAnswers) this.#answers.delete(oldest);
    this.#answers.delete(key);
    this.#answers.set(key, { records, until: now + cachedAnswerMs });
    for (const search of searches) this.#advance(search, records, now);
  }

  #advance(search: Search<Id>, records: readonly DnsRecord[], now: Instant): void {
    let answer: readonly DnsRecord[] | undefined = records;
    while (answer !== undefined) {
      const step = search.location.next(answer);
      if (step.done || search.queries++ >= maximumQueries) {
        this.#found.push({ id: search.id, targets: step.done ? step.value : [] });
        return;
      }
      answer = this.#ask(search, step.value, now);
    }
  }

  /** The remembered answer, or none yet. */
  #ask(search: Search<Id>, query: DnsQuery, now: Instant): readonly DnsRecord[] | undefined {
    const key = keyOf(query);
    const known = this.#answers.get(key);
    if (known !== undefined && known.until > now) return known.records;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) waiting.push(search);
    else {
      this.#waiting.set(key, [search]);
      this.#deadlines.set(key, now + answerTimeoutMs, 'answer of the DNS');
      this.#outputs.push({ kind: 'resolve', query });
    }
    return undefined;
  }
}

function keyOf({ type, name }: DnsQuery): string {
  return `${type} ${name}`;
}
