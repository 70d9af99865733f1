/** What the SIP server is told and what it tells. */
import type { TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { DigestAlgorithm } from '../../protocols/sip/authentication/digest-fields.ts';
import type { HostAddress } from '../../protocols/sip/proxy/next-hop.ts';
import type { RegistrationPolicy } from '../../protocols/sip/registration/binding.ts';
import type { SipTimers } from '../../protocols/sip/transaction/timers.ts';
import type { SipListener } from '../../protocols/sip/transport/sip-transport.ts';

export interface SipServerUser {
  /** The user part of the address-of-record, such as "bob" of sip:bob@home.example. */
  readonly name: string;
  /** The user name of Digest; absent: `name`. */
  readonly authenticationName?: string;
  /** Octets as latin1. */
  readonly password: string;
  /** Callers are told where the user is and call there themselves (RFC 3261 §8.3); absent: as the server does. */
  readonly redirect?: boolean;
}

export interface SipServerOptions {
  readonly listen: readonly SipListener[];
  readonly address: TransportAddress;
  /** Of its users' addresses-of-record; also the realm of Digest. */
  readonly domain: string;
  readonly users: readonly SipServerUser[];
  /** Redirect server (RFC 3261 §8.3) instead of proxy, for users who do not say otherwise. */
  readonly redirect?: boolean;
  /**
   * What is offered in a challenge, best first (RFC 8760 §2.3); MD5 alone unless told otherwise, for phones give up that do not know the
   * first (baresip 1.0).
   */
  readonly digestAlgorithms?: readonly DigestAlgorithm[];
  /**
   * A user's calls are not challenged when they come from an address that the user is registered at, as in an IMS core, where the P-CSCF
   * vouches for it; programs without credentials can call then. Only where nobody can send with addresses of others.
   */
  readonly trustsRegisteredAddresses?: boolean;
  /** Other domains and where they are. Names are in lower case. */
  readonly hosts?: ReadonlyMap<string, HostAddress>;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly locatesServers?: boolean;
  readonly registration?: Partial<RegistrationPolicy>;
  readonly random: RandomSource;
  readonly timers?: Partial<SipTimers>;
}

export type SipServerRefusal =
  /** A password was wrong, or one user's was used for another. */
  | 'authentication-failed'
  /** A request from nobody's user to nobody's user. */
  | 'relay-refused';

export type SipServerEvent =
  | { readonly type: 'user-registered'; readonly user: string; readonly contacts: readonly string[] }
  | { readonly type: 'user-deregistered'; readonly user: string; readonly cause: 'request' | 'expiry' }
  /** `count`: how often since the last such event. */
  | {
      readonly type: 'request-refused';
      /** A name; empty when it is none of a user here. */
      readonly user: string;
      readonly source: string;
      readonly reason: SipServerRefusal;
      readonly count: number;
    };
