/**
 * A network in virtual time: hosts on links around one core that knows where every address is (the lab's topology, TRIM fig. 7).
 * Leaves out routing protocols, TTL and fragmentation; an address nobody has swallows its packets.
 */

import type { DnsRecord } from '../base/network.ts';
import { SeededRandomSource } from '../base/random-source.ts';
import type { TraceEntry } from '../base/trace.ts';
import { Simulation } from './simulation.ts';
import { VirtualHost } from './virtual-host.ts';
import type { VirtualLink } from './virtual-link.ts';
import type { VirtualPacket } from './virtual-packet.ts';

export class VirtualNetwork {
  readonly simulation: Simulation = new Simulation();
  /** Every signalling message of every process, in the order in which it happened. */
  readonly trace: TraceEntry[] = [];
  /** What the DNS of every access knows, by "srv _sip._udp.example.com". */
  zone: ReadonlyMap<string, readonly DnsRecord[]> = new Map();
  /** Sees every packet between hosts, as a capture in the core does. */
  onPacket: ((packet: VirtualPacket) => void) | undefined;
  readonly #links = new Map<string, VirtualLink>();
  readonly #seeds: SeededRandomSource;

  constructor(seed: number) {
    this.#seeds = new SeededRandomSource(seed);
  }

  addHost(name: string): VirtualHost {
    return new VirtualHost(name, this);
  }

  /** A random source of its own for each part, so that one part's draws do not shift another's. */
  newRandomSource(): SeededRandomSource {
    return new SeededRandomSource(this.#seeds.nextUint32());
  }

  /** Packets to the address go down that link from now on; undefined: nowhere. */
  route(address: string, link: VirtualLink | undefined): void {
    if (link === undefined) this.#links.delete(address);
    else this.#links.set(address, link);
  }

  forward(packet: VirtualPacket): void {
    this.onPacket?.(packet);
    this.#links.get(packet.destination)?.sendDown(packet);
  }
}
