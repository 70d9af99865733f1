/**
 * All client transactions of an endpoint (RFC 3261 §17.1, §9.1, §18.1): Via and branch, choice of transport by size, matching of
 * responses, CANCEL, and what the failure of a connection or address means for whom.
 */
import type { Fifo } from '../../../base/fifo.ts';
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import type { TransportAddress } from '../../../base/network.ts';
import { ownText } from '../../../base/own-text.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import { headerNameOf } from '../message/header-names.ts';
import { serializeSipMessage } from '../message/serialize-sip-message.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import { formatHostPort } from '../message/sip-uri.ts';
import { maximumUdpRequestOctets } from '../transport/limits.ts';
import type { SipRoute } from '../transport/sip-route.ts';
import type { SipFlow, SipTransport } from '../transport/sip-transport.ts';
import type {
  ClientTransaction,
  ClientTransactionInput,
  ClientTransactionOutput,
} from './client-transaction.ts';
import { createCancel } from './created-requests.ts';
import { DownstreamOverload } from './downstream-overload.ts';
import { type FlowEntry, FlowIndex } from './flow-index.ts';
import { InviteClientTransaction } from './invite-client-transaction.ts';
import { NonInviteClientTransaction } from './non-invite-client-transaction.ts';
import type { ClientTransactionId, SipEvent, SipTarget, SipTransportProtocol } from './sip-event.ts';
import type { SipTimers } from './timers.ts';
import { TransactionDeadlines } from './transaction-deadlines.ts';
import { clientKey, clientKeyOf, cookieKey, magicCookie } from './transaction-key.ts';

const viaName = headerNameOf('Via');

/** A request made ready for its way. */
interface Prepared {
  /** With Via. */
  readonly request: SipRequest;
  readonly octets: Uint8Array;
  readonly route: SipRoute;
  /** Under which its responses are awaited. */
  readonly key: string;
  /** The same over UDP, when only its size sent it to TCP (RFC 3261 §18.1.1). */
  readonly fallback?: Prepared | undefined;
}

interface Entry extends FlowEntry<Entry> {
  readonly id: ClientTransactionId;
  readonly route: SipRoute;
  readonly key: string;
  readonly transaction: ClientTransaction;
  /** The CANCEL of an INVITE: nobody above has to know how it ends. */
  readonly isCancel: boolean;
  /** As long as a final response is awaited. */
  prepared: Prepared | undefined;
  cancellation: 'none' | 'wanted' | 'sent';
  /** As it is noted among the deadlines. */
  timeout: Timeout | undefined;
}

export class ClientTransactions {
  readonly #transport: SipTransport;
  readonly #events: Fifo<SipEvent>;
  readonly #random: RandomSource;
  readonly #timers: SipTimers;
  readonly #overload: DownstreamOverload;
  /** Whether servers are told that they may ask for less (RFC 7339 §4.1). */
  readonly #offersOverloadControl: boolean;
  readonly #entries = new TurnoverMap<ClientTransactionId, Entry>();
  readonly #byKey = new TurnoverMap<string, Entry>();
  readonly #flows = new FlowIndex<Entry>();
  readonly #deadlines = new TransactionDeadlines<Entry>();
  #count = 0;

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
    this.#timers = options.timers;
    this.#overload = new DownstreamOverload(options.random);
    this.#offersOverloadControl = options.hasOverloadControl;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether a request that left from this address waits for its final response. */
  hasUnanswered(localAddress: string): boolean {
    return [...this.#entries.values()].some(
      ({ route, transaction }) => route.local.address === localAddress && transaction.progress !== 'answered',
    );
  }

  /** A name that no other transaction gets. */
  takeId(): ClientTransactionId {
    return ++this.#count as ClientTransactionId;
  }

