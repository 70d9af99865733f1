/**
 * SIP transport and transactions in one machine, used by every network function that speaks SIP (RFC 3261 §17, §18; RFC 6026;
 * RFC 3581, RFC 5923). Above it stands a transaction user: a UA core, a B2BUA, or the proxy core.
 * Leaves out multicast.
 */
import { Fifo } from '../../base/fifo.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../../base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { DomainRequests } from './location/domain-requests.ts';
import type { SipRequest, SipResponse } from './message/sip-message.ts';
import { ClientTransactions } from './transaction/client-transactions.ts';
import { maximumServerTransactions } from './transaction/limits.ts';
import { ServerTransactions } from './transaction/server-transactions.ts';
import type {
  ClientTransactionId,
  ServerTransactionId,
  SipDomain,
  SipEvent,
  SipTarget,
} from './transaction/sip-event.ts';
import { defaultSipTimers, type SipTimers } from './transaction/timers.ts';
import { UpstreamOverload } from './transaction/upstream-overload.ts';
import type { KeptFlow } from './transport/flow-keeper.ts';
import {
  type SipListener,
  SipTransport,
  type SipTransportCounters,
  type SipTransportEvent,
} from './transport/sip-transport.ts';
import type { StunTransactionId } from './transport/stun-transactions.ts';

export type { SipListener } from './transport/sip-transport.ts';

export interface SipEndpointOptions {
  readonly listen: readonly SipListener[];
  readonly random: RandomSource;
  /** User-Agent of requests and Server of responses that have none. */
  readonly userAgent?: string;
  readonly timers?: Partial<SipTimers>;
  /** Requests may go to a domain, whose servers the host's DNS resolver knows (RFC 3263). */
  readonly locatesServers?: boolean;
  /** Answer 482 to a request that came here by another way already (RFC 3261 §8.2.2.2): right for a UA, wrong for a proxy. */
  readonly refuseMergedRequests?: boolean;
  /** Overload control with neighbours that know it (RFC 7339): for servers, which have many clients. */
  readonly hasOverloadControl?: boolean;
  /** Beyond it new requests get a 503 without state. */
  readonly maximumServerTransactions?: number;
}

export interface SipEndpointCounters extends Readonly<SipTransportCounters> {
  /** Responses that no transaction awaited. */
  readonly strayResponses: number;
  readonly clientTransactions: number;
  readonly serverTransactions: number;
}

/** Inputs that belong to nobody here (other listeners, other connections) are ignored: a parent may hand every input to every child. */
export class SipEndpoint implements Machine<NetworkInput, NetworkOutput> {
  readonly #userAgent: string | undefined;
  readonly #events = new Fifo<SipEvent>();
  readonly #transport: SipTransport;
  readonly #clients: ClientTransactions;
  readonly #domains: DomainRequests | undefined;
  readonly #servers: ServerTransactions;
  #strayResponses = 0;

