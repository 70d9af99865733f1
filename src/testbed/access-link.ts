/**
 * One access leg of TRIM fig. 7 in the kernel lab: a network namespace without addresses that holds the far ends of the terminal's and
 * the access router's interfaces, and the emulator between them. Rate, delay and carrier change while traffic runs.
 */
import type { AccessProfile } from '../access-network/access-profiles.ts';
import type { NetworkNamespace } from '../drivers/linux/network-namespace.ts';
import { type LinkCounters, PacketEmulator } from '../drivers/linux/packet-emulator.ts';
import type { Rtnetlink } from '../drivers/linux/rtnetlink.ts';

export class AccessLink {
  readonly name: string;
  readonly #rtnetlink: Rtnetlink;
  readonly #emulator: PacketEmulator;

  /** The namespace holds `accessLinkEnds`, both up. */
  constructor(options: {
    readonly name: string;
    readonly namespace: NetworkNamespace;
    readonly rtnetlink: Rtnetlink;
    readonly profile: AccessProfile;
    readonly seed: number;
  }) {
    const { uplink, downlink } = options.profile;
    this.name = options.name;
    this.#rtnetlink = options.rtnetlink;
    this.#emulator = new PacketEmulator({
      namespace: options.namespace,
      interfaces: accessLinkEnds,
      characteristics: [uplink, downlink],
      seed: options.seed,
    });
  }

  /** Takes the profile's rates, delays and losses in place: nothing that waits is dropped. */
  change({ uplink, downlink }: Pick<AccessProfile, 'uplink' | 'downlink'>): void {
    this.#emulator.change(0, uplink);
    this.#emulator.change(1, downlink);
  }

  /** Down: both nodes lose the carrier, and what is queued or in flight is lost. */
  setUp(isUp: boolean): void {
    if (isUp) this.#emulator.setUp(true);
    for (const end of accessLinkEnds) this.#rtnetlink.changeLink(end, { up: isUp });
    if (!isUp) this.#emulator.setUp(false);
  }

  /** Since the link was made. */
  counters(): { readonly uplink: LinkCounters; readonly downlink: LinkCounters } {
    return { uplink: this.#emulator.counters(0), downlink: this.#emulator.counters(1) };
  }

  close(): Promise<void> {
    return this.#emulator.close();
  }
}

/** Names of the two interfaces in the link's namespace: towards the terminal, towards the network. */
export const accessLinkEnds = ['terminal', 'network'] as const;
