/**
 * All server transactions of an endpoint (RFC 3261 §17.2, §8.2.2.2, §9.2): matching of requests, ACK and CANCEL, merged requests,
 * and where responses go. CANCEL is answered without a transaction of its own: a repeated one gets the same answer.
 */
import type { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { type ConnectionId, sameTransportAddress, type TransportAddress } from '../../../base/network.ts';
import { ownText } from '../../../base/own-text.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import { createResponse } from '../message/create-response.ts';
import { topViaOf, toTagOf } from '../message/header-fields.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { acknowledgesStatelessResponse, statelessResponse } from '../transport/message-screening.ts';
import { defaultPortOf, type SipRoute } from '../transport/sip-route.ts';
import type { SipFlow, SipTransport } from '../transport/sip-transport.ts';
import { FlowIndex } from './flow-index.ts';
import { InviteServerTransaction } from './invite-server-transaction.ts';
import { NonInviteServerTransaction } from './non-invite-server-transaction.ts';
import {
  ServerTransaction,
  type ServerTransactionHost,
  type ServerTransactionNames,
} from './server-transaction.ts';
import type { ServerTransactionId, SipArrival, SipEvent } from './sip-event.ts';
import type { SipTimers } from './timers.ts';
import { TransactionDeadlines } from './transaction-deadlines.ts';
import { hasMagicCookie, mergeKeyOf, serverKeyOf } from './transaction-key.ts';
import type { UpstreamOverload } from './upstream-overload.ts';

export interface ServerTransactionsOptions {
  readonly timers: SipTimers;
  readonly refusesMerged: boolean;
  readonly maximum: number;
  /** Absent: nobody is told of overload; what is too much gets 503. */
  readonly overload: UpstreamOverload | undefined;
}

export class ServerTransactions implements ServerTransactionHost {
  readonly #transport: SipTransport;
  readonly #events: Fifo<SipEvent>;
  readonly #options: ServerTransactionsOptions;
  readonly #byKey = new TurnoverMap<string, ServerTransaction>();
  readonly #byMergeKey = new TurnoverMap<string, ServerTransaction>();
  readonly #flows = new FlowIndex<ServerTransaction>();
  readonly #deadlines = new TransactionDeadlines<ServerTransaction>();

  constructor(transport: SipTransport, events: Fifo<SipEvent>, options: ServerTransactionsOptions) {
    this.#transport = transport;
    this.#events = events;
    this.#options = options;
  }

  get timers(): SipTimers {
    return this.#options.timers;
  }

  get size(): number {
    return this.#byKey.size;
  }

  handleRequest(
    request: SipRequest,
    arrival: SipArrival,
    connection: ConnectionId | undefined,
    now: Instant,
  ): void {
    if (request.method === 'ACK') this.#handleAck(request, arrival, now);
    else if (request.method === 'CANCEL') this.#handleCancel(request, arrival, connection, now);
    else {
      const key = serverKeyOf(request);
      const known = this.#byKey.get(key);
      if (known !== undefined) known.handleRetransmission(now);
      else this.#handleNewRequest(key, request, arrival, connection, now);
    }
  }

  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    if (!(transaction instanceof ServerTransaction)) return;
    transaction.respond(response, now);
    this.#deadlines.note(transaction);
  }

  /** Responses leave from there from now on; where they go is a matter of the Via alone (RFC 3261 §18.2.2). */
  answerFrom(transaction: ServerTransactionId, local: TransportAddress): void {
    if (!(transaction instanceof ServerTransaction)) return;
    const { transport, local: former, remote } = transaction.route;
    if (!sameTransportAddress(former, local))
      transaction.route = this.#transport.routeTo(transport, local, remote);
  }

  /** Each message that failed is told once, however many failures a peer has made look like it. */
  handleFlowFailure(flow: SipFlow): void {
    for (const transaction of this.#flows.entriesOf(flow)) {
      this.#flows.remove(transaction);
      transaction.handleTransportFailure();
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

  send(transaction: ServerTransaction, octets: Uint8Array, now: Instant): void {
    this.#flows.note(transaction, this.#transport.send(octets, transaction.route, now));
  }

  emit({ isInternal }: ServerTransaction, event: SipEvent): void {
    if (!isInternal) this.#events.push(event);
  }

  terminate(transaction: ServerTransaction): void {
    const { key, mergeKey, isInternal } = transaction;
    this.#flows.remove(transaction);
    this.#byKey.delete(key);
    if (mergeKey !== undefined && !isInternal) this.#byMergeKey.delete(mergeKey);
    this.emit(transaction, { kind: 'terminated', transaction });
  }

  #handleNewRequest(
    key: string,
    request: SipRequest,
    arrival: SipArrival,
    connection: ConnectionId | undefined,
    now: Instant,
  ): void {
    const route = this.#transport.responseRoute(request, arrival, connection);
    if (connection !== undefined) this.#noteAlias(request, connection);
    const { overload, maximum } = this.#options;
    const isAdmitted = overload?.admits(request, this.#byKey.size, now) ?? true;
    if (!isAdmitted || this.#byKey.size >= maximum) {
      this.#transport.send(serializeSipMessage(statelessResponse(request, 503)), route, now);
      return;
    }
    const mergeKey = this.#options.refusesMerged ? mergeKeyOf(request) : undefined;
    const isMerged = mergeKey !== undefined && this.#byMergeKey.has(mergeKey);
    const transaction = this.#add(request, { key: ownText(key), mergeKey, isMerged }, route, now);
    if (isMerged) transaction.respond(statelessResponse(request, 482), now);
    else {
      const { source, local, transport } = arrival;
      this.#events.push({ kind: 'request', transaction, request, source, local, transport });
    }
    this.#deadlines.note(transaction);
  }

  #noteAlias(request: SipRequest, connection: ConnectionId): void {
    const { transport, host, port, parameters } = topViaOf(request);
    if (transport === 'TLS' && parameters.has('alias'))
      this.#transport.addAlias(connection, { address: host, port: port ?? defaultPortOf('tls') });
  }

  #add(request: SipRequest, names: ServerTransactionNames, route: SipRoute, now: Instant): ServerTransaction {
    const { key, mergeKey, isMerged } = names;
    const transaction =
      request.method === 'INVITE'
        ? new InviteServerTransaction(request, names, route, this, now)
        : new NonInviteServerTransaction(request, names, route, this, now);
    this.#byKey.set(key, transaction);
    if (mergeKey !== undefined && !isMerged) this.#byMergeKey.set(mergeKey, transaction);
    return transaction;
  }

  /** The ACK for a 2xx has a branch of its own; one of RFC 2543 is known by the To tag of our response (RFC 3261 §17.2.3). */
  #handleAck(ack: SipRequest, arrival: SipArrival, now: Instant): void {
    const invite = this.#inviteOf(ack);
    if (invite !== undefined && (hasMagicCookie(ack) || invite.toTag === toTagOf(ack))) {
      invite.handleAck(ack, arrival, now);
      this.#deadlines.note(invite);
    } else if (!acknowledgesStatelessResponse(ack))
      this.#events.push({ kind: 'ack', request: ack, ...arrival });
  }

  #handleCancel(
    cancel: SipRequest,
    arrival: SipArrival,
    connection: ConnectionId | undefined,
    now: Instant,
  ): void {
    const invite = this.#inviteOf(cancel);
    const toTag = invite?.toTag;
    const response =
      invite === undefined
        ? statelessResponse(cancel, 481)
        : toTag === undefined
          ? statelessResponse(cancel, 200)
          : createResponse(cancel, 200, { toTag });
    const route = this.#transport.responseRoute(cancel, arrival, connection);
    this.#transport.send(serializeSipMessage(response), route, now);
    if (invite === undefined || invite.isCancelled || invite.isAnswered) return;
    invite.isCancelled = true;
    this.#events.push({ kind: 'cancelled', transaction: invite });
  }

  /** Which an ACK or CANCEL belongs to. */
  #inviteOf(request: SipRequest): InviteServerTransaction | undefined {
    const transaction = this.#byKey.get(serverKeyOf(request, 'INVITE'));
    return transaction instanceof InviteServerTransaction ? transaction : undefined;
  }
}
