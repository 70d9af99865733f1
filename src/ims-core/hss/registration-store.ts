/**
 * What changes in an HSS: which S-CSCF serves a user, and whether anybody is registered (TS 29.228 §6.1, TS 23.008 §3). Behind an
 * interface, so that it can outlive the process elsewhere.
 */

export interface Registration {
  /** 'unregistered': an S-CSCF serves the user though nobody is registered. */
  readonly state: 'not-registered' | 'registered' | 'unregistered';
  /** The S-CSCF's SIP URI; also set between the challenge and the registration. */
  readonly serverName?: string;
  /** The S-CSCF's Diameter identity, to which requests of the HSS go. */
  readonly serverHost?: string;
  /** SQN of the last AKA vector that was made (TS 33.102 §6.3.2). */
  readonly sequenceNumber?: number;
}

export interface RegistrationStore {
  get(privateIdentity: string): Registration;
  set(privateIdentity: string, registration: Registration): void;
}

export class MemoryRegistrationStore implements RegistrationStore {
  readonly #registrations = new Map<string, Registration>();

  get(privateIdentity: string): Registration {
    return this.#registrations.get(privateIdentity) ?? { state: 'not-registered' };
  }

  set(privateIdentity: string, registration: Registration): void {
    const { state, serverName, sequenceNumber } = registration;
    if (state === 'not-registered' && serverName === undefined && sequenceNumber === undefined)
      this.#registrations.delete(privateIdentity);
    else this.#registrations.set(privateIdentity, registration);
  }
}
