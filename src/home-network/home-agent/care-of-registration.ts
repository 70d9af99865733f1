/**
 * The home agent's part in SIP (MIP–SIP §3, fig. 2: "sends a corresponding SIP re-REGISTER to the SIP registrar indicating the new CoA of the
 * MN"): per mobile node a user whose contact is the care-of address that packets are forwarded to. It follows the event 'binding-changed'.
 *
 *   binding-changed ─▶ REGISTER sip:user@careOf ─401─▶ with credentials ─200─▶ the former contact is taken back, and only that one
 *
 * The former contact stays until the new one is in force, so the user can be reached at every instant. Requests of and to the mobile node are
 * none of its business: they take the direct way.
 */
import { Fifo } from '../../base/fifo.ts';
import type { Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import type { EventOutput, NetworkFunction } from '../../base/network-function.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { DigestClient } from '../../protocols/sip/authentication/digest-client.ts';
import { SipEndpoint } from '../../protocols/sip/endpoint.ts';
import { userPartOf } from '../../protocols/sip/message/sip-uri.ts';
import {
  RegistrationClient,
  type RegistrationIdentity,
} from '../../protocols/sip/registration/registration-client.ts';
import type { ClientTransactionId } from '../../protocols/sip/transaction/sip-event.ts';

export interface SipAccount {
  readonly homeAddress: string;
  readonly identity: RegistrationIdentity;
  /** Where the mobile node listens for SIP on its care-of addresses; 5060 by default. */
  readonly contactPort?: number;
}

export interface CareOfRegistrationOptions {
  /** Of the home agent. */
  readonly local: TransportAddress;
  readonly registrar: TransportAddress;
  readonly accounts: readonly SipAccount[];
  readonly expiresSeconds?: number;
  readonly random: RandomSource;
}

/** As the home agent tells it. Without a care-of address nothing is forwarded. */
export interface ForwardingChange {
  readonly kind: 'binding-changed';
  readonly homeAddress: string;
  readonly careOfAddress?: string;
}

export type CareOfRegistrationEvent =
  | { readonly type: 'contact-registered'; readonly homeAddress: string; readonly careOfAddress: string }
  | {
      readonly type: 'contact-refused';
      readonly homeAddress: string;
      readonly careOfAddress: string;
      readonly statusCode: number;
    };

interface Contact {
  readonly account: SipAccount;
  readonly careOfAddress: string;
  readonly client: RegistrationClient;
}

const defaultExpiresSeconds = 600;

export class CareOfRegistration implements NetworkFunction<ForwardingChange, CareOfRegistrationEvent, never> {
  readonly #options: CareOfRegistrationOptions;
  readonly #endpoint: SipEndpoint;
  /** By home address: a nonce that one contact was given serves the others. */
  readonly #digests = new Map<string, DigestClient>();
  /** The one that shall be registered, by home address. */
  readonly #wanted = new Map<string, Contact>();
  /** Those that may still be registered although another one is wanted. */
  readonly #former = new Set<Contact>();
  readonly #awaited = new Map<ClientTransactionId, Contact>();
  readonly #events = new Fifo<EventOutput<CareOfRegistrationEvent>>();

  constructor(options: CareOfRegistrationOptions) {
    const { local, random } = options;
    this.#options = options;
    const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, ...local }));
    this.#endpoint = new SipEndpoint({ listen, random });
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  handleInput(input: NetworkInput | ForwardingChange, now: Instant): void {
    if (input.kind === 'binding-changed') this.#follow(input, now);
    else this.#endpoint.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    for (const contact of this.#wanted.values()) {
      const refresh = contact.client.pollTimeout();
      if (refresh !== undefined && refresh.at <= now) this.#register(contact, now);
    }
    this.#drain(now);
  }

  pollTimeout(): Timeout | undefined {
    const refreshes = [...this.#wanted.values()].map(({ client }) => client.pollTimeout());
    return refreshes.reduce(earlierTimeout, this.#endpoint.pollTimeout());
  }

  pollOutput(): NetworkOutput | EventOutput<CareOfRegistrationEvent> | undefined {
    return this.#events.shift() ?? this.#endpoint.pollOutput();
  }

  #follow({ homeAddress, careOfAddress }: ForwardingChange, now: Instant): void {
    const account = this.#options.accounts.find((one) => one.homeAddress === homeAddress);
    const present = this.#wanted.get(homeAddress);
    if (account === undefined || present?.careOfAddress === careOfAddress) return;
    if (present !== undefined) this.#former.add(present);
    this.#wanted.delete(homeAddress);
    if (careOfAddress === undefined) {
      this.#takeBack(homeAddress, now);
      return;
    }
    const contact = this.#contactOf(account, careOfAddress);
    this.#wanted.set(homeAddress, contact);
    this.#register(contact, now);
  }

  #contactOf(account: SipAccount, careOfAddress: string): Contact {
    const { random, expiresSeconds = defaultExpiresSeconds } = this.#options;
    const { identity, homeAddress, contactPort = 5060 } = account;
    const former = [...this.#former].find(
      (one) => one.account === account && one.careOfAddress === careOfAddress,
    );
    if (former !== undefined) {
      this.#former.delete(former);
      return former;
    }
    const digest =
      this.#digests.get(homeAddress) ?? new DigestClient(identity.privateIdentity, identity.password, random);
    this.#digests.set(homeAddress, digest);
    const contact = `sip:${userPartOf(identity.publicIdentity) ?? ''}@${careOfAddress}:${contactPort}`;
    const client = new RegistrationClient({ identity, contact, expiresSeconds, digest, random });
    return { account, careOfAddress, client };
  }

  #register(contact: Contact, now: Instant): void {
    this.#send(contact, contact.client.register(), now);
  }

  #send(contact: Contact, request: ReturnType<RegistrationClient['register']>, now: Instant): void {
    this.#awaited.set(this.#endpoint.sendRequest(request, this.#options.registrar, now), contact);
  }

  #takeBack(homeAddress: string, now: Instant): void {
    for (const contact of this.#former) {
      if (contact.account.homeAddress !== homeAddress) continue;
      this.#former.delete(contact);
      if (contact.client.isRegistered) this.#send(contact, contact.client.deregister(), now);
    }
  }

  #drain(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind === 'response') this.#answered(event.transaction, event.response, now);
      else if (event.kind === 'timed-out') this.#answered(event.transaction, undefined, now);
      else if (event.kind === 'transport-failed')
        this.#answered(event.transaction as ClientTransactionId, undefined, now);
    }
  }

  #answered(
    transaction: ClientTransactionId,
    response: Parameters<RegistrationClient['handleResponse']>[0],
    now: Instant,
  ): void {
    const contact = this.#awaited.get(transaction);
    if (contact === undefined) return;
    const { homeAddress } = contact.account;
    const { careOfAddress } = contact;
    const outcome = contact.client.handleResponse(response, now);
    if (outcome === undefined) return;
    this.#awaited.delete(transaction);
    const isWanted = this.#wanted.get(homeAddress) === contact;
    if (outcome.kind === 'repeat') this.#send(contact, outcome.request, now);
    else if (outcome.kind === 'registered' && isWanted) {
      this.#tell({ type: 'contact-registered', homeAddress, careOfAddress });
      this.#takeBack(homeAddress, now);
    } else if (outcome.kind === 'failed' && isWanted) {
      const { statusCode } = outcome;
      this.#tell({ type: 'contact-refused', homeAddress, careOfAddress, statusCode });
    }
  }

  #tell(event: CareOfRegistrationEvent): void {
    this.#events.push({ kind: 'event', event });
  }
}
