/**
 * Requests to a domain instead of an address (RFC 3263 §4.3): its servers are looked for, then tried one after the other until one has
 * said anything other than 503. To the transaction user it is one transaction with one name; each attempt is one of its own below,
 * with a branch of its own.
 */
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Machine, Timeout } from '../../../base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../../base/network.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import type { SipRequest } from '../message/sip-message.ts';
import type { ClientTransactions } from '../transaction/client-transactions.ts';
import {
  type ClientTransactionId,
  isClientTransaction,
  type SipDomain,
  type SipEvent,
  type SipTarget,
} from '../transaction/sip-event.ts';
import type { ClientAbility } from './server-location.ts';
import { ServerLocator } from './server-locator.ts';

/** The one transaction that its user knows. */
class DomainRequest implements ClientTransactionId {
  readonly side = 'client';
  user: unknown = undefined;
  readonly request: SipRequest;
  readonly local: TransportAddress | undefined;
  /** Not tried yet. */
  targets: readonly SipTarget[] = [];
  /** The present attempt. */
  inner: ClientTransactionId | undefined = undefined;
  isCancelled = false;
  /** A server has spoken: no other one is tried. */
  isHeard = false;

  constructor(request: SipRequest, local: TransportAddress | undefined) {
    this.request = request;
    this.local = local;
  }

  /** For a 2xx: sent once to the best server. */
  get isAck(): boolean {
    return this.request.method === 'ACK';
  }
}

export class DomainRequests implements Machine<NetworkInput, NetworkOutput> {
  readonly #clients: ClientTransactions;
  readonly #ability: () => ClientAbility;
  readonly #locator = new ServerLocator<DomainRequest>();
  readonly #events = new Fifo<SipEvent>();
  /** By their attempts. */
  readonly #requests = new TurnoverMap<ClientTransactionId, DomainRequest>();

  constructor(clients: ClientTransactions, ability: () => ClientAbility) {
    this.#clients = clients;
    this.#ability = ability;
  }

  start(request: SipRequest, { uri, local }: SipDomain, now: Instant): ClientTransactionId {
    const domainRequest = new DomainRequest(request, local);
    this.#locator.locate(domainRequest, uri, this.#ability(), now);
    this.#takeLocated(now);
    return domainRequest;
  }

  /** False when it is no request to a domain. */
  cancel(transaction: ClientTransactionId, now: Instant): boolean {
    if (!(transaction instanceof DomainRequest)) return false;
    transaction.isCancelled = true;
    if (transaction.inner !== undefined) this.#clients.cancel(transaction.inner, now);
    return true;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#locator.handleInput(input, now);
    this.#takeLocated(now);
  }

  handleTimeout(now: Instant): void {
    this.#locator.handleTimeout(now);
    this.#takeLocated(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#locator.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#locator.pollOutput();
  }

  pollEvent(): SipEvent | undefined {
    return this.#events.shift();
  }

  /** Every event of the transactions: as it is, under the name that the user knows, or not at all. */
  handleEvent(event: SipEvent, now: Instant): void {
    const inner =
      'transaction' in event && isClientTransaction(event.transaction) ? event.transaction : undefined;
    const request = inner === undefined ? undefined : this.#requests.get(inner);
    if (request === undefined || inner === undefined) this.#events.push(event);
    else this.#handleAttempt(request, inner, event, now);
  }

  #handleAttempt(request: DomainRequest, inner: ClientTransactionId, event: SipEvent, now: Instant): void {
    const isFailure =
      event.kind === 'timed-out' ||
      event.kind === 'transport-failed' ||
      (event.kind === 'response' && event.response.statusCode === 503);
    if (request.inner === inner) {
      if (isFailure && !request.isHeard && !request.isCancelled && request.targets.length > 0)
        this.#tryNext(request, now);
      else {
        if (event.kind === 'response') request.isHeard = true;
        this.#events.push({ ...event, transaction: request } as SipEvent);
      }
    }
    if (event.kind === 'terminated') this.#requests.delete(inner);
  }

  #takeLocated(now: Instant): void {
    for (let found = this.#locator.pollLocated(); found !== undefined; found = this.#locator.pollLocated()) {
      const { id: request, targets } = found;
      const { local } = request;
      request.targets = targets.map((target) => (local === undefined ? target : { ...target, local }));
      this.#tryNext(request, now);
    }
  }

  #tryNext(request: DomainRequest, now: Instant): void {
    const [target, ...rest] = request.targets;
    request.targets = rest;
    if (request.isAck) {
      if (target !== undefined) this.#clients.sendWithoutTransaction(request.request, target, now);
    } else if (target === undefined || request.isCancelled) this.#giveUp(request);
    else {
      request.inner = this.#clients.start(request.request, target, now);
      this.#requests.set(request.inner, request);
    }
  }

  /** Taken back before it was sent, or the domain has no server. */
  #giveUp(transaction: DomainRequest): void {
    this.#events.push({ kind: transaction.isCancelled ? 'timed-out' : 'transport-failed', transaction });
    this.#events.push({ kind: 'terminated', transaction });
  }
}
