/**
 * The user agent core (RFC 3261 §6 "UA core", §8, §12): many call legs over one SipEndpoint. Finds the leg of every message, hands
 * INVITEs that make new legs and requests outside of dialogs to its owner, and remembers the names of ended dialogs for a while.
 */
import { Fifo } from '../../../base/fifo.ts';
import { HeldDeadlines } from '../../../base/held-deadlines.ts';
import type { Instant } from '../../../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../../../base/machine.ts';
import { isMalformed } from '../../../base/malformed.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../../base/network.ts';
import { type RandomSource, randomToken } from '../../../base/random-source.ts';
import { RefusalLog } from '../../../base/refusal-log.ts';
import { TurnoverMap } from '../../../base/turnover-map.ts';
import { Dialog, type RoutedRequest } from '../dialog/dialog.ts';
import type { SipEndpoint, SipListener } from '../endpoint.ts';
import { createResponse } from '../message/create-response.ts';
import { callIdOf, cseqOf, fromTagOf, rackOf, toTagOf } from '../message/header-fields.ts';
import type { Replaces } from '../message/replaces.ts';
import { SipRequest, type SipResponse } from '../message/sip-message.ts';
import {
  type ClientTransactionId,
  isClientTransaction,
  type ServerTransactionId,
  type SipDomain,
  type SipEvent,
  type SipTarget,
} from '../transaction/sip-event.ts';
import { defaultSipTimers, type SipTimers, transactionTimeoutMs } from '../transaction/timers.ts';
import { CallLeg } from './call-leg.ts';
import { EndedDialogs } from './ended-dialogs.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { LegDialog } from './leg-dialog.ts';
import type { LegEvent, LegHost, LegTimer } from './leg-host.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import { inspectRequest, type UserAgentCapabilities } from './request-inspection.ts';
import { isSessionTooShort, sessionTooShort } from './session-timer.ts';
import { type HostTable, pathOf, resolveTarget, type SignallingPath } from './signalling-path.ts';

export interface UserAgentOptions {
  readonly endpoint: SipEndpoint;
  readonly random: RandomSource;
  /** Addresses of hosts that appear in URIs by name; IP literals need no entry. */
  readonly hosts?: HostTable;
  readonly timers?: Partial<SipTimers>;
  /** Interval of the session timer that every call of ours asks for (RFC 4028); absent: only when the peer does. At least 90. */
  readonly sessionSeconds?: number | undefined;
  /** Requests beyond them are refused here (RFC 3261 §8.2). Absent: everything is handed up, as a B2BUA that passes it on wants it. */
  readonly capabilities?: UserAgentCapabilities;
  /** The owner has subscriptions (RFC 6665): a NOTIFY in a dialog that is no call's is a request outside calls for it. */
  readonly takesNotifications?: boolean;
}

/** What becomes of an OutgoingRequest as the user of its transaction: by which way the ACK goes to a 2xx that comes although the call is over. */
class LateAck {
  readonly path: SignallingPath;

  constructor(path: SignallingPath) {
    this.path = path;
  }
}

const lateAckAnywhere = new LateAck({ contact: '' });
/** The user of a transaction that belongs to no leg. */
const outsideCalls = Symbol('outside of calls');

type RequestEvent = Extract<SipEvent, { kind: 'request' }>;

export type UserAgentEvent =
  | LegEvent
  /** An INVITE without To tag; `leg` is made for it and has no path yet but the address it arrived at. */
  | { readonly kind: 'invite'; readonly leg: CallLeg; readonly incoming: IncomingRequest }
  | Extract<SipEvent, { kind: 'kept-flow-failed' | 'flow-answered' }>
  /** Within a dialog that neither is nor was ours: refused (481). The first is told at once, the following together once a minute. */
  | {
      readonly kind: 'stray-request';
      readonly method: string;
      readonly source: TransportAddress;
      readonly count: number;
    }
  | ({ readonly kind: 'outside-request' } & Pick<
      RequestEvent,
      'transaction' | 'request' | 'source' | 'local'
    >)
  | {
      readonly kind: 'outside-response';
      readonly transaction: ClientTransactionId;
      readonly response: SipResponse | undefined;
    };

