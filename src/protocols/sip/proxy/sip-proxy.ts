/**
 * Stateful proxy core (RFC 3261 §16, RFC 6026 §7.3), the common part of P-, I- and S-CSCF. The owner decides where each request goes
 * and does the header work; the core validates, pops Routes, forks, chooses the best response and cancels.
 * Leaves out recursion on 3xx, loop detection (Max-Forwards ends every loop) and stateless forwarding of a stray CANCEL.
 *
 *   request ──> undecided ──forward──> forwarded ──all branches final──> chosen ──respond──> answered
 *                   |                   |     ^                            |                    ^
 *                   |                   |     +-----------forward----------+                    |
 *                   +------respond------+------------------2xx, respond-------------------------+
 */
import { DeadlineQueue } from '../../../base/deadline-queue.ts';
import { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../../../base/machine.ts';
import { isMalformed } from '../../../base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import type { SipEndpoint } from '../endpoint.ts';
import { contactsOf, maxForwardsOf } from '../message/header-fields.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { parseUri, type SipUri, type Uri } from '../message/sip-uri.ts';
import {
  type ClientTransactionId,
  isClientTransaction,
  type ServerTransactionId,
  type SipDomain,
  type SipEvent,
  type SipTarget,
} from '../transaction/sip-event.ts';
import { defaultSipTimers, type SipTimers } from '../transaction/timers.ts';
import { statelessResponse } from '../transport/message-screening.ts';
import { chooseBestResponse } from './best-response.ts';
import { destinationOf, type HostAddress } from './next-hop.ts';
import type { ForwardTarget, ProxyEvent } from './proxy-event.ts';
import { type ProxySide, recordRouteValues } from './record-route.ts';
import { ResponseContext } from './response-context.ts';
import { OwnNames, prepareForward, takeOwnRoute } from './route-processing.ts';

export type { HostAddress } from './next-hop.ts';

export interface SipProxyOptions {
  readonly endpoint: SipEndpoint;
  /** 'host' (with any port) or 'host:port'. A Route that names one of them is the proxy's own, with or without lr. */
  readonly ownNames: readonly string[];
  /** Names (in lower case) that may stand in Route and Request-URI. */
  readonly hosts?: ReadonlyMap<string, HostAddress>;
  /**
   * Within a dialog, all Routes on top that are its own are taken at once, where the owner would do nothing else when the request came back:
   * an S-CSCF that serves both ends has recorded itself twice in a row.
   */
  readonly skipsSpirals?: boolean;
  /** Option tags accepted in Proxy-Require. */
  readonly extensions?: readonly string[];
  readonly timers?: Partial<SipTimers>;
}

export class SipProxy implements Machine<NetworkInput, NetworkOutput> {
  /** For the owner's own requests. */
  readonly endpoint: SipEndpoint;
  readonly #ownNames: OwnNames;
  readonly #hosts: ReadonlyMap<string, HostAddress>;
  readonly #skipsSpirals: boolean;
  readonly #extensions: ReadonlySet<string>;
  readonly #timerCMs: number;
  /** Until a final response has gone upstream. */
  readonly #contexts = new TurnoverMap<ServerTransactionId, ResponseContext>();
  /** Undefined: nothing but its end is to come, and nothing is kept for the half minute until then. A 2xx to an INVITE may come again. */
  readonly #byBranch = new TurnoverMap<ClientTransactionId, ResponseContext | undefined>();
  readonly #timerC = new DeadlineQueue<ClientTransactionId>();
  /** Branches whose first response must come by then. */
  readonly #firstResponses = new DeadlineQueue<ClientTransactionId>();
  readonly #events = new Fifo<ProxyEvent>();

  constructor(options: SipProxyOptions) {
    this.endpoint = options.endpoint;
    this.#ownNames = new OwnNames(options.ownNames);
    this.#hosts = options.hosts ?? new Map();
    this.#skipsSpirals = options.skipsSpirals ?? false;
    this.#extensions = new Set(options.extensions);
    this.#timerCMs = options.timers?.timerCMs ?? defaultSipTimers.timerCMs;
  }

  start(now: Instant): void {
    this.endpoint.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.endpoint.handleInput(input, now);
  }

  handleTimeout(now: Instant): void {
    this.endpoint.handleTimeout(now);
    // RFC 3261 §16.8: a branch that rings for too long is cancelled. Timer B ends one that has no response at all long before.
    for (let id = this.#timerC.takeDue(now); id !== undefined; id = this.#timerC.takeDue(now))
      this.endpoint.cancel(id, now);
    for (let id = this.#firstResponses.takeDue(now); id !== undefined; id = this.#firstResponses.takeDue(now))
      this.#abandonBranch(id, now);
  }

  pollTimeout(): Timeout | undefined {
    const ofBranches = earlierTimeout(this.#timerC.peek(), this.#firstResponses.peek());
    return earlierTimeout(this.endpoint.pollTimeout(), ofBranches);
  }

  pollOutput(): NetworkOutput | undefined {
    return this.endpoint.pollOutput();
  }

  /** Drain it after every call, before the outputs. */
  pollEvent(now: Instant): ProxyEvent | undefined {
    while (this.#events.length === 0) {
      const event = this.endpoint.pollEvent();
      if (event === undefined) return undefined;
      this.#handleEvent(event, now);
    }
    return this.#events.shift();
  }

  /**
   * Sends the request of a 'request' event, as edited, to all targets at once. Also after a 'response-chosen' event with a final
   * response other than 2xx and 6xx: then that response is dropped and the new targets are tried. Without targets, or when none can
   * be reached, the next event is a 'response-chosen' (480 or 500).
   */
  forward(transaction: ServerTransactionId, targets: readonly ForwardTarget[], now: Instant): void {
    const context = this.#contexts.get(transaction);
    if (context === undefined || (context.state !== 'undecided' && context.state !== 'chosen')) return;
    if (context.isCancelled) {
      this.respond(transaction, statelessResponse(context.request, 487), now);
      return;
    }
    context.state = 'forwarded';
    context.failures.length = 0;
    for (const target of targets) this.#startBranch(context, target, now);
    this.#chooseIfComplete(context);
  }

  /** Answers by itself, or sends the (edited) response of a 'response-chosen' event. */
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    this.endpoint.respond(transaction, response, now);
    const context = this.#contexts.get(transaction);
    if (context === undefined || response.statusCode < 200) return;
    context.state = 'answered';
    this.#contexts.delete(transaction);
    this.#cancelPending(context, now);
  }

  /** Sends a request of the owner's own to where a URI leads; undefined when it leads nowhere. */
  sendRequest(request: SipRequest, nextHop: string, now: Instant): ClientTransactionId | undefined {
    const uri = parseUri(nextHop);
    const target = isMalformed(uri) ? undefined : this.#destinationOf(uri);
    return target && this.endpoint.sendRequest(request, target, now);
  }

  /** Sends the ACK of an 'ack' event on. */
  forwardAck(request: SipRequest, target: ForwardTarget, now: Instant): void {
    const prepared = prepareForward(request, target);
    const nextHop = target.nextHop ?? this.#destinationOf(prepared.next);
    if (nextHop !== undefined) this.endpoint.sendWithoutTransaction(prepared.request, nextHop, now);
  }

  #handleEvent(event: SipEvent, now: Instant): void {
    switch (event.kind) {
      case 'request':
        this.#handleRequest(event, now);
        return;
      case 'ack':
        if (maxForwardsOf(event.request) !== 0)
          this.#events.push({ ...event, ownRoute: this.#takeOwnRoute(event.request) });
        return;
      case 'cancelled':
        this.#handleCancellation(event.transaction, now);
        break;
      case 'terminated':
        if (!isClientTransaction(event.transaction)) this.#contexts.delete(event.transaction);
        break;
      default:
    }
    if (!this.#handleBranchEvent(event, now)) this.#events.push(event);
  }

  #handleRequest(event: Extract<SipEvent, { kind: 'request' }>, now: Instant): void {
    const { transaction, request } = event;
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      this.endpoint.respond(transaction, refusal, now);
      return;
    }
    this.#contexts.set(transaction, new ResponseContext(transaction, request, event));
    this.#events.push({ ...event, ownRoute: this.#takeOwnRoute(request) });
  }

  #takeOwnRoute(request: SipRequest): SipUri | undefined {
    return takeOwnRoute(request, this.#ownNames, this.#skipsSpirals);
  }

  /** RFC 3261 §16.3 items 3 and 5; the others were checked when the request came in. */
  #refusalOf(request: SipRequest): SipResponse | undefined {
    if (maxForwardsOf(request) === 0) return statelessResponse(request, 483);
    const unsupported = request.headers
      .getAll('Proxy-Require')
      .filter((tag) => !this.#extensions.has(tag.toLowerCase()));
    if (unsupported.length === 0) return undefined;
    const response = statelessResponse(request, 420);
    for (const tag of unsupported) response.headers.append('Unsupported', tag);
    return response;
  }

  /** RFC 3261 §16.10: every branch is cancelled; a request that has no branch is answered at once. */
  #handleCancellation(transaction: ServerTransactionId, now: Instant): void {
    const context = this.#contexts.get(transaction);
    if (context === undefined) return;
    context.isCancelled = true;
    if (context.pending.size > 0) this.#cancelPending(context, now);
    else if (context.state === 'undecided')
      this.respond(transaction, statelessResponse(context.request, 487), now);
  }

  #startBranch(context: ResponseContext, target: ForwardTarget, now: Instant): void {
    const { request, next } = prepareForward(context.request, target);
    const nextHop = target.nextHop ?? this.#destinationOf(next);
    if (nextHop === undefined) {
      // RFC 3261 §16.9: who cannot be reached counts as one who answered 503.
      context.failures.push(statelessResponse(context.request, 503));
      return;
    }
    if (typeof target.recordRoute === 'object') {
      const sides = [sideOfArrival(context), this.#sideTowards(nextHop, next, context)] as const;
      const isSecure = /^sips:/i.test(request.requestUri);
      for (const value of recordRouteValues(target.recordRoute, sides, isSecure).toReversed())
        request.headers.prepend('Record-Route', value);
    }
    const branch = this.endpoint.sendRequest(request, nextHop, now);
    context.pending.add(branch);
    this.#byBranch.set(branch, context);
    if (context.isInvite) this.#timerC.set(branch, now + this.#timerCMs, 'C');
    if (target.firstResponseMs !== undefined)
      this.#firstResponses.set(branch, now + target.firstResponseMs, 'first response');
  }

  /** Of a domain nothing is known but what its URI says. */
  #sideTowards(nextHop: SipTarget | SipDomain, next: Uri, { arrival }: ResponseContext): ProxySide {
    const transport = 'uri' in nextHop ? undefined : nextHop.transport;
    const named = next.kind === 'sip' ? next.parameters.get('transport')?.toLowerCase() : undefined;
    const side = transport === 'tls' ? 'tls' : named === 'tcp' ? 'tcp' : undefined;
    const local =
      'uri' in nextHop ? undefined : this.endpoint.localFor({ ...nextHop, transport: side ?? 'udp' });
    return { transport: side, local: local ?? arrival.local };
  }

  #destinationOf(uri: Uri): SipTarget | SipDomain | undefined {
    return destinationOf(uri, this.#hosts, this.endpoint.locatesServers);
  }

  /** Given up without a word from the other side. Should it speak later, it hears CANCEL. */
  #abandonBranch(branch: ClientTransactionId, now: Instant): void {
    const context = this.#byBranch.get(branch);
    if (context === undefined) return;
    if (context.isInvite) this.endpoint.cancel(branch, now);
    this.#endBranch(context, branch, statelessResponse(context.request, 408), now);
  }

  /** False when the event is not about a branch of a forwarded request. */
  #handleBranchEvent(event: SipEvent, now: Instant): boolean {
    if (!('transaction' in event) || !isClientTransaction(event.transaction)) return false;
    const branch = event.transaction;
    const context = this.#byBranch.get(branch);
    if (event.kind === 'terminated') return this.#byBranch.delete(branch);
    if (context === undefined) return this.#byBranch.has(branch);
    if (event.kind === 'response') this.#handleResponse(context, branch, event.response, now);
    else if (event.kind === 'timed-out')
      this.#endBranch(context, branch, statelessResponse(context.request, 408), now);
    else if (event.kind === 'transport-failed')
      this.#endBranch(context, branch, statelessResponse(context.request, 503), now);
    return true;
  }

  #handleResponse(
    context: ResponseContext,
    branch: ClientTransactionId,
    response: SipResponse,
    now: Instant,
  ): void {
    response.headers.removeFirst('Via');
    this.#firstResponses.delete(branch);
    if (response.statusCode >= 200) {
      if (!context.isInvite || response.statusCode >= 300) this.#byBranch.set(branch, undefined);
      this.#endBranch(context, branch, response, now);
    } else if (response.statusCode > 100 && context.isInvite && context.pending.has(branch)) {
      this.#timerC.set(branch, now + this.#timerCMs, 'C');
      if (context.state === 'forwarded') this.#emit(context, response);
    }
  }

  #endBranch(
    context: ResponseContext,
    branch: ClientTransactionId,
    response: SipResponse,
    now: Instant,
  ): void {
    const isAwaited = context.pending.delete(branch);
    this.#timerC.delete(branch);
    this.#firstResponses.delete(branch);
    const { statusCode } = response;
    // What an abandoned branch says in the end matters no more, unless it made a dialog.
    if (!isAwaited && statusCode >= 300) return;
    if (statusCode < 300) {
      // RFC 3261 §16.7 item 5: a 2xx to an INVITE is always passed on, for each of them has made a dialog.
      if (context.isInvite || context.state === 'forwarded') this.#emit(context, response);
      context.state = 'answered';
      this.#cancelPending(context, now);
      return;
    }
    context.failures.push(response);
    if (statusCode >= 600) this.#cancelPending(context, now);
    this.#chooseIfComplete(context);
  }

  #chooseIfComplete(context: ResponseContext): void {
    if (context.state !== 'forwarded' || context.pending.size > 0) return;
    context.state = 'chosen';
    this.#emit(context, chooseBestResponse(context.request, context.failures));
  }

  #emit({ transaction, request }: ResponseContext, response: SipResponse): void {
    this.#events.push({ kind: 'response-chosen', transaction, request, response });
  }

  #cancelPending(context: ResponseContext, now: Instant): void {
    for (const branch of context.pending) this.endpoint.cancel(branch, now);
  }
}

/** A long request comes by TCP from a sender whose contact says UDP: he is reached as he says. */
function sideOfArrival({ arrival: { transport, local }, request }: ResponseContext): ProxySide {
  const uri = contactsOf(request)[0]?.uri;
  const named = uri?.kind === 'sip' ? uri.parameters.get('transport')?.toLowerCase() : undefined;
  return { transport: transport === 'tls' ? 'tls' : named === 'tcp' ? 'tcp' : undefined, local };
}
