/**
 * All client transactions of an endpoint (RFC 3261 §17.1, §9.1, §18.1): Via and branch, choice of transport by size, matching of
 * responses, CANCEL, and what the failure of a connection or address means for whom.
 */
import type { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import type { TransportAddress } from '../../../base/network.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import { headerNameOf } from '../message/header-names.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { formatHostPort } from '../message/sip-uri.ts';
import { maximumUdpRequestOctets } from '../transport/limits.ts';
import type { SipFlow, SipTransport } from '../transport/sip-transport.ts';
import type { ClientTransaction, ClientTransactionHost, PreparedRequest } from './client-transaction.ts';
import { createCancel } from './created-requests.ts';
import { DownstreamOverload } from './downstream-overload.ts';
import { FlowIndex } from './flow-index.ts';
import { InviteClientTransaction } from './invite-client-transaction.ts';
import { NonInviteClientTransaction } from './non-invite-client-transaction.ts';
import type { ClientTransactionId, SipEvent, SipTarget, SipTransportProtocol } from './sip-event.ts';
import type { SipTimers } from './timers.ts';
import { TransactionDeadlines } from './transaction-deadlines.ts';
import { clientKey, clientKeyOf, cookieKey, magicCookie } from './transaction-key.ts';

const viaName = headerNameOf('Via');

export class ClientTransactions implements ClientTransactionHost {
  readonly timers: SipTimers;
  readonly #transport: SipTransport;
  readonly #events: Fifo<SipEvent>;
  readonly #random: RandomSource;
  readonly #overload: DownstreamOverload;
  /** Whether servers are told that they may ask for less (RFC 7339 §4.1). */
  readonly #offersOverloadControl: boolean;
  readonly #byKey = new TurnoverMap<string, ClientTransaction>();
  readonly #flows = new FlowIndex<ClientTransaction>();
  readonly #deadlines = new TransactionDeadlines<ClientTransaction>();

  constructor(
    transport: SipTransport,
    events: Fifo<SipEvent>,
    options: {
      readonly random: RandomSource;
      readonly timers: SipTimers;
      readonly hasOverloadControl: boolean;
    },
  ) {
    this.#transport = transport;
    this.#events = events;
    this.#random = options.random;
    this.timers = options.timers;
    this.#overload = new DownstreamOverload(options.random);
    this.#offersOverloadControl = options.hasOverloadControl;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Whether a request that left from this address waits for its final response. */
  hasUnanswered(localAddress: string): boolean {
    return [...this.#byKey.values()].some(
      ({ route, progress }) => route.local.address === localAddress && progress !== 'answered',
    );
  }

  /** Takes the request over: the caller does not change it any more. */
  start(request: SipRequest, target: SipTarget, now: Instant): ClientTransactionId {
    const prepared = this.#prepare(request, target, now);
    if (prepared !== undefined && this.#overload.admits(request, target, now))
      return this.#begin(prepared, false, now);
    const transaction: ClientTransactionId = { side: 'client', user: undefined };
    this.#events.push({ kind: 'transport-failed', transaction });
    this.#events.push({ kind: 'terminated', transaction });
    return transaction;
  }

  sendWithoutTransaction(request: SipRequest, target: SipTarget, now: Instant): void {
    const prepared = this.#prepare(request, target, now);
    if (prepared !== undefined) this.#transport.send(prepared.octets, prepared.route, now);
  }

  /** False when no transaction awaits it: then it is dropped (RFC 6026 §7.2). */
  handleResponse(response: SipResponse, now: Instant): boolean {
    const transaction = this.#byKey.get(clientKeyOf(response));
    if (transaction === undefined) return false;
    this.#overload.noteResponse(response, transaction.route.remote, now);
    transaction.handleResponse(response, now);
    this.#deadlines.note(transaction);
    // Once it is answered, that a flow fails is nothing to it any more.
    if (transaction.progress === 'answered') this.#flows.remove(transaction);
    else if (transaction instanceof InviteClientTransaction) this.#sendCancelIfDue(transaction, now);
    return true;
  }

  cancel(transaction: ClientTransactionId, now: Instant): void {
    if (!(transaction instanceof InviteClientTransaction) || transaction.cancellation === 'sent') return;
    transaction.cancellation = 'wanted';
    this.#sendCancelIfDue(transaction, now);
  }

  handleFlowFailure(flow: SipFlow, wasRefused: boolean, now: Instant): void {
    for (const transaction of this.#flows.entriesOf(flow)) {
      const fallback = transaction.prepared?.fallback;
      if (wasRefused && fallback !== undefined) this.#fallBack(transaction, fallback, now);
      else if (wasRefused || transaction.route.transport === 'udp' || !this.#canStillBeAnswered(transaction))
        this.#fail(transaction);
    }
  }

  /** An own address is gone, and with it every answer that would have come to it. */
  handleListenerRemoval(): void {
    for (const transaction of [...this.#byKey.values()]) {
      const { transport, local, remote } = transaction.route;
      if (this.#transport.localFor(transport, { ...remote, local }) === undefined) this.#fail(transaction);
    }
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#deadlines.takeDue(now); due !== undefined; due = this.#deadlines.takeDue(now)) {
      due.handleTimeout(now);
      this.#deadlines.note(due);
    }
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  send(transaction: ClientTransaction, octets: Uint8Array, now: Instant): void {
    this.#flows.note(transaction, this.#transport.send(octets, transaction.route, now));
  }

  emit({ isInternal }: ClientTransaction, event: SipEvent): void {
    if (!isInternal) this.#events.push(event);
  }

  terminate(transaction: ClientTransaction): void {
    this.#flows.remove(transaction);
    this.#byKey.delete(transaction.key);
    this.emit(transaction, { kind: 'terminated', transaction });
  }

  #begin(prepared: PreparedRequest, isInternal: boolean, now: Instant): ClientTransaction {
    const transaction =
      prepared.request.method === 'INVITE'
        ? new InviteClientTransaction(prepared, isInternal, this)
        : new NonInviteClientTransaction(prepared, isInternal, this);
    this.#start(transaction, now);
    return transaction;
  }

  /** RFC 3261 §18.1.1: the branch stays, the Via says UDP, the clocks start anew. */
  #fallBack(transaction: ClientTransaction, fallback: PreparedRequest, now: Instant): void {
    this.#flows.remove(transaction);
    this.#byKey.delete(transaction.key);
    transaction.prepareAnew(fallback);
    this.#start(transaction, now);
  }

  #start(transaction: ClientTransaction, now: Instant): void {
    this.#byKey.set(transaction.key, transaction);
    transaction.start(now);
    this.#deadlines.note(transaction);
  }

  #fail(transaction: ClientTransaction): void {
    transaction.handleTransportFailure();
    this.#deadlines.note(transaction);
  }

  /** RFC 3261 §9.1: not before a provisional response, not after a final one. */
  #sendCancelIfDue(transaction: InviteClientTransaction, now: Instant): void {
    const { prepared, cancellation, progress, route } = transaction;
    if (cancellation !== 'wanted' || progress !== 'proceeding' || prepared === undefined) return;
    transaction.cancellation = 'sent';
    const request = createCancel(prepared.request);
    const octets = serializeSipMessage(request);
    this.#begin({ request, octets, route, key: clientKeyOf(request) }, true, now);
    transaction.handleCancellation(now);
    this.#deadlines.note(transaction);
  }

  /** A broken connection loses what was on its way; a peer that has begun to answer can open another one. */
  #canStillBeAnswered({ progress, route }: ClientTransaction): boolean {
    return progress === 'proceeding' && this.#transport.acceptsConnections(route.transport, route.local);
  }

  #prepare(request: SipRequest, target: SipTarget, now: Instant): PreparedRequest | undefined {
    const branch = randomToken(this.#random, 16);
    const remote = { address: target.address, port: target.port };
    if (target.transport === 'tcp' || target.transport === 'tls')
      return this.#prepareOver(target.transport, request, target, branch);
    const overUdp = this.#prepareOver('udp', request, target, branch);
    if (overUdp === undefined && target.transport === 'udp') return undefined;
    const isSmall = overUdp !== undefined && overUdp.octets.length <= maximumUdpRequestOctets;
    if (isSmall || this.#transport.refusesTcp(remote, now)) return overUdp;
    const overTcp = this.#prepareOver('tcp', request, target, branch);
    return overTcp && { ...overTcp, fallback: overUdp };
  }

  #prepareOver(
    transport: SipTransportProtocol,
    original: SipRequest,
    target: SipTarget,
    branch: string,
  ): PreparedRequest | undefined {
    const local = this.#transport.localFor(transport, target);
    if (local === undefined) return undefined;
    const request = original.clone();
    request.headers.prepend(viaName, this.#viaOf(transport, local, `${magicCookie}${branch}`));
    const key = clientKey(`${cookieKey}${branch}`, local, request.method);
    const route = this.#transport.routeTo(transport, local, target);
    return { request, octets: serializeSipMessage(request), route, key };
  }

  #viaOf(transport: SipTransportProtocol, { address, port }: TransportAddress, branch: string): string {
    const sentBy = `SIP/2.0/${transport.toUpperCase()} ${formatHostPort(address, port)}`;
    // rport asks for the answer at the port that the request comes from (RFC 3581 §3).
    const responsePort = transport === 'udp' ? ';rport' : '';
    const overload = this.#offersOverloadControl ? ';oc;oc-algo="loss"' : '';
    // RFC 5923 §7.1: who takes TLS connections himself offers this one for the way back.
    const isOffered = transport === 'tls' && this.#transport.acceptsConnections('tls', { address, port });
    return `${sentBy};branch=${branch}${responsePort}${overload}${isOffered ? ';alias' : ''}`;
  }
}