export class UserAgent implements Machine<NetworkInput, NetworkOutput>, LegHost {
  readonly random: RandomSource;
  readonly timers: SipTimers;
  readonly sessionSeconds: number | undefined;
  readonly #endpoint: SipEndpoint;
  readonly #hosts: HostTable;
  readonly #capabilities: UserAgentCapabilities | undefined;
  readonly #takesNotifications: boolean;
  /** By the tag that is ours: no two dialogs have the same, whoever chose the Call-ID. */
  readonly #legs = new TurnoverMap<string, CallLeg>();
  /** That came in, until their failure is sent or their 2xx acknowledged. */
  readonly #invites = new TurnoverMap<
    ServerTransactionId,
    { readonly leg: CallLeg; readonly incoming: IncomingRequest }
  >();
  readonly #ended: EndedDialogs;
  readonly #timers = new HeldDeadlines<LegTimer>();
  readonly #refusals = new RefusalLog<'stray-request'>();
  readonly #events = new Fifo<UserAgentEvent>();
  #isLosingAddress = false;

  constructor(options: UserAgentOptions) {
    this.#endpoint = options.endpoint;
    this.random = options.random;
    this.#hosts = options.hosts ?? new Map();
    this.sessionSeconds = options.sessionSeconds;
    this.#capabilities = options.capabilities;
    this.#takesNotifications = options.takesNotifications ?? false;
    this.timers = { ...defaultSipTimers, ...options.timers };
    this.#ended = new EndedDialogs(2 * transactionTimeoutMs(this.timers));
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    for (let timer = this.#timers.takeDue(now); timer !== undefined; timer = this.#timers.takeDue(now))
      timer.handleTimeout(now);
    this.#endpoint.handleTimeout(now);
    this.#drain(now);
  }

  pollTimeout(): Timeout | undefined {
    return earlierTimeout(this.#timers.peek(), this.#endpoint.pollTimeout());
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#endpoint.pollOutput();
  }

  /** Drain after every call. */
  pollEvent(now: Instant): UserAgentEvent | undefined {
    this.#drain(now);
    return this.#events.shift();
  }

  createLeg(path: SignallingPath): CallLeg {
    return new CallLeg(pathOf(path), this);
  }

  /** The leg that a Replaces names: its to-tag is our tag, its from-tag the peer's (RFC 3891 §3). 'ended': its leg was forgotten not long ago. */
  findReplaced(
    replaces: Replaces,
    now: Instant,
  ): { readonly leg: CallLeg; readonly dialog: LegDialog } | 'ended' | undefined {
    const leg = this.#findLeg(replaces.callId, replaces.toTag);
    const dialog = leg?.allDialogs.find(
      (candidate) =>
        candidate.dialog.remoteTag === replaces.fromTag && candidate.dialog.localTag === replaces.toTag,
    );
    if (leg !== undefined && dialog !== undefined) return { leg, dialog };
    return this.#ended.has(replaces.callId, replaces.toTag, replaces.fromTag, now) ? 'ended' : undefined;
  }

  /** The leg serves no call any more. What it still has to settle, a late PRACK or a BYE that waits for an ACK, takes at most twice 64·T1. */
  forget(leg: CallLeg, now: Instant): void {
    leg.isForgotten = true;
    if (leg.isEnded && leg.allDialogs.every(({ overtaken }) => overtaken === undefined)) this.#bury(leg, now);
    else {
      const burying: LegTimer = { deadline: undefined, handleTimeout: (at) => this.#bury(leg, at) };
      this.#timers.set(burying, now + 2 * transactionTimeoutMs(this.timers), 'leg forgotten');
    }
  }

  /** What has left from there fails; an INVITE may have been heard all the same, and counts as lost ('transport-failed'). */
  removeListener(listener: SipListener, now: Instant): void {
    this.#isLosingAddress = true;
    this.#endpoint.removeListener(listener, now);
    this.#drain(now);
    this.#isLosingAddress = false;
  }

  /** The leg of an initial INVITE that came in with these names and is not acknowledged yet. */
  findUnacknowledged(callId: string, fromTag: string): CallLeg | undefined {
    for (const { leg, incoming } of this.#invites.values()) {
      const { request, dialog } = incoming;
      if (dialog === undefined && callIdOf(request) === callId && fromTagOf(request) === fromTag) return leg;
    }
    return undefined;
  }

  sendOutside(request: SipRequest, target: SipTarget | SipDomain, now: Instant): ClientTransactionId {
    const transaction = this.#endpoint.sendRequest(request, target, now);
    transaction.user = outsideCalls;
    return transaction;
  }

  resolve(path: SignallingPath, nextHop: string): SipTarget | SipDomain | undefined {
    return resolveTarget(path, nextHop, this.#hosts, this.#endpoint.locatesServers);
  }

  send(
    leg: CallLeg,
    outgoing: OutgoingRequest,
    routed: RoutedRequest,
    path: SignallingPath,
    now: Instant,
  ): ClientTransactionId | undefined {
    const target = this.resolve(path, routed.nextHop);
    if (target === undefined) return undefined;
    const transaction = this.#endpoint.sendRequest(routed.request, target, now);
    if (outgoing.dialog === undefined) leg.inviteTransaction = transaction;
    outgoing.leg = leg;
    // Whatever comes to a BYE that nobody waits for, its dialog is over.
    if (outgoing.method !== 'BYE' || !outgoing.isAbandoned) transaction.user = outgoing;
    return transaction;
  }

  sendAck(routed: RoutedRequest, path: SignallingPath, now: Instant): void {
    const target = this.resolve(path, routed.nextHop);
    if (target !== undefined) this.#endpoint.sendWithoutTransaction(routed.request, target, now);
  }

  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    // No CANCEL comes up any more; after a 2xx the ACK does.
    if (response.statusCode >= 300) this.#invites.delete(transaction);
    this.#endpoint.respond(transaction, response, now);
  }

  answerFrom(transaction: ServerTransactionId, local: TransportAddress): void {
    this.#endpoint.answerFrom(transaction, local);
  }

  cancel(transaction: ClientTransactionId, now: Instant): void {
    this.#endpoint.cancel(transaction, now);
  }

  setTimer(timer: LegTimer, at: Instant, reason: string): void {
    this.#timers.set(timer, at, reason);
  }

  clearTimer(timer: LegTimer): void {
    this.#timers.delete(timer);
  }

  addDialog(leg: CallLeg, { dialog }: LegDialog): void {
    this.#legs.set(dialog.localTag, leg);
  }

  emit(event: LegEvent): void {
    if (event.kind === 'request') this.#trackInvite(event.leg, event.incoming);
    else if (event.kind === 'acknowledged') this.#invites.delete(event.incoming.transaction);
    this.#events.push(event);
  }

  #drain(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent())
      this.#handleEvent(event, now);
  }

  #handleEvent(event: SipEvent, now: Instant): void {
    switch (event.kind) {
      case 'request':
        this.#handleRequest(event, now);
        break;
      case 'ack':
        this.#handleAck(event.request, now);
        break;
      case 'cancelled':
        this.#handleCancelled(event.transaction);
        break;
      case 'response':
        this.#handleResponse(event.transaction, event.response, now);
        break;
      case 'timed-out':
        this.#handleFailure(event.transaction, 408, now);
        break;
      case 'transport-failed':
        if (isClientTransaction(event.transaction)) this.#handleFailure(event.transaction, 503, now);
        break;
      case 'kept-flow-failed':
      case 'flow-answered':
        this.#events.push(event);
        break;
      case 'terminated':
        this.#forgetTransaction(event.transaction);
        break;
      // The ACK to a failure is the transaction's business (RFC 3261 §17.2.1).
      case 'acknowledged':
      case 'ack-missing':
        break;
    }
  }

  #handleCancelled(transaction: ServerTransactionId): void {
    const invite = this.#invites.get(transaction);
    invite?.leg.handleCancelled(invite.incoming);
  }

