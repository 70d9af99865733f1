/**
 * One access leg of TRIM fig. 7 in the kernel lab: a network namespace without addresses that holds the far ends of the terminal's and
 * the access router's interfaces, and what shapes the link between them. Rate, delay and carrier change while traffic runs.
 */
import type { AccessProfile } from '../access-network/access-profiles.ts';
import { NetemLink } from '../drivers/linux/netem-link.ts';
import type { NetworkNamespace } from '../drivers/linux/network-namespace.ts';
import { type LinkCounters, type LinkShaper, PacketEmulator } from '../drivers/linux/packet-emulator.ts';
import type { Rtnetlink } from '../drivers/linux/rtnetlink.ts';
import type { LinkShaping } from './link-shaping.ts';

export class AccessLink {
  readonly name: string;
  readonly #rtnetlink: Rtnetlink;
  readonly #shaper: LinkShaper;

  /** The namespace holds `accessLinkEnds`, both up. */
  constructor(options: {
    readonly name: string;
    readonly namespace: NetworkNamespace;
    readonly rtnetlink: Rtnetlink;
    readonly profile: AccessProfile;
    readonly shaper: LinkShaping['by'];
    readonly seed: number;
  }) {
    const { uplink, downlink } = options.profile;
    this.name = options.name;
    this.#rtnetlink = options.rtnetlink;
    const { namespace, seed } = options;
    const common = { namespace, interfaces: accessLinkEnds, characteristics: [uplink, downlink] } as const;
    this.#shaper =
      options.shaper === 'netem' ? new NetemLink(common) : new PacketEmulator({ ...common, seed });
  }

  /** Takes the profile's rates, delays and losses in place: nothing that waits is dropped. */
  change({ uplink, downlink }: Pick<AccessProfile, 'uplink' | 'downlink'>): void {
    this.#shaper.change(0, uplink);
    this.#shaper.change(1, downlink);
  }

  /** Down: both nodes lose the carrier, and what is queued or in flight is lost. */
  setUp(isUp: boolean): void {
    if (isUp) this.#shaper.setUp(true);
    for (const end of accessLinkEnds) this.#rtnetlink.changeLink(end, { up: isUp });
    if (!isUp) this.#shaper.setUp(false);
  }

  /** Since the link was made. */
  counters(): { readonly uplink: LinkCounters; readonly downlink: LinkCounters } {
    return { uplink: this.#shaper.counters(0), downlink: this.#shaper.counters(1) };
  }

  close(): Promise<void> {
    return this.#shaper.close();
  }
}

/** Names of the two interfaces in the link's namespace: towards the terminal, towards the network. */
export const accessLinkEnds = ['terminal', 'network'] as const;
