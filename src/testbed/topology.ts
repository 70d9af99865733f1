/**
 * What a test network looks like (TRIM fig. 7), as data: nodes, and the links between them. The kernel lab builds it from network
 * namespaces, the virtual lab from virtual hosts.
 */
import type { AccessProfile } from '../access-network/access-profiles.ts';
import type { Route } from '../drivers/linux/route-messages.ts';

export interface TopologyDescription {
  readonly nodes: readonly NodeDescription[];
  readonly links: readonly LinkDescription[];
}

export interface NodeDescription {
  readonly name: string;
  /** Passes on packets that are for others. */
  readonly isRouter?: boolean;
  /** Addresses with prefix length on the loopback interface: reachable over every link of the node. */
  readonly loopbackAddresses?: readonly string[];
  readonly routes?: readonly Route[];
  /** An interface of a router whose packets must come from where packets to their source would go (RFC 3704 §2.2). */
  readonly strictSourceOn?: string;
  /** An interface of a router whose own address packets take that leave by it; answers find back by connection tracking (RFC 3022 §2.2). */
  readonly natOn?: string;
}

export interface LinkDescription {
  readonly name: string;
  /** For an access link: the terminal, then the network. */
  readonly ends: readonly [LinkEnd, LinkEnd];
  /** What packets meet on the link; a plain wire between the two nodes when absent. */
  readonly profile?: AccessProfile;
}

export interface LinkEnd {
  readonly node: string;
  /** At most 15 characters, unique on its node. */
  readonly interface: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
}
