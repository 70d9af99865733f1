/**
 * The binding cache of the home agent: the record of each mobile node by home address, the deadlines of their bindings, and what a changed
 * record changes in the tunnel and on the home link. Nothing here grows but by a mobile node's own, limited, bindings.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { sameTransportAddress, type TransportAddress } from '../../base/network.ts';
import type { TunnelChange } from '../../protocols/mobile-ip/tunnel-state.ts';
import { formatJournalLine, replayJournal } from './binding-journal.ts';
import {
  type Binding,
  emptyRecord,
  forwardingBinding,
  isBehindNat,
  type MobilityRecord,
  type TunnelAgent,
  tunnelBindingOf,
  withoutExpired,
} from './mobility-record.ts';

export interface CacheChange {
  readonly removed: readonly Binding[];
  /** Absent where the tunnel stays as it is. */
  readonly tunnel?: TunnelChange;
  /** The mobile node has a binding now, or none any more. */
  readonly isServed?: boolean;
  /** Where unclassified packets go has changed. */
  readonly forwarding?: Forwarding;
}

/** Where unclassified packets go; without a care-of address nowhere. */
interface Forwarding {
  readonly careOfAddress?: string;
  /** Nobody else can send to the care-of address. */
  readonly isBehindNat?: boolean;
}

export class BindingCache {
  readonly #agent: TunnelAgent;
  readonly #timeOfDayOffsetMs: DurationMs;
  readonly #records = new Map<string, MobilityRecord>();
  /** The first binding to run out, per home address. */
  readonly #deadlines = new DeadlineQueue<string>();
  #bindings = 0;

  constructor(agent: TunnelAgent, timeOfDayOffsetMs: DurationMs) {
    this.#agent = agent;
    this.#timeOfDayOffsetMs = timeOfDayOffsetMs;
  }

  get bindings(): number {
    return this.#bindings;
  }

  homeAddresses(): readonly string[] {
    return [...this.#records.keys()];
  }

  has(homeAddress: string): boolean {
    return this.record(homeAddress).bindings.length > 0;
  }

  record(homeAddress: string): MobilityRecord {
    return this.#records.get(homeAddress) ?? emptyRecord(homeAddress);
  }

  liveRecord(homeAddress: string, now: Instant): MobilityRecord {
    return withoutExpired(this.record(homeAddress), now);
  }

  /** The binding whose tunnel has these two ends, which have to match exactly (RFC 3519 §4.3). */
  bindingBetween(
    homeAddress: string,
    local: TransportAddress,
    remote: TransportAddress,
  ): Binding | undefined {
    return this.record(homeAddress).bindings.find(
      (binding) => sameTransportAddress(binding.local, local) && sameTransportAddress(binding.remote, remote),
    );
  }

  /** Takes over what a journal says. The numbers of the lines that cannot be read. */
  replay(lines: readonly string[]): readonly number[] {
    const { records, damaged } = replayJournal(lines, this.#timeOfDayOffsetMs);
    for (const [homeAddress, record] of records) this.#records.set(homeAddress, record);
    return damaged;
  }

  /** Puts a replayed record into force, as if it had just been made. */
  restore(homeAddress: string, now: Instant): CacheChange {
    const record = this.record(homeAddress);
    this.#records.delete(homeAddress);
    return this.replace(record, now);
  }

  forget(homeAddress: string): void {
    this.#records.delete(homeAddress);
  }

  journalLine(record: MobilityRecord): string {
    return formatJournalLine(record, this.#timeOfDayOffsetMs);
  }

  journalSnapshot(): readonly string[] {
    return [...this.#records.values()].map((record) => this.journalLine(record));
  }

  replace(record: MobilityRecord, now: Instant): CacheChange {
    const { homeAddress } = record;
    const before = this.record(homeAddress);
    const after = withoutExpired(record, now);
    this.#records.set(homeAddress, after);
    this.#bindings += after.bindings.length - before.bindings.length;
    const expiresAt = Math.min(...after.bindings.map((binding) => binding.expiresAt));
    if (after.bindings.length === 0) this.#deadlines.delete(homeAddress);
    else this.#deadlines.set(homeAddress, expiresAt, 'binding-expires');
    return this.#changeBetween(before, after);
  }

  /** RFC 5944 §3.8.2.2: what has run out is gone, and nobody is told by a message. */
  expire(now: Instant): readonly (readonly [string, CacheChange])[] {
    const changes: [string, CacheChange][] = [];
    for (
      let homeAddress = this.#deadlines.takeDue(now);
      homeAddress !== undefined;
      homeAddress = this.#deadlines.takeDue(now)
    )
      changes.push([homeAddress, this.replace(this.record(homeAddress), now)]);
    return changes;
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #changeBetween(before: MobilityRecord, after: MobilityRecord): CacheChange {
    const isIn = (list: readonly Binding[], one: Binding): boolean =>
      list.some(
        ({ bindingId, careOfAddress }) => bindingId === one.bindingId && careOfAddress === one.careOfAddress,
      );
    const removed = before.bindings.filter((binding) => !isIn(after.bindings, binding));
    const [had, has] = [before.bindings.length > 0, after.bindings.length > 0];
    const [from, to] = [forwardingOf(before), forwardingOf(after)];
    const tunnel = has ? this.#bindChange(before, after) : undefined;
    return {
      removed,
      ...(had && !has && { tunnel: { kind: 'unbind', homeAddress: after.homeAddress } }),
      ...(tunnel && { tunnel }),
      ...(had !== has && { isServed: has }),
      ...((from.careOfAddress !== to.careOfAddress || from.isBehindNat !== to.isBehindNat) && {
        forwarding: to,
      }),
    };
  }

  #bindChange(before: MobilityRecord, after: MobilityRecord): TunnelChange | undefined {
    const binding = tunnelBindingOf(after, this.#agent);
    const old = tunnelBindingOf(before, this.#agent);
    return JSON.stringify(binding) === JSON.stringify(old) ? undefined : { kind: 'bind', binding };
  }
}

function forwardingOf(record: MobilityRecord): Forwarding {
  const binding = forwardingBinding(record);
  if (binding === undefined) return {};
  return { careOfAddress: binding.careOfAddress, isBehindNat: isBehindNat(binding) };
}
