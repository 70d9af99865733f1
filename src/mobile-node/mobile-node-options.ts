/** The mobile node as configured: its accesses, who it is for SIP and for Mobile IP, and which flows take which way (MIP–SIP §3). */
import type { DurationMs } from '../base/instant.ts';
import type { RandomSource } from '../base/random-source.ts';
import type { TunnelSelector } from '../protocols/mobile-ip/tunnel-state.ts';
import type { AccessSelector } from './access-selection/access-selector.ts';
import type { AccessOptions, Signalling } from './attached-access.ts';
import type { RouteOptimisingClientOptions } from './mobile-ip-client/mobile-ip-client-options.ts';
import type { ImsIdentity } from './sip-user-agent/ims-user-agent.ts';

export interface MobileNodeOptions extends Signalling {
  /** Whole for a node that registers itself; absent for one that nobody calls. */
  readonly identity?: ImsIdentity | Pick<ImsIdentity, 'publicIdentity'>;
  readonly internalAddress: string;
  readonly applicationPort: number;
  readonly accesses: readonly AccessOptions[];
  readonly selector: AccessSelector;
  /** Absent: TRIM alone. */
  readonly mobileIp?: MobileIpOptions;
  /**
   * Who tells the SIP registrar where the node is: the node itself over every access that carries sessions, or the home agent's SIP proxy
   * function whenever the binding changes (MIP–SIP fig. 2), or nobody. The node itself by default.
   */
  readonly registration?: 'mobile-node' | 'home-agent' | 'none';
  readonly withReservation: boolean;
  /** Whether this host translates between IPv4 and IPv6; it does by default. */
  readonly joinsVersions?: boolean;
  /** How long a session outlives the loss of its network leg. */
  readonly graceMs: DurationMs;
  /** How long the old access is kept when no data comes in over the new one. */
  readonly releaseAfterMs: DurationMs;
  readonly random: RandomSource;
}

/** Every access of the node is registered; its index is the binding identifier. */
export interface MobileIpOptions extends Omit<RouteOptimisingClientOptions, 'accesses' | 'random'> {
  /** Unanswered probes in a row after which an access counts as leading nowhere; 3 by default. */
  readonly missedProbes?: number;
  /** Classes of flows through the tunnel that the policy may send another way; the first that fits counts. */
  readonly flowClasses?: readonly FlowClass[];
}

export interface FlowClass {
  readonly name: string;
  readonly selector: TunnelSelector;
}
