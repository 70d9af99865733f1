/**
 * Faults of a packet network beyond delay and loss of the bearer, chosen at random for the packets that `applies` picks: by default
 * everything but media, so that signalling is tried hard while what happens to media stays attributable to the handover.
 */
import type { DurationMs } from '../base/instant.ts';
import { type RandomSource, randomFraction } from '../base/random-source.ts';
import type { VirtualPacket } from './virtual-packet.ts';

export interface Faults {
  /** Probabilities per packet and direction. */
  readonly loss?: number;
  readonly duplication?: number;
  readonly reordering?: number;
  /** A reordered packet, or the second copy of a duplicated one, is late by up to this much; 50 ms by default. */
  readonly latenessMs?: DurationMs;
  readonly applies?: (packet: VirtualPacket) => boolean;
}

export class FaultInjector {
  readonly #faults: Faults;
  readonly #random: RandomSource;

  constructor(faults: Faults, random: RandomSource) {
    this.#faults = faults;
    this.#random = random;
  }

  /** The delays after which copies of the packet arrive: [0] is an untouched packet, [] a lost one. */
  copiesOf(packet: VirtualPacket): readonly DurationMs[] {
    const { loss = 0, duplication = 0, reordering = 0, applies = isSignalling } = this.#faults;
    if (!applies(packet)) return [0];
    if (this.#happens(loss)) return [];
    const first = this.#happens(reordering) ? this.#lateness() : 0;
    return this.#happens(duplication) ? [first, this.#lateness()] : [first];
  }

  #happens(probability: number): boolean {
    return probability > 0 && randomFraction(this.#random) < probability;
  }

  #lateness(): DurationMs {
    return randomFraction(this.#random) * (this.#faults.latenessMs ?? 50);
  }
}

/** Anything but RTP and RTCP, whose first two bits are their version, 2 (RFC 3550 §5.1); SIP begins with a letter. */
export function isSignalling(packet: VirtualPacket): boolean {
  if (packet.content.protocol !== 'udp') return true;
  const { payload, tunnelled } = packet.content;
  return tunnelled === undefined ? ((payload[0] ?? 0) & 0xc0) !== 0x80 : isSignalling(tunnelled);
}
