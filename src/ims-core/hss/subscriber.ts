/**
 * What the HSS knows about its users, as plain data that the configuration holds: identities, secrets, and the services that an S-CSCF
 * has to trigger (TS 23.228 §4.3.3, TS 29.228 annex B). One service profile per user; all public identities of a user are one implicit
 * registration set.
 */

import type { SubscriberKey } from '../../protocols/aka/milenage.ts';

export interface Subscriber {
  /** IMPI, "mn@home1.example". */
  readonly privateIdentity: string;
  /** IMPUs, the default one first. */
  readonly publicIdentities: readonly SubscriberIdentity[];
  /**
   * Secret. The password; or, where the operator does not want to keep it, HA1 = MD5(IMPI ":" realm ":" password) in hexadecimal; or the
   * key of the user's USIM.
   */
  readonly credentials: { readonly password: string } | { readonly ha1: string } | AkaCredentials;
  readonly initialFilterCriteria: readonly InitialFilterCriterion[];
  /** Whether calls to the user reach an S-CSCF when nobody is registered. */
  readonly hasUnregisteredServices?: boolean;
  /** Visited networks from which the user may register; absent: all. */
  readonly allowedNetworks?: readonly string[];
  /** What an S-CSCF must and should be able to do; the operator numbers it. */
  readonly mandatoryCapabilities?: readonly number[];
  readonly optionalCapabilities?: readonly number[];
}

export interface AkaCredentials extends SubscriberKey {
  /** AMF, two octets (TS 33.102 annex H). */
  readonly managementField?: Uint8Array;
}

export interface SubscriberIdentity {
  readonly identity: string;
  /** It may register, and nothing else. */
  readonly isBarred?: boolean;
}

/** An initial filter criterion (TS 29.228 §B.2.2): when to send an initial request through an application server. */
export interface InitialFilterCriterion {
  /** Lower first, each only once. */
  readonly priority: number;
  /** Absent: always. */
  readonly trigger?: TriggerPoint;
  readonly applicationServer: ApplicationServer;
  /** Absent: both. */
  readonly profilePart?: 'registered' | 'unregistered';
}

export interface TriggerPoint {
  /** 'any-group': conditions of one group are ANDed, groups ORed (ConditionTypeCNF 0); 'every-group': the reverse. */
  readonly combination: 'any-group' | 'every-group';
  readonly servicePoints: readonly ServicePointTrigger[];
}

export interface ServicePointTrigger {
  readonly groups: readonly number[];
  readonly isNegated?: boolean;
  readonly condition:
    | {
        readonly method: string;
        /** For REGISTER; at most two (TS 29.228 annex E), absent: all. */
        readonly registrationTypes?: readonly RegistrationType[];
      }
    | { readonly requestUri: string }
    | { readonly sessionCase: SessionCase }
    | { readonly header: string; readonly content?: string }
    | { readonly sessionDescriptionLine: string; readonly content?: string };
}

export type RegistrationType = 'initial-registration' | 're-registration' | 'de-registration';

export type SessionCase =
  | 'originating'
  | 'terminating-registered'
  | 'terminating-unregistered'
  | 'originating-unregistered';

export interface ApplicationServer {
  /** SIP URI. */
  readonly serverName: string;
  /** What happens to the call when the server does not answer. */
  readonly defaultHandling: 'continue' | 'terminate';
  /** Goes to the server with each third-party REGISTER, transparently. */
  readonly serviceInformation?: string;
  /** Wants the REGISTER of the user, and the answer to it, inside the third-party REGISTER. */
  readonly includeRegisterRequest?: boolean;
  readonly includeRegisterResponse?: boolean;
}

/**
 * The criteria of a user whose sessions TRIM keeps alive: the TRIM AS sees registrations with the user's Contact (which a third-party
 * REGISTER does not have), and every call from and to the registered user.
 * When the AS is down, calls go on without mobility.
 */
export function trimFilterCriteria(serverName: string): readonly InitialFilterCriterion[] {
  const invite = (group: number): ServicePointTrigger => ({
    groups: [group],
    condition: { method: 'INVITE' },
  });
  const inCase = (group: number, sessionCase: SessionCase): ServicePointTrigger => ({
    groups: [group],
    condition: { sessionCase },
  });
  return [
    {
      priority: 0,
      trigger: {
        combination: 'any-group',
        servicePoints: [{ groups: [0], condition: { method: 'REGISTER' } }],
      },
      applicationServer: { serverName, defaultHandling: 'continue', includeRegisterRequest: true },
    },
    {
      priority: 1,
      trigger: {
        combination: 'any-group',
        servicePoints: [invite(0), inCase(0, 'originating'), invite(1), inCase(1, 'terminating-registered')],
      },
      applicationServer: { serverName, defaultHandling: 'continue' },
    },
  ];
}
