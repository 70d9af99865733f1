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
import { type FlowEntry, FlowIndex } from './flow-index.ts';
import { InviteServerTransaction } from './invite-server-transaction.ts';
import { NonInviteServerTransaction } from './non-invite-server-transaction.ts';
import type { ServerTransaction, ServerTransactionInput } from './server-transaction.ts';
import type { ServerTransactionId, SipArrival, SipEvent } from './sip-event.ts';
import type { SipTimers } from './timers.ts';
import { TransactionDeadlines } from './transaction-deadlines.ts';
import { hasMagicCookie, mergeKeyOf, serverKeyOf } from './transaction-key.ts';
import type { UpstreamOverload } from './upstream-overload.ts';

interface Entry extends FlowEntry<Entry> {
  readonly id: ServerTransactionId;
  readonly key: string;
  readonly mergeKey: string | undefined;
  /** Refused here: the transaction user has never heard of it. */
  readonly isMerged: boolean;
  route: SipRoute;
  readonly transaction: ServerTransaction;
  /** To tag of the last response, which the answer to a CANCEL repeats and an ACK of RFC 2543 is known by. */
  toTag: string | undefined;
  isCancelled: boolean;
  /** As it is noted among the deadlines. */
  timeout: Timeout | undefined;
}

export interface ServerTransactionsOptions {
  readonly timers: SipTimers;
  readonly refusesMerged: boolean;
  readonly maximum: number;
  /** Absent: nobody is told of overload; what is too much gets 503. */
  readonly overload: UpstreamOverload | undefined;
}

export class ServerTransactions {
  readonly #transport: SipTransport;
  readonly #events: Fifo<SipEvent>;
  readonly #options: ServerTransactionsOptions;
  readonly #entries = new TurnoverMap<ServerTransactionId, Entry>();
  readonly #byKey = new TurnoverMap<string, Entry>();
  readonly #byMergeKey = new TurnoverMap<string, Entry>();
  readonly #flows = new FlowIndex<Entry>();
  readonly #deadlines = new TransactionDeadlines<Entry>();
  #count = 0;

