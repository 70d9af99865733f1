/** What the home agent is told (options, inputs) and tells (events, effects). */
import type { DurationMs } from '../../base/instant.ts';
import type { SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import type { TunnelChange, TunnelEncapsulation } from '../../protocols/mobile-ip/tunnel-state.ts';

export type RefusalReason =
  | 'malformed'
  | 'not-authenticated'
  | 'unknown-mobile-node'
  | 'bad-authenticator'
  /** Accepted before, or overtaken by a later one on the same path. */
  | 'replayed'
  /** The clocks differ by more than the tolerance, or the request was held back. */
  | 'outside-tolerance'
  /** Denied for what it asks; see its reply's code. */
  | 'denied'
  | 'too-many-requests'
  /** A tunnelled packet that did not come from a registered endpoint. */
  | 'spoofed-tunnel-packet';

export interface ServedMobileNode {
  readonly homeAddress: string;
  /** RFC 2794; a request that gives it may leave the home address open. */
  readonly networkAccessIdentifier?: string;
  /** At least one; the SPI of a request chooses. */
  readonly securityAssociations: readonly SecurityAssociation[];
  /** Several care-of addresses (RFC 7629); true by default. */
  readonly isMultipathAllowed?: boolean;
  /** As agreed with the mobile node; 'rfc3519' by default. */
  readonly encapsulation?: TunnelEncapsulation;
}

export interface HomeAgentOptions {
  readonly address: string;
  /** 434 by default. */
  readonly port?: number;
  readonly mobileNodes: readonly ServedMobileNode[];
  /**
   * 'correspondent': a peer that keeps bindings for its own packets only, so that they take the way to the mobile node without its home
   * network (MIP-SIP §3, "possibly to connected correspondent nodes"). It has no home link. 'home-agent' by default.
   */
  readonly role?: 'home-agent' | 'correspondent';
  /** What makes milliseconds since 1970 of an instant. */
  readonly timeOfDayOffsetMs: DurationMs;
  readonly timestampToleranceMs?: DurationMs;
  readonly maximumLifetimeSeconds?: number;
  readonly maximumLifetimeBehindNatSeconds?: number;
  readonly keepaliveSeconds?: number;
  /** Lines of the journal, oldest first; the last one may be torn. */
  readonly journal?: readonly string[];
}

export type HomeAgentInput =
  | { readonly kind: 'effect-completed'; readonly id: number; readonly error?: string }
  /** Take back all bindings of a mobile node, or the one with this care-of address. */
  | { readonly kind: 'revoke'; readonly homeAddress: string; readonly careOfAddress?: string };

export type HomeAgentEffect =
  /** To be durable before it is completed: the reply waits for it. */
  | { readonly type: 'journal'; readonly id: number; readonly line: string }
  | { readonly type: 'tunnel'; readonly change: TunnelChange }
  /** Answer ARP for the home address on the home link (RFC 5944 §4.6). */
  | { readonly type: 'proxy-arp'; readonly homeAddress: string; readonly enabled: boolean }
  /** Tell the home link whose link-layer address belongs to the home address now. */
  | {
      readonly type: 'gratuitous-arp';
      readonly homeAddress: string;
      readonly owner: 'home-agent' | 'mobile-node';
    };

export type RemovalReason = 'deregistered' | 'replaced' | 'expired' | 'revoked';

export type HomeAgentEvent =
  /** Where unclassified packets for the home address go now: what a SIP proxy function follows. Without a care-of address: nowhere. */
  | {
      readonly type: 'binding-changed';
      readonly homeAddress: string;
      readonly careOfAddress?: string;
      readonly isBehindNat?: boolean;
    }
  | {
      readonly type: 'binding-registered';
      readonly homeAddress: string;
      readonly careOfAddress: string;
      readonly bindingId: number | undefined;
      readonly lifetimeSeconds: number;
      readonly isBehindNat: boolean;
    }
  | {
      readonly type: 'binding-removed';
      readonly homeAddress: string;
      readonly careOfAddress: string;
      readonly bindingId: number | undefined;
      readonly reason: RemovalReason;
    }
  /** `count`: how often since the last such event. */
  | {
      readonly type: 'request-refused';
      readonly homeAddress: string;
      readonly source: string;
      readonly reason: RefusalReason;
      readonly count: number;
    }
  | { readonly type: 'revocation-acknowledged'; readonly homeAddress: string; readonly careOfAddress: string }
  | { readonly type: 'journal-failed'; readonly homeAddress: string; readonly reason: string }
  /** A line that is not the last cannot be read: a binding may be missing. */
  | { readonly type: 'journal-damaged'; readonly line: number };

/** What a registration is judged by, with the defaults filled in. */
export interface RegistrationPolicy {
  readonly homeAgent: string;
  readonly maximumLifetimeSeconds: number;
  readonly maximumLifetimeBehindNatSeconds: number;
  readonly timestampToleranceMs: DurationMs;
}
