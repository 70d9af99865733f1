/**
 * What the tunnels of one home address shall be, as data (MIP–SIP fig. 3, "tunnel" between mobile node and home agent): the machines at
 * both ends say it, a data path carries it out (drivers/linux/tunnel.ts, or a virtual one). RFC 3519 (UDP encapsulation), RFC 3024
 * (reverse tunnelling), RFC 7629 (several care-of addresses and flow bindings). Leaves out IPv6 and other encapsulations.
 *
 * The data path owns the UDP sockets of the tunnel, since registrations share their ports with the packets (RFC 3519 §3.1, §4.4): it
 * hands every datagram that is not tunnel data to the machine as `datagram-received`, and so too, whole, each tunnel datagram that holds
 * an ICMP echo request for `homeAgent` (at the agent) or an echo reply from the agent at the other end (at the mobile node): keep-alives and
 * probes.
 */
import type { TransportAddress } from '../../base/network.ts';

/** Which end of the tunnels it is; a correspondent has bindings for its own packets only (route optimisation). */
export type TunnelPlacement = 'home-agent' | 'correspondent' | 'mobile-node';

/** 'rfc3519': UDP, the octets 4 4 0 0, the packet. 'plain': UDP and the packet, the 28 octets of the paper's Table 1. */
export type TunnelEncapsulation = 'rfc3519' | 'plain';

export interface TunnelEndpoint {
  readonly local: TransportAddress;
  /** As the other end's last datagram showed it: behind a NAT not what the other end calls itself. */
  readonly remote: TransportAddress;
  readonly encapsulation: TunnelEncapsulation;
  /** Route optimisation: the tunnel ends at this correspondent itself, and only its packets pass, both ways. Absent: the home agent's tunnel. */
  readonly correspondentAddress?: string;
}

/** First and last port, both included. */
export type PortRange = readonly [first: number, last: number];

/**
 * Means the same at both ends of the tunnel, whichever way a packet goes. What is absent may be anything. `Address`: as the data path
 * compares them.
 */
export interface TunnelSelector<Address = string> {
  /** IP protocol number. */
  readonly protocol?: number;
  readonly homePorts?: PortRange;
  readonly correspondentPorts?: PortRange;
  readonly correspondentAddress?: Address;
}

export interface TunnelRule {
  readonly selector: TunnelSelector;
  /** One, or several that each get a copy (bicasting, RFC 5944 §3.6.1.2); none drops the packet. */
  readonly endpoints: readonly TunnelEndpoint[];
}

/** Replaces whatever was there for the home address, in one step. */
export interface TunnelBinding {
  readonly homeAddress: string;
  /** Or the correspondent that keeps the binding. */
  readonly homeAgent: string;
  /** Packets are accepted from these only (RFC 3519 §4.4, RFC 3024 §4.4), also those that no rule sends through. */
  readonly endpoints: readonly TunnelEndpoint[];
  /** The first whose selector fits decides; a packet that fits none is dropped. The last one usually selects everything. */
  readonly rules: readonly TunnelRule[];
}

/** In `effect { type: 'tunnel', … }`. */
export type TunnelChange =
  | { readonly kind: 'bind'; readonly binding: TunnelBinding }
  | { readonly kind: 'unbind'; readonly homeAddress: string };

/** What a selector looks at; ports are 0 where the packet has none (not UDP or TCP, or a later fragment). */
export interface TunnelFlow<Address = string> {
  readonly correspondentAddress: Address;
  readonly protocol: number;
  readonly homePort: number;
  readonly correspondentPort: number;
}

export function selectTunnelRule<Address, Rule extends { readonly selector: TunnelSelector<Address> }>(
  rules: readonly Rule[],
  flow: TunnelFlow<Address>,
): Rule | undefined {
  for (const rule of rules) {
    const { protocol, homePorts, correspondentPorts, correspondentAddress } = rule.selector;
    if (protocol !== undefined && protocol !== flow.protocol) continue;
    if (correspondentAddress !== undefined && correspondentAddress !== flow.correspondentAddress) continue;
    if (!holds(homePorts, flow.homePort) || !holds(correspondentPorts, flow.correspondentPort)) continue;
    return rule;
  }
  return undefined;
}

function holds(range: PortRange | undefined, port: number): boolean {
  return range === undefined || (port >= range[0] && port <= range[1]);
}
