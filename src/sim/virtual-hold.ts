/** TCP segments that wait in virtual time (drivers/linux/packet-hold.ts): those of held flows that take up sequence space, in their order. */
import { type FlowKey, formatFlowKey } from '../translation/translation-operation.ts';
import { keyOf, type VirtualPacket } from './virtual-packet.ts';

export class VirtualHold {
  readonly #held = new Map<string, FlowKey>();
  readonly #seen = new Set<string>();
  #onFirst: (flow: FlowKey) => void = () => {};
  #waiting: (() => void)[] = [];

  /** Besides those that are held already. Calls `onFirst` with each when its first segment waits. */
  hold(flows: readonly FlowKey[], onFirst: (flow: FlowKey) => void): void {
    for (const flow of flows) this.#held.set(formatFlowKey(flow), flow);
    this.#onFirst = onFirst;
  }

  /** Whether the packet waits now, because its flow does, and goes on by `proceed` in its turn. */
  isHeld(packet: VirtualPacket, proceed: () => void): boolean {
    const flow = this.#held.size === 0 || !isOrdered(packet) ? undefined : this.#flowOf(packet);
    if (flow === undefined) return false;
    this.#waiting.push(proceed);
    const name = formatFlowKey(flow);
    if (!this.#seen.has(name)) this.#onFirst(flow);
    this.#seen.add(name);
    return true;
  }

  pass(): void {
    const waiting = this.#waiting;
    this.#held.clear();
    this.#seen.clear();
    this.#waiting = [];
    for (const proceed of waiting) proceed();
  }

  #flowOf(packet: VirtualPacket): FlowKey | undefined {
    return (['destination', 'source'] as const)
      .map((portOf) => this.#held.get(formatFlowKey(keyOf(packet, 'tcp', portOf))))
      .find((flow) => flow !== undefined);
  }
}

function isOrdered({ content }: VirtualPacket): boolean {
  if (content.protocol !== 'tcp') return false;
  const { payload, isSyn, isFin, isReset } = content.segment;
  return payload.length > 0 || isSyn || isFin || isReset;
}