  constructor(transport: SipTransport, events: Fifo<SipEvent>, options: ServerTransactionsOptions) {
    this.#transport = transport;
    this.#events = events;
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
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
      const entry = this.#byKey.get(key);
      if (entry !== undefined) this.#drive(entry, { kind: 'retransmission' }, now);
      else this.#handleNewRequest(key, request, arrival, connection, now);
    }
  }

  respond(id: ServerTransactionId, response: SipResponse, now: Instant): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.toTag = toTagOf(response) ?? entry.toTag;
    this.#drive(entry, { kind: 'respond', response }, now);
  }

  /** Responses leave from there from now on; where they go is a matter of the Via alone (RFC 3261 §18.2.2). */
  answerFrom(id: ServerTransactionId, local: TransportAddress): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || sameTransportAddress(entry.route.local, local)) return;
    const { transport, remote } = entry.route;
    entry.route = this.#transport.routeTo(transport, local, remote);
  }

  /** Each message that failed is told once, however many failures a peer has made look like it. */
  handleFlowFailure(flow: SipFlow, now: Instant): void {
    for (const entry of this.#flows.entriesOf(flow)) {
      this.#flows.remove(entry);
      this.#drive(entry, { kind: 'transport-failed' }, now);
    }
  }

  handleTimeout(now: Instant): void {
    for (
      let entry = this.#deadlines.takeDue(now);
      entry !== undefined;
      entry = this.#deadlines.takeDue(now)
    ) {
      entry.transaction.handleTimeout(now);
      this.#settle(entry, now);
    }
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
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
    const isAdmitted = overload?.admits(request, this.#entries.size, now) ?? true;
    if (!isAdmitted || this.#entries.size >= maximum) {
      this.#transport.send(serializeSipMessage(statelessResponse(request, 503)), route, now);
      return;
    }
    const mergeKey = this.#options.refusesMerged ? mergeKeyOf(request) : undefined;
    const isMerged = mergeKey !== undefined && this.#byMergeKey.has(mergeKey);
    const entry = this.#add(request, route, { key, mergeKey, isMerged }, now);
    if (isMerged) this.#drive(entry, { kind: 'respond', response: statelessResponse(request, 482) }, now);
    else {
      const { source, local, transport } = arrival;
      this.#events.push({ kind: 'request', transaction: entry.id, request, source, local, transport });
      this.#settle(entry, now);
    }
  }

  #noteAlias(request: SipRequest, connection: ConnectionId): void {
    const { transport, host, port, parameters } = topViaOf(request);
    if (transport === 'TLS' && parameters.has('alias'))
      this.#transport.addAlias(connection, { address: host, port: port ?? defaultPortOf('tls') });
  }

  #add(
    request: SipRequest,
    route: SipRoute,
    { key, mergeKey, isMerged }: Pick<Entry, 'key' | 'mergeKey' | 'isMerged'>,
    now: Instant,
  ): Entry {
    const options = { timers: this.#options.timers, isReliable: route.transport !== 'udp', now };
    const transaction =
      request.method === 'INVITE'
        ? new InviteServerTransaction(request, options)
        : new NonInviteServerTransaction(request, options);
    const entry: Entry = {
      id: -++this.#count as ServerTransactionId,
      key: ownText(key),
      mergeKey,
      isMerged,
      route,
      transaction,
      toTag: undefined,
      isCancelled: false,
      flow: undefined,
      before: undefined,
      behind: undefined,
      timeout: undefined,
    };
    this.#entries.set(entry.id, entry);
    this.#byKey.set(entry.key, entry);
    if (mergeKey !== undefined && !isMerged) this.#byMergeKey.set(mergeKey, entry);
    return entry;
  }

  /** The ACK for a 2xx has a branch of its own; one of RFC 2543 is known by the To tag of our response (RFC 3261 §17.2.3). */
  #handleAck(ack: SipRequest, arrival: SipArrival, now: Instant): void {
    const entry = this.#byKey.get(serverKeyOf(ack, 'INVITE'));
    if (entry !== undefined && (hasMagicCookie(ack) || entry.toTag === toTagOf(ack)))
      this.#drive(entry, { kind: 'ack', ack, arrival }, now);
    else if (!acknowledgesStatelessResponse(ack))
      this.#events.push({ kind: 'ack', request: ack, ...arrival });
  }

  #handleCancel(
    cancel: SipRequest,
    arrival: SipArrival,
    connection: ConnectionId | undefined,
    now: Instant,
  ): void {
    const entry = this.#byKey.get(serverKeyOf(cancel, 'INVITE'));
    const toTag = entry?.toTag;
    const response =
      entry === undefined
        ? statelessResponse(cancel, 481)
        : toTag === undefined
          ? statelessResponse(cancel, 200)
          : createResponse(cancel, 200, { toTag });
    const route = this.#transport.responseRoute(cancel, arrival, connection);
    this.#transport.send(serializeSipMessage(response), route, now);
    if (entry === undefined || entry.isCancelled || entry.transaction.isAnswered) return;
    entry.isCancelled = true;
    this.#events.push({ kind: 'cancelled', transaction: entry.id });
  }

  #drive(entry: Entry, input: ServerTransactionInput, now: Instant): void {
    entry.transaction.handleInput(input, now);
    this.#settle(entry, now);
  }

  /** Carries out what the transaction gave, and notes when it wants to be woken. */
  #settle(entry: Entry, now: Instant): void {
    const { transaction, id } = entry;
    for (let output = transaction.pollOutput(); output !== undefined; output = transaction.pollOutput()) {
      if (output.kind === 'send')
        this.#flows.note(entry, this.#transport.send(output.octets, entry.route, now));
      else if (output.kind === 'ack')
        this.#events.push({ kind: 'ack', request: output.ack, ...output.arrival });
      else {
        if (output.kind === 'terminated') this.#forget(entry);
        if (!entry.isMerged) this.#events.push({ kind: output.kind, transaction: id });
      }
    }
    this.#deadlines.note(entry);
  }

  #forget(entry: Entry): void {
    this.#flows.remove(entry);
    this.#entries.delete(entry.id);
    this.#byKey.delete(entry.key);
    if (entry.mergeKey !== undefined && !entry.isMerged) this.#byMergeKey.delete(entry.mergeKey);
  }
}
