/** What the SIP proxy function of the home agent is told (options, inputs) and tells (events). */
import type { TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { RegistrationIdentity } from '../../protocols/sip/registration/registration-client.ts';
import type { SipTimers } from '../../protocols/sip/transaction/timers.ts';

export interface SipAccount {
  readonly homeAddress: string;
  /** Its password is text: a USIM stays with its owner. */
  readonly identity: RegistrationIdentity;
  /** Where the mobile node listens for SIP on its addresses; 5060 by default. */
  readonly contactPort?: number;
}

export interface SipProxyFunctionOptions {
  /** Of the home agent, UDP and TCP. */
  readonly local: TransportAddress;
  /** Registrar and proxy of the accounts' domains. */
  readonly registrar: TransportAddress;
  readonly accounts: readonly SipAccount[];
  /** Every address that is a mobile node's own now: the parent asks the home agent. */
  readonly addressesOf: (homeAddress: string) => readonly string[];
  readonly expiresSeconds?: number;
  readonly random: RandomSource;
  readonly timers?: Partial<SipTimers>;
}

/** As the home agent tells it. Without a care-of address nothing is forwarded. */
export interface ForwardingChange {
  readonly kind: 'binding-changed';
  readonly homeAddress: string;
  readonly careOfAddress?: string;
  /** The care-of address is none that others could send to. */
  readonly isBehindNat?: boolean;
}

/** `address`: of the contact, the care-of address or else the home address. */
export type CareOfRegistrationEvent =
  | { readonly type: 'contact-registered'; readonly homeAddress: string; readonly address: string }
  | {
      readonly type: 'contact-refused';
      readonly homeAddress: string;
      readonly address: string;
      readonly statusCode: number;
    };

export type SipProxyFunctionEvent =
  | CareOfRegistrationEvent
  /** Somebody whom it does not serve wanted something passed on, or a mobile node in another's name. `count`: since the last such event. */
  | {
      readonly type: 'relay-refused';
      /** Empty when it is none that is served. */
      readonly homeAddress: string;
      readonly source: string;
      readonly count: number;
    };
