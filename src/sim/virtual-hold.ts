/** TCP segments that wait in virtual time (drivers/linux/packet-hold.ts): those of held flows that take up sequence space, in their order. */
import { SegmentSequence, type TcpSegmentPlace } from '../translation/segment-sequence.ts';
import { type FlowKey, formatFlowKey } from '../translation/translation-operation.ts';
import { keyOf, type VirtualPacket } from './virtual-packet.ts';

export interface HoldListener {
  /** The first segment of a held flow waits. */
  readonly onFirst: (flow: FlowKey) => void;
  /** What waits follows directly on what was received in watched flows. */
  readonly onComplete: () => void;
}

export class VirtualHold {
  readonly #held = new Map<string, FlowKey>();
  readonly #seen = new Set<string>();
  readonly #watched = new Set<string>();
  readonly #sequence = new SegmentSequence();
  #listener: HoldListener | undefined;
  #waiting: (() => void)[] = [];

  /** Besides those that are held already; `watched` as for drivers/linux/packet-hold.ts. */
  hold(flows: readonly FlowKey[], watched: readonly FlowKey[], listener: HoldListener): void {
    for (const flow of flows) this.#held.set(formatFlowKey(flow), flow);
    for (const flow of watched) this.#watched.add(formatFlowKey(flow));
    this.#listener = listener;
  }

  /** Whether the packet waits now, because its flow does, and goes on by `proceed` in its turn. */
  isHeld(packet: VirtualPacket, proceed: () => void): boolean {
    const place = this.#held.size === 0 ? undefined : placeOf(packet);
    const flow =
      place &&
      namesOf(packet)
        .map((name) => this.#held.get(name))
        .find((one) => one !== undefined);
    if (place === undefined || flow === undefined) return false;
    this.#waiting.push(proceed);
    this.#sequence.waits(place);
    const name = formatFlowKey(flow);
    const isFirst = !this.#seen.has(name);
    this.#seen.add(name);
    if (isFirst) this.#listener?.onFirst(flow);
    this.#tellIfComplete();
    return true;
  }

  /** A packet that did not wait has been received. */
  received(packet: VirtualPacket): void {
    const place = this.#watched.size === 0 ? undefined : placeOf(packet);
    if (place === undefined || !namesOf(packet).some((name) => this.#watched.has(name))) return;
    this.#sequence.came(place);
    this.#tellIfComplete();
  }

  pass(): void {
    const waiting = this.#waiting;
    this.#held.clear();
    this.#watched.clear();
    this.#sequence.clear();
    this.#seen.clear();
    this.#waiting = [];
    for (const proceed of waiting) proceed();
  }

  #tellIfComplete(): void {
    if (this.#sequence.isComplete) this.#listener?.onComplete();
  }
}

function namesOf(packet: VirtualPacket): string[] {
  return (['destination', 'source'] as const).map((portOf) => formatFlowKey(keyOf(packet, 'tcp', portOf)));
}

/** `undefined`: a segment that only acknowledges, or none. */
function placeOf({
  content,
  source,
  sourcePort,
  destinationPort,
}: VirtualPacket): TcpSegmentPlace | undefined {
  if (content.protocol !== 'tcp') return undefined;
  const { payload, sequence, isSyn, isFin, isReset } = content.segment;
  const length = payload.length + (isSyn ? 1 : 0) + (isFin ? 1 : 0);
  if (length === 0 && !isReset) return undefined;
  return { connection: `${source} ${sourcePort} ${destinationPort}`, sequence, length };
}
