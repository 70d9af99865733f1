/** What the Mobile IP client is told (options) and tells (events, effects). */
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import type {
  TunnelChange,
  TunnelEncapsulation,
  TunnelSelector,
} from '../../protocols/mobile-ip/tunnel-state.ts';

export interface MobileIpAccess {
  readonly name: string;
  /** 1 … 254: the binding identifier (RFC 7629). */
  readonly index: number;
  /** RFC 5213 §8.5; 1 (virtual) by default. */
  readonly accessTechnology?: number;
}

export interface MobileIpClientOptions {
  readonly homeAddress: string;
  /** Of the home agent, or of a correspondent that keeps bindings for its own packets. */
  readonly homeAgent: TransportAddress;
  /**
   * A correspondent may always be left out, since its packets find the way by the home agent: a binding there counts as lost as soon as it
   * does not answer or refuses. 'home-agent' by default.
   */
  readonly agentRole?: 'home-agent' | 'correspondent';
  readonly networkAccessIdentifier?: string;
  readonly securityAssociation: SecurityAssociation;
  readonly accesses: readonly MobileIpAccess[];
  /** Of our sockets on every access; 434 by default. */
  readonly port?: number;
  readonly lifetimeSeconds?: number;
  readonly encapsulation?: TunnelEncapsulation;
  /** Echoes through the tunnel of every bound access; without it only keep-alives (RFC 3519 §4.9). */
  readonly probeIntervalMs?: DurationMs;
  /** What makes milliseconds since 1970 of an instant; the agent corrects it. */
  readonly timeOfDayOffsetMs: DurationMs;
  readonly random: RandomSource;
}

/** A peer that keeps bindings for its own packets (role 'correspondent' of home-network/home-agent), on the home agent's port. */
export interface CorrespondentOptions {
  readonly address: string;
  readonly securityAssociation: SecurityAssociation;
  /** 60 s by default. */
  readonly lifetimeSeconds?: number;
}

export interface RouteOptimisingClientOptions extends Omit<MobileIpClientOptions, 'agentRole'> {
  readonly correspondents?: readonly CorrespondentOptions[];
}

/** Which accesses the flows of a class prefer; the others follow in the general order. */
export interface FlowPreference {
  readonly selector: TunnelSelector;
  readonly accesses: readonly string[];
}

/** Carried out in the order in which they come. */
export interface MobileIpClientEffect {
  readonly type: 'tunnel';
  readonly change: TunnelChange;
}

export type BindingLossReason = 'expired' | 'revoked' | 'detached' | 'replaced' | 'refused' | 'unanswered';

export type MobileIpClientEvent =
  | {
      readonly type: 'binding-accepted';
      readonly access: string;
      readonly careOfAddress: string;
      readonly lifetimeSeconds: number;
      readonly isBehindNat: boolean;
    }
  /** `reason`: what the agent says for people. It is tried again. */
  | {
      readonly type: 'binding-refused';
      readonly access: string;
      readonly code: number;
      readonly reason: string;
    }
  | { readonly type: 'binding-lost'; readonly access: string; readonly reason: BindingLossReason }
  | { readonly type: 'home-agent-unreachable'; readonly access: string }
  /** MIP-SIP equation 3: `rttMs` = R − S. */
  | {
      readonly type: 'round-trip-measured';
      readonly access: string;
      readonly by: 'registration' | 'echo';
      readonly sentAt: Instant;
      readonly rttMs: DurationMs;
    }
  /** No answer to an echo or a registration within `timeoutMs`: a censored sample. */
  | {
      readonly type: 'round-trip-lost';
      readonly access: string;
      readonly sentAt: Instant;
      readonly timeoutMs: DurationMs;
    }
  /** What we send takes another access now: the cross-layer signal to the SIP user agent. Absent: none is bound. */
  | {
      readonly type: 'care-of-address-changed';
      readonly access?: string;
      readonly careOfAddress?: string;
    }
  /** The agent has the present order of accesses: what comes for us takes that access too. */
  | { readonly type: 'forwarding-confirmed'; readonly access: string; readonly durationMs: DurationMs }
  | { readonly type: 'clock-resynchronised'; readonly byMs: DurationMs };

export type RouteOptimisationEvent =
  /** What goes to this correspondent leaves directly over this access now. Absent: it goes by the home agent. */
  | {
      readonly type: 'correspondent-route-changed';
      readonly correspondent: string;
      readonly access?: string;
    }
  /** It is tried again. */
  | {
      readonly type: 'correspondent-refused';
      readonly correspondent: string;
      readonly access: string;
      readonly code: number;
      readonly reason: string;
    }
  | { readonly type: 'correspondent-unreachable'; readonly correspondent: string; readonly access: string };