  #handleRequest(event: RequestEvent, now: Instant): void {
    const { request } = event;
    const toTag = toTagOf(request);
    const refusal =
      (this.#capabilities && inspectRequest(request, this.#capabilities)) ??
      (toTag === undefined && isSessionTooShort(request) ? sessionTooShort(request) : undefined);
    if (refusal !== undefined) {
      if (toTag === undefined)
        refusal.headers.set('To', `${refusal.headers.get('To')};tag=${randomToken(this.random, 12)}`);
      this.#endpoint.respond(event.transaction, refusal, now);
      return;
    }
    // RFC 3891 §3.
    if (request.method !== 'INVITE' && request.headers.has('Replaces')) {
      this.#endpoint.respond(event.transaction, createResponse(request, 400), now);
      return;
    }
    if (toTag === undefined) {
      this.#handleInitial(event, now);
      return;
    }
    const leg = this.#findLeg(callIdOf(request), toTag);
    const dialog = leg?.findDialog(request);
    if (leg === undefined && request.method === 'NOTIFY' && this.#takesNotifications) this.#passUp(event);
    else if (leg === undefined || leg.isEnded || dialog === undefined) this.#refuseUnknown(event, leg, now);
    else leg.handleRequest(event, dialog, now);
  }

  #handleInitial(event: RequestEvent, now: Instant): void {
    if (event.request.method === 'INVITE') {
      const leg = this.createLeg({ contact: '', local: event.local });
      const incoming = leg.acceptInvite(event);
      this.#trackInvite(leg, incoming);
      this.#events.push({ kind: 'invite', leg, incoming });
    } else if (/^(?:BYE|PRACK|UPDATE|INFO)$/.test(event.request.method)) {
      this.#endpoint.respond(event.transaction, createResponse(event.request, 481), now);
    } else this.#passUp(event);
  }

