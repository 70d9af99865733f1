/**
 * The link between a virtual host and the rest of the network (an access leg of TRIM fig. 7, or the wire of a server): one emulator
 * per direction, and faults that a bearer with in-sequence delivery does not have (duplicates, reordering, chosen losses).
 */
import type { LinkCharacteristics } from '../access-network/link-characteristics.ts';
import { LinkEmulator, type LinkInput } from '../access-network/link-emulator.ts';
import { Fifo } from '../base/fifo.ts';
import type { Instant } from '../base/instant.ts';
import type { RandomSource } from '../base/random-source.ts';
import { FaultInjector, type Faults } from './fault-injector.ts';
import type { Actor, Simulation } from './simulation.ts';
import { octetsOf, type VirtualPacket } from './virtual-packet.ts';

export interface LinkOptions {
  readonly uplink: LinkCharacteristics;
  readonly downlink: LinkCharacteristics;
  readonly faults?: Faults;
}

export class VirtualLink {
  readonly name: string;
  readonly #uplink: LinkDirection;
  readonly #downlink: LinkDirection;
  readonly #fromNetwork: (packet: VirtualPacket) => VirtualPacket | undefined;
  #isUp = true;

  constructor(
    name: string,
    options: LinkOptions,
    simulation: Simulation,
    random: RandomSource,
    ends: {
      readonly toNetwork: (packet: VirtualPacket) => void;
      /** What becomes of a packet before it is on the link; undefined: nothing. */
      readonly fromNetwork?: (packet: VirtualPacket) => VirtualPacket | undefined;
      readonly toHost: (packet: VirtualPacket) => void;
    },
  ) {
    this.name = name;
    this.#fromNetwork = ends.fromNetwork ?? ((packet) => packet);
    this.#uplink = new LinkDirection(simulation, options.uplink, options.faults, random, ends.toNetwork);
    this.#downlink = new LinkDirection(simulation, options.downlink, options.faults, random, ends.toHost);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  sendUp(packet: VirtualPacket): void {
    this.#uplink.offer(packet);
  }

  sendDown(packet: VirtualPacket): void {
    const passed = this.#fromNetwork(packet);
    if (passed !== undefined) this.#downlink.offer(passed);
  }

  /** Cuts the link (what is on it is lost) or mends it. */
  setUp(isUp: boolean): void {
    this.#isUp = isUp;
    this.#both({ kind: isUp ? 'link-came-up' : 'link-went-down' });
  }

  change(uplink: LinkCharacteristics, downlink: LinkCharacteristics): void {
    this.#uplink.control({ kind: 'characteristics-changed', characteristics: uplink });
    this.#downlink.control({ kind: 'characteristics-changed', characteristics: downlink });
  }

  #both(input: LinkInput<VirtualPacket>): void {
    this.#uplink.control(input);
    this.#downlink.control(input);
  }
}

class LinkDirection implements Actor {
  readonly #simulation: Simulation;
  readonly #emulator: LinkEmulator<VirtualPacket>;
  readonly #faults: FaultInjector | undefined;
  readonly #deliver: (packet: VirtualPacket) => void;
  readonly #arrived = new Fifo<VirtualPacket>();

  constructor(
    simulation: Simulation,
    characteristics: LinkCharacteristics,
    faults: Faults | undefined,
    random: RandomSource,
    deliver: (packet: VirtualPacket) => void,
  ) {
    this.#simulation = simulation;
    this.#emulator = new LinkEmulator(characteristics, random);
    this.#faults = faults && new FaultInjector(faults, random);
    this.#deliver = deliver;
  }

  offer(packet: VirtualPacket): void {
    this.control({ kind: 'packet-offered', packet, octets: octetsOf(packet) });
  }

  control(input: LinkInput<VirtualPacket>): void {
    this.#emulator.handleInput(input, this.#simulation.now);
    this.#collect();
    this.#schedule();
  }

  wake(now: Instant): void {
    this.#emulator.handleTimeout(now);
    this.#collect();
    for (let packet = this.#arrived.shift(); packet !== undefined; packet = this.#arrived.shift())
      this.#arrive(packet);
    this.#schedule();
  }

  #collect(): void {
    for (let output = this.#emulator.pollOutput(); output !== undefined; output = this.#emulator.pollOutput())
      if (output.kind === 'packet-delivered') this.#arrived.push(output.packet);
  }

  /** What arrives at once arrives by a step of its own, so that the sender's step ends before the receiver's begins. */
  #schedule(): void {
    const next = this.#emulator.pollTimeout();
    const at = this.#arrived.length > 0 ? this.#simulation.now : next?.at;
    this.#simulation.wakeAt(this, at, next?.reason ?? 'packet arrives');
  }

  #arrive(packet: VirtualPacket): void {
    if (this.#faults === undefined) this.#deliver(packet);
    else
      for (const delayMs of this.#faults.copiesOf(packet)) {
        if (delayMs === 0) this.#deliver(packet);
        else this.#simulation.schedule(delayMs, () => this.#deliver(packet));
      }
  }
}
