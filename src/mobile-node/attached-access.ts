/** An access of the mobile node as configured, and one that has an address now. */
import type { DurationMs, Instant } from '../base/instant.ts';
import type { TransportAddress } from '../base/network.ts';
import type { Access } from './access-monitor/access-monitor.ts';
import type { NetworkAccess } from './handover-manager/network-access.ts';

export interface AccessOptions extends Access {
  /** The router of the access network; absent when the peers are on the link itself. */
  readonly gateway?: string;
  readonly proxyCscf: TransportAddress;
  readonly accessNetworkInfo?: string;
}

export interface AttachedAccess {
  readonly options: AccessOptions;
  readonly address: string;
  readonly attachedAt: Instant;
  readonly attachMs: DurationMs;
  /** Once it can be used. */
  signallingMs: DurationMs | undefined;
  serviceRoute: readonly string[];
}

/** As the handover manager knows it. */
export function networkAccessOf(
  { options, address, serviceRoute }: AttachedAccess,
  signallingPort: number,
): NetworkAccess {
  const { index, name, proxyCscf, accessNetworkInfo } = options;
  return { index, name, address, signallingPort, proxyCscf, accessNetworkInfo, serviceRoute };
}
