/**
 * Keeps TCP in order during a soft handover (TRIM §3.3): over a faster access new segments would overtake those still on their way over the
 * old one. TCP takes that for loss, sends again what is not lost, and a receiver then discards the originals by their timestamps
 * (RFC 7323 §5.3), which ends in a retransmission timeout. So segments wait at the mobile node until the old access is drained: those that
 * come in over the new one from the beginning, those that programs send once their session has moved.
 *
 *   begin ──────▶ downlink waits ──first segment of every flow, or all sessions moved: ask──▶ answer, 1 s ──▶ goes on
 *   session moved ▶ uplink waits ───────────────────────────── all sessions moved: ask──▶ answer, 1 s ──▶ goes on
 *
 * What is asked goes to the P-CSCF over the old access when nothing more goes that way: a STUN request, and besides the removal of the old
 * contact, whichever is answered first. Links keep order, so the request went behind all that was under way to the network, and its answer
 * came behind all that was under way from there. A segment that comes in over the new access says the same of its flow as the answer to
 * the move, and sooner: the home network's translator has switched.
 *
 * The downlink goes on sooner still where the segments themselves show that nothing is missing: the octet ahead of the first that waits has
 * come over the old access. So it does not wait for the queue towards the network, through which the question goes.
 *
 * Datagrams do not wait: a late voice packet is as bad as a lost one, and no transport draws conclusions from their order.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { type FlowKey, formatFlowKey } from '../../translation/translation-operation.ts';
import type { MovingFlows } from './session-flows.ts';

type Direction = 'downlink' | 'uplink';

export type SegmentOrderEffect =
  /**
   * Segments of these flows wait from now on too, in their order, but not those that only acknowledge. Downlink: where they come in; tell by
   * 'flow-came' when the first of each has come, and by 'flows-complete' when nothing is missing ahead of those that wait, by what comes in
   * the former flows. Uplink: where programs send them. Where the kernel cannot, they pass.
   */
  | {
      readonly type: 'hold-flows';
      readonly direction: Direction;
      readonly flows: readonly FlowKey[];
      /** Downlink: the same connections over the old access. */
      readonly formerFlows: readonly FlowKey[];
    }
  /** What waits goes on, ahead of what follows. */
  | { readonly type: 'pass-flows'; readonly direction: Direction };

export interface SegmentOrderParts {
  readonly effect: (effect: SegmentOrderEffect) => void;
  /** Asks the P-CSCF over that access; `undefined` where it cannot be asked. */
  readonly ask: (access: number, now: Instant) => string | undefined;
}

interface Hold {
  /** Flows of which a segment over the new access would be news, by name. */
  readonly unmoved: Set<string>;
  isMarked: boolean;
  check: string | undefined;
}

/** A re-INVITE over the slowest bearer of the lab (0.3 s), then what a bearer buffers (0.5 s); TCP's own patience is not much longer. */
const longestHoldMs: DurationMs = 1000;

export class SegmentOrder {
  readonly #parts: SegmentOrderParts;
  readonly #holds = new Map<Direction, Hold>();
  #oldAccess: number | undefined;
  #until: Instant = 0;

  constructor(parts: SegmentOrderParts) {
    this.#parts = parts;
  }

  /** With the flows to come over the new access, before that is told to anybody. Nothing waits where none of them is TCP. */
  begin(oldAccess: number, { flows, formerFlows }: MovingFlows, now: Instant): void {
    this.end();
    this.#oldAccess = oldAccess;
    this.#until = now + longestHoldMs;
    this.#hold('downlink', flows, formerFlows);
  }

  /** With what its programs send, before that leaves by the new access. */
  sessionMoved(flows: readonly FlowKey[]): void {
    if (this.#oldAccess !== undefined) this.#hold('uplink', flows, []);
  }

  /** A segment has come in over the new access. */
  flowCame(flow: FlowKey, now: Instant): void {
    const downlink = this.#holds.get('downlink');
    if (downlink?.unmoved.delete(formatFlowKey(flow)) && downlink.unmoved.size === 0)
      this.#mark([downlink], now);
  }

  /** Nothing is missing ahead of what waits. */
  downlinkComplete(): void {
    if (this.#holds.has('downlink')) this.#pass('downlink');
  }

  /** No session is on its way any more. */
  allMoved(now: Instant): void {
    this.#mark([...this.#holds.values()], now);
  }

  /** What was asked by that name. */
  answered(check: string): void {
    for (const [direction, hold] of this.#holds) if (hold.check === check) this.#pass(direction);
  }

  /** What was asked over that access after all sessions had moved. */
  drained(access: number): void {
    if (access !== this.#oldAccess) return;
    for (const [direction, { isMarked }] of this.#holds) if (isMarked) this.#pass(direction);
  }

  /** Nothing comes over it any more. */
  accessLost(access: number): void {
    if (access === this.#oldAccess) this.end();
  }

  end(): void {
    this.#oldAccess = undefined;
    for (const direction of this.#holds.keys()) this.#pass(direction);
  }

  handleTimeout(now: Instant): void {
    if (this.#oldAccess !== undefined && this.#until <= now) this.end();
  }

  pollTimeout(): Timeout | undefined {
    return this.#holds.size === 0 ? undefined : { at: this.#until, reason: 'end of a hold' };
  }

  #hold(direction: Direction, flows: readonly FlowKey[], formerFlows: readonly FlowKey[]): void {
    const ordered = flows.filter(isOrdered);
    if (ordered.length === 0) return;
    const hold = this.#holds.get(direction) ?? { unmoved: new Set(), isMarked: false, check: undefined };
    this.#holds.set(direction, hold);
    for (const flow of ordered) hold.unmoved.add(formatFlowKey(flow));
    this.#parts.effect({
      type: 'hold-flows',
      direction,
      flows: ordered,
      formerFlows: formerFlows.filter(isOrdered),
    });
  }

  #mark(holds: readonly Hold[], now: Instant): void {
    const unmarked = holds.filter(({ isMarked }) => !isMarked);
    if (this.#oldAccess === undefined || unmarked.length === 0) return;
    const check = this.#parts.ask(this.#oldAccess, now);
    for (const hold of unmarked) Object.assign(hold, { isMarked: true, check });
  }

  #pass(direction: Direction): void {
    this.#holds.delete(direction);
    this.#parts.effect({ type: 'pass-flows', direction });
  }
}

function isOrdered({ protocol }: FlowKey): boolean {
  return protocol === 'tcp';
}
