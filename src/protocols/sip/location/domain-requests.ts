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

interface Attempt {
  /** Name towards the transaction user. */
  readonly outer: ClientTransactionId;
  readonly request: SipRequest;
  readonly local: TransportAddress | undefined;
  /** The ACK for a 2xx: sent once to the best server. */
  readonly isAck: boolean;
  /** Not tried yet. */
  targets: readonly SipTarget[];
  inner: ClientTransactionId | undefined;
  isCancelled: boolean;
  /** A server has spoken: no other one is tried. */
  isHeard: boolean;
}

export class DomainRequests implements Machine<NetworkInput, NetworkOutput> {
  readonly #clients: ClientTransactions;
  readonly #ability: () => ClientAbility;
  readonly #locator = new ServerLocator<ClientTransactionId>();
  readonly #events = new Fifo<SipEvent>();
  readonly #byOuter = new TurnoverMap<ClientTransactionId, Attempt>();
  readonly #byInner = new TurnoverMap<ClientTransactionId, Attempt>();

  constructor(clients: ClientTransactions, ability: () => ClientAbility) {
    this.#clients = clients;
    this.#ability = ability;
  }

  start(request: SipRequest, { uri, local }: SipDomain, now: Instant): ClientTransactionId {
    const outer = this.#clients.takeId();
    const isAck = request.method === 'ACK';
    const state = { targets: [], inner: undefined, isCancelled: false, isHeard: false };
    this.#byOuter.set(outer, { outer, request, local, isAck, ...state });
    this.#locator.locate(outer, uri, this.#ability(), now);
    this.#takeLocated(now);
    return outer;
  }

  /** False when it is no request to a domain. */
  cancel(outer: ClientTransactionId, now: Instant): boolean {
    const attempt = this.#byOuter.get(outer);
    if (attempt === undefined) return false;
    attempt.isCancelled = true;
    if (attempt.inner !== undefined) this.#clients.cancel(attempt.inner, now);
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
    const attempt = inner === undefined ? undefined : this.#byInner.get(inner);
    if (attempt === undefined || inner === undefined) this.#events.push(event);
    else this.#handleAttempt(attempt, inner, event, now);
  }

  #handleAttempt(attempt: Attempt, inner: ClientTransactionId, event: SipEvent, now: Instant): void {
    const isFailure =
      event.kind === 'timed-out' ||
      event.kind === 'transport-failed' ||
      (event.kind === 'response' && event.response.statusCode === 503);
    if (attempt.inner === inner) {
      if (isFailure && !attempt.isHeard && !attempt.isCancelled && attempt.targets.length > 0)
        this.#tryNext(attempt, now);
      else {
        if (event.kind === 'response') attempt.isHeard = true;
        this.#events.push({ ...event, transaction: attempt.outer } as SipEvent);
      }
    }
    if (event.kind !== 'terminated') return;
    this.#byInner.delete(inner);
    if (attempt.inner === inner) this.#byOuter.delete(attempt.outer);
  }

  #takeLocated(now: Instant): void {
    for (let found = this.#locator.pollLocated(); found !== undefined; found = this.#locator.pollLocated()) {
      const attempt = this.#byOuter.get(found.id)!;
      const { local } = attempt;
      attempt.targets = found.targets.map((target) => (local === undefined ? target : { ...target, local }));
      this.#tryNext(attempt, now);
    }
  }

  #tryNext(attempt: Attempt, now: Instant): void {
    const [target, ...rest] = attempt.targets;
    attempt.targets = rest;
    if (attempt.isAck) {
      if (target !== undefined) this.#clients.sendWithoutTransaction(attempt.request, target, now);
      this.#byOuter.delete(attempt.outer);
    } else if (target === undefined || attempt.isCancelled) this.#giveUp(attempt);
    else {
      attempt.inner = this.#clients.start(attempt.request, target, now);
      this.#byInner.set(attempt.inner, attempt);
    }
  }

  /** Taken back before it was sent, or the domain has no server. */
  #giveUp({ outer, isCancelled }: Attempt): void {
    this.#byOuter.delete(outer);
    this.#events.push({ kind: isCancelled ? 'timed-out' : 'transport-failed', transaction: outer });
    this.#events.push({ kind: 'terminated', transaction: outer });
  }
}
