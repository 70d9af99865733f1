/**
 * The re-REGISTER of MIP–SIP fig. 2 ("indicating the new CoA of the MN"): per mobile node a user whose contact is the care-of address that
 * packets are forwarded to, or the home address while that one is behind address translation. It makes the requests and reads the
 * responses; its owner sends them (sip-proxy-function.ts).
 *
 *   binding-changed ─▶ REGISTER sip:user@careOf ─401─▶ with credentials ─200─▶ the former contact is taken back, and only that one
 *
 * The former contact stays until the new one is in force, so the user can be reached at every instant. Of each contact one REGISTER at most
 * is under way (RFC 3261 §10.2); what was wanted meanwhile is done when it is answered, so that flapping bindings leave no contact behind.
 */
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { DigestClient } from '../../protocols/sip/authentication/digest-client.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { userPartOf } from '../../protocols/sip/message/sip-uri.ts';
import { RegistrationClient } from '../../protocols/sip/registration/registration-client.ts';
import type { ClientTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { maximumContactsPerAccount } from './limits.ts';
import type { CareOfRegistrationEvent, SipAccount } from './sip-proxy-function-options.ts';

export interface CareOfRegistrationOptions {
  readonly account: SipAccount;
  /** Of the account: what one contact was challenged with serves the others. */
  readonly digest: DigestClient;
  readonly expiresSeconds: number;
  readonly random: RandomSource;
  readonly send: (request: SipRequest, now: Instant) => ClientTransactionId;
  readonly tell: (event: CareOfRegistrationEvent) => void;
}

interface Contact {
  readonly address: string;
  readonly client: RegistrationClient;
  /** Of the REGISTER that is under way. */
  transaction: ClientTransactionId | undefined;
  /** The latest one was to take it back. */
  isLeaving: boolean;
  /** The registrar may have it, as far as one can tell from here. */
  mayBeRegistered: boolean;
}

const defaultContactPort = 5060;

/** Of one account. */
export class CareOfRegistration {
  readonly #options: CareOfRegistrationOptions;
  /** By address: the wanted one, and those that may still be registered. */
  readonly #contacts = new Map<string, Contact>();
  #wanted: Contact | undefined;

  constructor(options: CareOfRegistrationOptions) {
    this.#options = options;
  }

  /** Where requests to the user go now. */
  get address(): string | undefined {
    return this.#wanted?.address;
  }

  follow(address: string | undefined, now: Instant): void {
    if (this.#wanted?.address === address) return;
    this.#wanted = address === undefined ? undefined : this.#contactAt(address);
    const wanted = this.#wanted;
    // Also when the registrar may still have it: what was sent last may have been to take it back.
    if (wanted !== undefined && wanted.transaction === undefined) this.#register(wanted, now);
    this.#takeBackFormer(now);
  }

  /** False when the transaction is none of this registration's. `undefined`: no answer came. */
  handleAnswer(transaction: ClientTransactionId, response: SipResponse | undefined, now: Instant): boolean {
    const contact = [...this.#contacts.values()].find((one) => one.transaction === transaction);
    if (contact === undefined) return false;
    const { client, isLeaving } = contact;
    const wasRegistered = client.isRegistered;
    const outcome = client.handleResponse(response, now);
    if (outcome === undefined) return true;
    contact.transaction = undefined;
    const isWanted = this.#wanted === contact;
    if (outcome.kind === 'repeat') contact.mayBeRegistered = wasRegistered;
    else if (outcome.kind === 'failed') contact.mayBeRegistered = wasRegistered || response === undefined;
    else contact.mayBeRegistered = outcome.kind === 'registered';
    if (outcome.kind === 'repeat' && isLeaving !== isWanted) this.#send(contact, outcome.request, now);
    else if (isWanted && isLeaving) this.#register(contact, now);
    else {
      if (isWanted) this.#tell(contact, outcome);
      this.#takeBackFormer(now);
    }
    return true;
  }

  handleTimeout(now: Instant): void {
    const refresh = this.#refresh();
    if (this.#wanted !== undefined && refresh !== undefined && refresh.at <= now)
      this.#register(this.#wanted, now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#refresh();
  }

  #refresh(): Timeout | undefined {
    return this.#wanted?.transaction === undefined ? this.#wanted?.client.pollTimeout() : undefined;
  }

  #contactAt(address: string): Contact {
    const known = this.#contacts.get(address);
    if (known !== undefined) return known;
    const { account, digest, expiresSeconds, random } = this.#options;
    const { identity, contactPort = defaultContactPort } = account;
    const contact = `sip:${userPartOf(identity.publicIdentity) ?? ''}@${address}:${contactPort}`;
    const client = new RegistrationClient({ identity, contact, expiresSeconds, digest, random });
    const made: Contact = {
      address,
      client,
      transaction: undefined,
      isLeaving: false,
      mayBeRegistered: false,
    };
    this.#forgetOldest();
    this.#contacts.set(address, made);
    return made;
  }

  /** While the registrar is silent they pile up; it lets them expire. */
  #forgetOldest(): void {
    for (const [address, { transaction }] of this.#contacts) {
      if (this.#contacts.size < maximumContactsPerAccount) return;
      if (transaction === undefined) this.#contacts.delete(address);
    }
  }

  #register(contact: Contact, now: Instant): void {
    contact.isLeaving = false;
    this.#send(contact, contact.client.register(), now);
  }

  #send(contact: Contact, request: SipRequest, now: Instant): void {
    contact.mayBeRegistered ||= !contact.isLeaving;
    contact.transaction = this.#options.send(request, now);
  }

  /** When the wanted one is in force, or none is wanted. */
  #takeBackFormer(now: Instant): void {
    if (this.#wanted !== undefined && !this.#wanted.client.isRegistered) return;
    for (const contact of [...this.#contacts.values()]) {
      if (contact === this.#wanted || contact.transaction !== undefined) continue;
      if (contact.mayBeRegistered) {
        contact.mayBeRegistered = false;
        contact.isLeaving = true;
        this.#send(contact, contact.client.deregister(), now);
      } else this.#contacts.delete(contact.address);
    }
  }

  #tell({ address }: Contact, outcome: ReturnType<RegistrationClient['handleResponse']>): void {
    const { homeAddress } = this.#options.account;
    if (outcome?.kind === 'registered')
      this.#options.tell({ type: 'contact-registered', homeAddress, address });
    else if (outcome?.kind === 'failed')
      this.#options.tell({
        type: 'contact-refused',
        homeAddress,
        address,
        statusCode: outcome.statusCode,
      });
  }
}

export function earliestTimeout(registrations: Iterable<CareOfRegistration>): Timeout | undefined {
  let earliest: Timeout | undefined;
  for (const registration of registrations) earliest = earlierTimeout(earliest, registration.pollTimeout());
  return earliest;
}