  /** Takes the request over: the caller does not change it any more. */
  start(request: SipRequest, target: SipTarget, now: Instant): ClientTransactionId {
    const id = this.takeId();
    const prepared = this.#prepare(request, target, now);
    if (prepared !== undefined && this.#overload.admits(request, target, now))
      this.#begin(id, prepared, false, now);
    else {
      this.#events.push({ kind: 'transport-failed', transaction: id });
      this.#events.push({ kind: 'terminated', transaction: id });
    }
    return id;
  }

  sendWithoutTransaction(request: SipRequest, target: SipTarget, now: Instant): void {
    const prepared = this.#prepare(request, target, now);
    if (prepared !== undefined) this.#transport.send(prepared.octets, prepared.route, now);
  }

  /** False when no transaction awaits it: then it is dropped (RFC 6026 §7.2). */
  handleResponse(response: SipResponse, now: Instant): boolean {
    const entry = this.#byKey.get(clientKeyOf(response));
    if (entry === undefined) return false;
    this.#overload.noteResponse(response, entry.route.remote, now);
    this.#drive(entry, { kind: 'response', response }, now);
    if (entry.transaction.progress === 'answered') {
      entry.prepared = undefined;
      // That a flow fails is nothing to it any more.
      this.#flows.remove(entry);
    } else this.#sendCancelIfDue(entry, now);
    return true;
  }

  cancel(id: ClientTransactionId, now: Instant): void {
    const entry = this.#entries.get(id);
    if (entry?.prepared?.request.method !== 'INVITE' || entry.cancellation === 'sent') return;
    entry.cancellation = 'wanted';
    this.#sendCancelIfDue(entry, now);
  }

  handleFlowFailure(flow: SipFlow, wasRefused: boolean, now: Instant): void {
    for (const entry of this.#flows.entriesOf(flow)) {
      const fallback = entry.prepared?.fallback;
      if (wasRefused && fallback !== undefined) this.#fallBack(entry, fallback, now);
      else if (wasRefused || entry.route.transport === 'udp' || !this.#canStillBeAnswered(entry))
        this.#drive(entry, { kind: 'transport-failed' }, now);
    }
  }

  /** An own address is gone, and with it every answer that would have come to it. */
  handleListenerRemoval(now: Instant): void {
    for (const entry of [...this.#entries.values()]) {
      const { transport, local, remote } = entry.route;
      if (this.#transport.localFor(transport, { ...remote, local }) === undefined)
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

  #begin(id: ClientTransactionId, prepared: Prepared, isCancel: boolean, now: Instant): void {
    const { request, octets, route, key } = prepared;
    const options = { timers: this.#timers, isReliable: route.transport !== 'udp', now };
    const transaction =
      request.method === 'INVITE'
        ? new InviteClientTransaction(request, octets, options)
        : new NonInviteClientTransaction(octets, options);
    const cancellation = 'none';
    const entry: Entry = {
      id,
      route,
      key,
      transaction,
      isCancel,
      prepared,
      cancellation,
      flow: undefined,
      before: undefined,
      behind: undefined,
      timeout: undefined,
    };
    this.#entries.set(id, entry);
    this.#byKey.set(key, entry);
    this.#settle(entry, now);
  }

  /** RFC 3261 §18.1.1: the branch stays, the Via says UDP, the clocks start anew. */
  #fallBack(entry: Entry, fallback: Prepared, now: Instant): void {
    this.#forget(entry);
    this.#begin(entry.id, fallback, false, now);
    this.#entries.get(entry.id)!.cancellation = entry.cancellation;
  }

  #drive(entry: Entry, input: ClientTransactionInput, now: Instant): void {
    entry.transaction.handleInput(input, now);
    this.#settle(entry, now);
  }

  /** Carries out what the transaction gave, and notes when it wants to be woken. */
  #settle(entry: Entry, now: Instant): void {
    const { transaction, id } = entry;
    for (let output = transaction.pollOutput(); output !== undefined; output = transaction.pollOutput()) {
      if (output.kind === 'send')
        this.#flows.note(entry, this.#transport.send(output.octets, entry.route, now));
      else {
        if (output.kind === 'terminated') this.#forget(entry);
        if (!entry.isCancel) this.#events.push(eventOf(output, id));
      }
    }
    this.#deadlines.note(entry);
  }

  /** RFC 3261 §9.1: not before a provisional response, not after a final one. */
  #sendCancelIfDue(entry: Entry, now: Instant): void {
    const { prepared, transaction } = entry;
    if (entry.cancellation !== 'wanted' || transaction.progress !== 'proceeding' || !prepared) return;
    entry.cancellation = 'sent';
    const request = createCancel(prepared.request);
    const octets = serializeSipMessage(request);
    this.#begin(this.takeId(), { request, octets, route: entry.route, key: clientKeyOf(request) }, true, now);
    this.#drive(entry, { kind: 'cancel-sent' }, now);
  }

  /** A broken connection loses what was on its way; a peer that has begun to answer can open another one. */
  #canStillBeAnswered(entry: Entry): boolean {
    return (
      entry.transaction.progress === 'proceeding' &&
      this.#transport.acceptsConnections(entry.route.transport, entry.route.local)
    );
  }

  #prepare(request: SipRequest, target: SipTarget, now: Instant): Prepared | undefined {
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
  ): Prepared | undefined {
    const local = this.#transport.localFor(transport, target);
    if (local === undefined) return undefined;
    const request = original.clone();
    request.headers.prepend(viaName, this.#viaOf(transport, local, `${magicCookie}${branch}`));
    const key = ownText(clientKey(`${cookieKey}${branch}`, local, request.method));
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

  #forget(entry: Entry): void {
    this.#flows.remove(entry);
    this.#entries.delete(entry.id);
    this.#byKey.delete(entry.key);
    this.#deadlines.delete(entry);
  }
}

function eventOf(
  output: Exclude<ClientTransactionOutput, { kind: 'send' }>,
  transaction: ClientTransactionId,
): SipEvent {
  return output.kind === 'response'
    ? { kind: 'response', transaction, response: output.response }
    : { kind: output.kind, transaction };
}
