/**
 * A node's requests that wait for their answers, by Hop-by-Hop identifier (RFC 6733 §6.2) and in the order of their deadlines. All wait
 * equally long, so the order is that in which they were sent: a list, in which putting in and taking out costs the same however many wait.
 */
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import type { RequestContent } from './composition.ts';
import type { RequestId } from './diameter-event.ts';
import type { DiameterPeer } from './peer.ts';

export interface OutstandingRequest extends RequestContent {
  readonly id: RequestId;
  /** Peers that may be asked, the one in use first. */
  readonly peers: readonly DiameterPeer[];
  readonly deadline: Instant;
}

interface Entry extends Timeout {
  readonly hopByHopId: number;
  readonly request: OutstandingRequest;
  earlier: Entry | undefined;
  later: Entry | undefined;
}

export class OutstandingRequests {
  readonly #entries = new TurnoverMap<number, Entry>();
  /** How many each peer owes an answer to. */
  readonly #counts = new Map<DiameterPeer, number>();
  #first: Entry | undefined;
  #last: Entry | undefined;

  /** Those whose answer that peer owes. */
  countOf(peer: DiameterPeer): number {
    return this.#counts.get(peer) ?? 0;
  }

  get(hopByHopId: number): OutstandingRequest | undefined {
    return this.#entries.get(hopByHopId)?.request;
  }

  add(hopByHopId: number, request: OutstandingRequest): void {
    // One that goes to another peer keeps its deadline: it goes before those that were sent since.
    let later: Entry | undefined;
    let earlier = this.#last;
    while (earlier !== undefined && earlier.at > request.deadline) {
      later = earlier;
      earlier = earlier.earlier;
    }
    const entry: Entry = { hopByHopId, request, at: request.deadline, reason: 'answer', earlier, later };
    this.#join(earlier, entry);
    this.#join(entry, later);
    this.#entries.set(hopByHopId, entry);
    this.#count(request, 1);
  }

  delete(hopByHopId: number): void {
    const entry = this.#entries.get(hopByHopId);
    if (entry === undefined) return;
    this.#entries.delete(hopByHopId);
    this.#count(entry.request, -1);
    this.#join(entry.earlier, entry.later);
    // One that has come to V8's old generation would take there whatever it still points to, dead or not, and that what comes behind it.
    entry.earlier = undefined;
    entry.later = undefined;
  }

  /** The earliest deadline. */
  peek(): Timeout | undefined {
    return this.#first;
  }

  /** The Hop-by-Hop identifier of one whose deadline is not after `now`. */
  due(now: Instant): number | undefined {
    return this.#first !== undefined && this.#first.at <= now ? this.#first.hopByHopId : undefined;
  }

  /** Those whose answer that peer owes, with their Hop-by-Hop identifiers. */
  of(peer: DiameterPeer): (readonly [number, OutstandingRequest])[] {
    const found: (readonly [number, OutstandingRequest])[] = [];
    for (const { hopByHopId, request } of this.#entries.values())
      if (request.peers[0] === peer) found.push([hopByHopId, request]);
    return found;
  }

  #count({ peers: [peer] }: OutstandingRequest, change: 1 | -1): void {
    if (peer !== undefined) this.#counts.set(peer, this.countOf(peer) + change);
  }

  /** Puts two entries side by side; undefined is the end of the list. */
  #join(earlier: Entry | undefined, later: Entry | undefined): void {
    if (earlier === undefined) this.#first = later;
    else earlier.later = later;
    if (later === undefined) this.#last = earlier;
    else later.earlier = earlier;
  }
}
