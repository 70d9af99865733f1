/** An access of the mobile node as configured, and one that has an address now. */
import type { DurationMs, Instant } from '../base/instant.ts';
import type { TransportAddress } from '../base/network.ts';
import type { SipUri } from '../protocols/sip/message/sip-uri.ts';
import type { Access } from './access-monitor/access-monitor.ts';

export interface AccessOptions extends Access {
  /** The router of the access network; absent when the peers are on the link itself. */
  readonly gateway?: string;
  /** P-CSCF, or outbound proxy of a plain SIP network, or a URI with its name; without one the access carries no SIP. */
  readonly proxyCscf?: TransportAddress | SipUri;
  readonly accessNetworkInfo?: string;
  /** For Mobile IP (RFC 5213 §8.5); 1 (virtual) by default. */
  readonly accessTechnology?: number;
}

/** Where the node listens for SIP on every access address. */
export interface Signalling {
  /** UDP and TCP. */
  readonly signallingPort: number;
  /** Instead of these: all SIP of the network side goes by TLS, to P-CSCFs whose certificates hold that name. */
  readonly tls?: { readonly port: number; readonly serverName: string } | undefined;
}

export interface AttachedAccess {
  readonly options: AccessOptions;
  readonly address: string;
  readonly attachedAt: Instant;
  readonly attachMs: DurationMs;
  /** Once it can be used. */
  signallingMs: DurationMs | undefined;
  /** Others cannot send to the address: the home agent saw another one. Undefined until it has said so, or without Mobile IP. */
  isBehindNat: boolean | undefined;
  /** It leads nowhere and was left for another: to SIP it is as if it were lost, until a probe is answered. */
  isForsaken: boolean;
}