  constructor(options: SipEndpointOptions) {
    const timers = { ...defaultSipTimers, ...options.timers };
    const { listen, random, userAgent } = options;
    this.#userAgent = userAgent;
    this.#transport = new SipTransport(listen, random);
    const hasOverloadControl = options.hasOverloadControl ?? false;
    const maximum = options.maximumServerTransactions ?? maximumServerTransactions;
    this.#clients = new ClientTransactions(this.#transport, this.#events, {
      random,
      timers,
      hasOverloadControl,
    });
    if (options.locatesServers === true)
      this.#domains = new DomainRequests(this.#clients, () => ({ ...this.#transport.ability, random }));
    this.#servers = new ServerTransactions(this.#transport, this.#events, {
      timers,
      refusesMerged: options.refuseMergedRequests ?? false,
      maximum,
      overload: hasOverloadControl ? new UpstreamOverload(random, maximum) : undefined,
    });
  }

  get counters(): SipEndpointCounters {
    return {
      ...this.#transport.counters,
      strayResponses: this.#strayResponses,
      clientTransactions: this.#clients.size,
      serverTransactions: this.#servers.size,
    };
  }

  /** Whether a request that left from this address waits for its final response. */
  hasUnanswered(localAddress: string): boolean {
    return this.#clients.hasUnanswered(localAddress);
  }

  /** Asks the host for the listening sockets. */
  start(now: Instant): void {
    this.#transport.start();
    this.#drainTransport(now);
  }

  /** Whether `sendRequest` takes a domain. */
  get locatesServers(): boolean {
    return this.#domains !== undefined;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#transport.handleInput(input, now);
    this.#domains?.handleInput(input, now);
    this.#drainTransport(now);
  }

  handleTimeout(now: Instant): void {
    this.#clients.handleTimeout(now);
    this.#servers.handleTimeout(now);
    this.#transport.handleTimeout(now);
    this.#domains?.handleTimeout(now);
    this.#drainTransport(now);
  }

  pollTimeout(): Timeout | undefined {
    const transactions = earlierTimeout(this.#clients.pollTimeout(), this.#servers.pollTimeout());
    const below = earlierTimeout(this.#transport.pollTimeout(), this.#domains?.pollTimeout());
    return earlierTimeout(transactions, below);
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#transport.pollOutput() ?? this.#domains?.pollOutput();
  }

  /** What the transaction user has to know; drain it after every call, as the outputs. */
  pollEvent(): SipEvent | undefined {
    return this.#domains === undefined ? this.#events.shift() : this.#domains.pollEvent();
  }

  /**
   * Sends a copy of `request` with a Via on top; Max-Forwards and User-Agent are added to it when they are missing. Its end comes as
   * 'response', 'timed-out' or 'transport-failed', then 'terminated'.
   */
  sendRequest(request: SipRequest, target: SipTarget | SipDomain, now: Instant): ClientTransactionId {
    this.#complete(request);
    const transaction =
      'uri' in target ? this.#located.start(request, target, now) : this.#clients.start(request, target, now);
    this.#drainTransport(now);
    return transaction;
  }

  /** Sends the ACK for a 2xx: with a Via of its own, no answer awaited, never repeated by itself. */
  sendWithoutTransaction(request: SipRequest, target: SipTarget | SipDomain, now: Instant): void {
    this.#complete(request);
    if ('uri' in target) this.#located.start(request, target, now);
    else this.#clients.sendWithoutTransaction(request, target, now);
    this.#drainTransport(now);
  }

  /**
   * Any number of provisional responses, then a final one; a 2xx to an INVITE may be repeated. What comes too late is dropped. Server is added
   * when it is missing.
   */
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    if (this.#userAgent !== undefined && !response.headers.has('Server'))
      response.headers.append('Server', this.#userAgent);
    this.#servers.respond(transaction, response, now);
    this.#drainTransport(now);
  }

  /** Responses of this transaction leave from another address of ours: the one that the request came in at is gone. */
  answerFrom(transaction: ServerTransactionId, local: TransportAddress): void {
    this.#servers.answerFrom(transaction, local);
  }

  /** Sends CANCEL for an INVITE as soon as a provisional response has come, unless a final one came (RFC 3261 §9.1). */
  cancel(transaction: ClientTransactionId, now: Instant): void {
    if (this.#domains?.cancel(transaction, now) !== true) this.#clients.cancel(transaction, now);
    this.#drainTransport(now);
  }

  /** Keep-alives go over this flow, until it fails ('kept-flow-failed'), is released, or its address is removed (RFC 5626 §4.4). */
  keepFlow(flow: KeptFlow, flowTimerMs: DurationMs | undefined, now: Instant): void {
    this.#transport.keepFlow(flow, flowTimerMs, now);
  }

  /**
   * Asks over this flow now (STUN, so over UDP only). The answer is told ('flow-answered' with what this gives): all that the peer sent over the
   * flow before this instant, and all that was sent there, has arrived by then where the links keep order. Not answered within 1.5 s, it is forgotten.
   */
  checkFlow(flow: KeptFlow, now: Instant): StunTransactionId | undefined {
    return this.#transport.checkFlow(flow, now);
  }

  /** The own address that a message to this target leaves from; `undefined` when none fits. */
  localFor(target: SipTarget): TransportAddress | undefined {
    return this.#transport.localFor(target.transport ?? 'udp', target);
  }

  /** Whether a message can still go this way: over a byte stream, whether that is open. */
  hasFlow(flow: KeptFlow): boolean {
    return this.#transport.hasFlow(flow);
  }

  releaseFlow(flow: KeptFlow): void {
    this.#transport.releaseFlow(flow);
  }

  addListener(listener: SipListener, now: Instant): void {
    this.#transport.addListener(listener);
    this.#drainTransport(now);
  }

  /** The address is gone: its connections close and its client transactions fail at once. */
  removeListener(listener: SipListener, now: Instant): void {
    this.#transport.removeListener(listener, now);
    this.#clients.handleListenerRemoval();
    this.#drainTransport(now);
  }

  get #located(): DomainRequests {
    if (this.#domains === undefined)
      throw new Error('invariant: a domain for an endpoint that locates no servers');
    return this.#domains;
  }

  #complete({ headers }: SipRequest): void {
    if (!headers.has('Max-Forwards')) headers.append('Max-Forwards', '70');
    if (this.#userAgent !== undefined && !headers.has('User-Agent'))
      headers.append('User-Agent', this.#userAgent);
  }

  #drainTransport(now: Instant): void {
    for (let event = this.#transport.pollEvent(); event !== undefined; event = this.#transport.pollEvent())
      this.#handleTransportEvent(event, now);
    if (this.#domains === undefined) return;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift())
      this.#domains.handleEvent(event, now);
  }

  #handleTransportEvent(event: SipTransportEvent, now: Instant): void {
    if (event.kind === 'kept-flow-failed' || event.kind === 'flow-answered') this.#events.push(event);
    else if (event.kind === 'flow-failed') {
      this.#clients.handleFlowFailure(event.flow, event.wasRefused, now);
      this.#servers.handleFlowFailure(event.flow);
    } else if (event.message.kind === 'request')
      this.#servers.handleRequest(event.message, event.arrival, event.connection, now);
    else if (!this.#clients.handleResponse(event.message, now)) this.#strayResponses++;
  }
}
