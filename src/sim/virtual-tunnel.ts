/**
 * One end of Mobile IP's tunnels in virtual time (MIP–SIP fig. 3): the twin of drivers/linux/tunnel.ts, which carries out the same wanted
 * states (protocols/mobile-ip/tunnel-state.ts) on packets as values. Control messages and echo probes pass it by, since the host knows
 * them from packets in the tunnel. Leaves out fragmentation: the virtual TCP leaves room for the tunnel, as the driver's MSS clamp does.
 */
import { formatTransportAddress, sameTransportAddress, type TransportAddress } from '../base/network.ts';
import { tunnelDataHeader } from '../protocols/mobile-ip/tunnel-data.ts';
import {
  selectTunnelRule,
  type TunnelBinding,
  type TunnelChange,
  type TunnelEndpoint,
  type TunnelPlacement,
} from '../protocols/mobile-ip/tunnel-state.ts';
import type { VirtualPacket } from './virtual-packet.ts';

/** Internet Protocol Numbers (IANA). */
const protocolNumbers = { icmp: 1, tcp: 6, udp: 17 } as const;
const nothing: Uint8Array = new Uint8Array(0);

export class VirtualTunnel {
  readonly #placement: TunnelPlacement;
  readonly #bindings = new Map<string, TunnelBinding>();
  /** Packets that came from nobody who may send them (RFC 3024 §4.4, RFC 3519 §4.4), by sender. */
  readonly refused: Map<string, number> = new Map();

  constructor(placement: TunnelPlacement) {
    this.#placement = placement;
  }

  /** In force for the next packet. */
  apply(change: TunnelChange): void {
    if (change.kind === 'bind') this.#bindings.set(change.binding.homeAddress, change.binding);
    else this.#bindings.delete(change.homeAddress);
  }

  /** What leaves in place of the packet: one datagram per endpoint of its rule. Undefined when it is none of a bound home address. */
  encapsulate(packet: VirtualPacket): VirtualPacket[] | undefined {
    const isMobile = this.#placement === 'mobile-node';
    const binding = this.#bindings.get(isMobile ? packet.source : packet.destination);
    if (binding === undefined || this.#isAnothers(packet, binding)) return undefined;
    const { source, sourcePort, destination, destinationPort } = packet;
    const rule = selectTunnelRule(binding.rules, {
      correspondentAddress: isMobile ? destination : source,
      protocol: protocolNumbers[packet.content.protocol],
      homePort: isMobile ? sourcePort : destinationPort,
      correspondentPort: isMobile ? destinationPort : sourcePort,
    });
    return (rule?.endpoints ?? []).map((endpoint) => outerOf(packet, endpoint));
  }

  /** The packet in a datagram; undefined, and counted, when it may not come from there. */
  decapsulate(outer: VirtualPacket): VirtualPacket | undefined {
    const inner = outer.content.protocol === 'udp' ? outer.content.tunnelled : undefined;
    if (inner === undefined) return undefined;
    const binding = this.#bindings.get(this.#placement === 'mobile-node' ? inner.destination : inner.source);
    const local = { address: outer.destination, port: outer.destinationPort };
    const remote = { address: outer.source, port: outer.sourcePort };
    const correspondent = this.#placement === 'mobile-node' ? inner.source : inner.destination;
    const isAccepted = binding?.endpoints.some(
      ({ correspondentAddress = correspondent, ...endpoint }) =>
        isBetween(endpoint, local, remote) && correspondentAddress === correspondent,
    );
    if (isAccepted) return inner;
    const sender = formatTransportAddress(remote);
    this.refused.set(sender, (this.refused.get(sender) ?? 0) + 1);
    return undefined;
  }

  /** A correspondent's tunnel is for its own packets (drivers/linux/correspondent-routing.ts). */
  #isAnothers({ source }: VirtualPacket, { homeAgent }: TunnelBinding): boolean {
    return this.#placement === 'correspondent' && source !== homeAgent;
  }
}

function outerOf(packet: VirtualPacket, { local, remote, encapsulation }: TunnelEndpoint): VirtualPacket {
  return {
    source: local.address,
    sourcePort: local.port,
    destination: remote.address,
    destinationPort: remote.port,
    content: {
      protocol: 'udp',
      payload: encapsulation === 'rfc3519' ? tunnelDataHeader : nothing,
      tunnelled: packet,
    },
  };
}

function isBetween(endpoint: TunnelEndpoint, local: TransportAddress, remote: TransportAddress): boolean {
  return sameTransportAddress(endpoint.local, local) && sameTransportAddress(endpoint.remote, remote);
}