  #passUp({ transaction, request, source, local }: RequestEvent): void {
    this.#events.push({ kind: 'outside-request', transaction, request, source, local });
  }

  /** A BYE or PRACK that crosses the end of its dialog did what it wanted; anything else is too late (RFC 3261 §12.2.2, §15.1.2). */
  #refuseUnknown(event: RequestEvent, leg: CallLeg | undefined, now: Instant): void {
    const { request } = event;
    const known = leg?.allDialogs.find(({ dialog }) => dialog.matchesRequest(request));
    const rack = request.method === 'PRACK' ? rackOf(request) : undefined;
    const isLatePrack = rack !== undefined && !isMalformed(rack) && (known?.takeLatePrack(rack) ?? false);
    const wasOurs = known !== undefined || this.#wasEnded(request, now);
    const isDone = isLatePrack || (wasOurs && request.method === 'BYE');
    this.#endpoint.respond(event.transaction, createResponse(request, isDone ? 200 : 481), now);
    if (!wasOurs) this.#noteStray(event, now);
  }

  #noteStray({ request: { method }, source }: RequestEvent, now: Instant): void {
    const count = this.#refusals.note('', 'stray-request', now);
    if (count !== undefined) this.#events.push({ kind: 'stray-request', method, source, count });
  }

  #wasEnded(request: SipRequest, now: Instant): boolean {
    return this.#ended.has(callIdOf(request), toTagOf(request) ?? '', fromTagOf(request) ?? '', now);
  }

  #handleAck(request: SipRequest, now: Instant): void {
    const leg = this.#legs.get(toTagOf(request) ?? '');
    const dialog = leg?.allDialogs.find((candidate) => candidate.dialog.matchesRequest(request));
    if (leg !== undefined && dialog !== undefined) leg.handleAck(request, dialog, now);
  }

  #handleResponse(transaction: ClientTransactionId, response: SipResponse, now: Instant): void {
    const { user } = transaction;
    if (user instanceof OutgoingRequest) {
      const leg = user.leg!;
      if (isLastResponse(user, response)) transaction.user = undefined;
      if (user.transaction === transaction) leg.handleResponse(user, response, now);
      // A late 2xx may have made another dialog, which was ended at once.
      if (leg.isForgotten) this.forget(leg, now);
    } else if (user instanceof LateAck) this.#handleLateSuccess(response, user.path, now);
    else if (user === outsideCalls && response.statusCode > 100)
      this.#events.push({ kind: 'outside-response', transaction, response });
  }

  /** Repeated, it is acknowledged again; from another fork, the dialog that it makes is ended at once (RFC 3261 §13.2.2.4). */
  #handleLateSuccess(response: SipResponse, path: SignallingPath, now: Instant): void {
    const invite = new SipRequest('INVITE', '');
    invite.headers.appendFrom(response.headers, 'CSeq');
    const dialog = Dialog.asCaller(invite, response);
    if (dialog.remoteTarget === '') return;
    this.sendAck(dialog.buildAck(cseqOf(response).number), path, now);
    if (this.#ended.has(dialog.callId, dialog.localTag, dialog.remoteTag, now)) return;
    this.#ended.add(dialog, now);
    const bye = dialog.buildRequest('BYE');
    const target = this.resolve(path, bye.nextHop);
    if (target !== undefined) this.#endpoint.sendRequest(bye.request, target, now);
  }

  #handleFailure(transaction: ClientTransactionId, statusCode: 408 | 503, now: Instant): void {
    const { user } = transaction;
    if (user instanceof OutgoingRequest) {
      if (user.transaction === transaction)
        user.leg!.sender.handleFailure(user, statusCode, now, this.#isLosingAddress);
    } else if (user === outsideCalls)
      this.#events.push({ kind: 'outside-response', transaction, response: undefined });
  }

  #trackInvite(leg: CallLeg, incoming: IncomingRequest): void {
    if (incoming.method === 'INVITE') this.#invites.set(incoming.transaction, { leg, incoming });
  }

  #forgetTransaction(transaction: ClientTransactionId | ServerTransactionId): void {
    if (!isClientTransaction(transaction)) {
      this.#invites.delete(transaction);
      return;
    }
    const { user } = transaction;
    transaction.user = undefined;
    if (user instanceof OutgoingRequest && user.leg?.inviteTransaction === transaction)
      user.leg.inviteTransaction = undefined;
  }

  #findLeg(callId: string, localTag: string): CallLeg | undefined {
    const leg = this.#legs.get(localTag);
    return leg?.allDialogs.some(({ dialog }) => dialog.callId === callId) ? leg : undefined;
  }

  #bury(leg: CallLeg, now: Instant): void {
    for (const { dialog } of leg.allDialogs)
      if (this.#legs.delete(dialog.localTag)) this.#ended.add(dialog, now);
    this.#keepLateAck(leg);
  }

  /** The INVITE of the leg was answered: nothing of it needs the leg any more but where it forked, and then early dialogs count too. */
  #keepLateAck({ inviteTransaction, confirmed, allDialogs, presentPath }: CallLeg): void {
    if (inviteTransaction === undefined || confirmed === undefined || allDialogs.length > 1) return;
    if (inviteTransaction.user instanceof OutgoingRequest) inviteTransaction.user = lateAckBy(presentPath);
  }
}

/** Most legs have no path of their own. */
function lateAckBy(path: SignallingPath): LateAck {
  return path.local === undefined && path.nextHop === undefined ? lateAckAnywhere : new LateAck(path);
}

/** Only to an INVITE more than one comes up: each 2xx. */
function isLastResponse({ method }: OutgoingRequest, { statusCode }: SipResponse): boolean {
  return statusCode >= (method === 'INVITE' ? 300 : 200);
}
