/**
 * One Diameter peer: carries out the state table of RFC 6733 §5.6 with its connections, capabilities exchange, watchdog (RFC 3539),
 * disconnection (RFC 6733 §5.4) and reconnection (Tc, §2.1). Application messages pass through to the endpoint.
 * Leaves out: transport security and SCTP.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Timeout } from '../../base/machine.ts';
import type { ConnectionId, TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { type Avp, avp, avpValue } from './avp.ts';
import {
  capabilitiesAvps,
  type DiameterNode,
  judgeCapabilities,
  type PeerCapabilities,
  readCapabilities,
  resultAvps,
} from './capabilities.ts';
import { originAvps } from './composition.ts';
import { baseApplicationId, baseAvps, baseCommands, disconnectCause } from './dictionary/base.ts';
import type { Identifiers } from './identifiers.ts';
import { capabilitiesTimeoutMs } from './limits.ts';
import { answerHeader, type DiameterMessage } from './message.ts';
import { type PeerAction, type PeerState, type PeerStateEvent, peerStateTable } from './peer-state-table.ts';
import { resultCode } from './result-code.ts';
import { Watchdog, type WatchdogAction } from './watchdog.ts';

export interface PeerConfiguration {
  /** The peer's Origin-Host. */
  readonly host: string;
  /** Where to connect to; absent for a peer that comes to us. */
  readonly address?: TransportAddress;
}

export interface PeerTimers {
  /** Tw before jitter, ms; at least 6 s (RFC 3539 §3.4.1). */
  readonly watchdogMs: DurationMs;
  /** Tc, ms (RFC 6733 §2.1: 30 s recommended). */
  readonly reconnectMs: DurationMs;
}

export type PeerOutput =
  | { readonly kind: 'connect'; readonly connection: ConnectionId; readonly remote: TransportAddress }
  | { readonly kind: 'send'; readonly connection: ConnectionId; readonly message: DiameterMessage }
  | { readonly kind: 'close'; readonly connection: ConnectionId }
  /** Requests may be sent. `isRestarted`: the peer is a new process that has forgotten its state. */
  | { readonly kind: 'became-available'; readonly isRestarted: boolean }
  /** Also when a connection that was suspected already is closed: then it fails what still waits for an answer. */
  | {
      readonly kind: 'became-unavailable';
      readonly reason: string;
      readonly wasAvailable: boolean;
      readonly isConnected: boolean;
    };

interface PeerConnection {
  readonly id: ConnectionId;
  readonly localAddress: string;
}

export class DiameterPeer {
  readonly host: string;
  readonly #configuration: PeerConfiguration;
  readonly #node: DiameterNode;
  readonly #timers: PeerTimers;
  readonly #identifiers: Identifiers;
  readonly #watchdog: Watchdog;
  readonly #outputs: PeerOutput[] = [];
  #state: PeerState = 'closed';
  #initiator: PeerConnection | undefined;
  #responder: PeerConnection | undefined;
  /** A connection whose CER is being looked at, and the CER that still waits for its CEA. */
  #candidate: PeerConnection | undefined;
  #cer: DiameterMessage | undefined;
  /** The connection in use while open or closing. */
  #active: ConnectionId | undefined;
  #capabilities: PeerCapabilities | undefined;
  #isRestarted = false;
  #isAvailable = false;
  #isStopped = false;
  /** Disconnect-Cause of the DPR that was sent or received: then nothing failed. */
  #farewell: number | undefined;
  #dpr: DiameterMessage | undefined;
  #stateDeadline: Timeout | undefined;
  #attempts = 0;

  constructor(
    configuration: PeerConfiguration,
    node: DiameterNode,
    timers: PeerTimers,
    identifiers: Identifiers,
    random: RandomSource,
  ) {
    this.host = configuration.host;
    this.#configuration = configuration;
    this.#node = node;
    this.#timers = timers;
    this.#identifiers = identifiers;
    this.#watchdog = new Watchdog(timers.watchdogMs, random);
  }

  get state(): PeerState {
    return this.#state;
  }

  /** Open, and the watchdog trusts the connection. */
  get isAvailable(): boolean {
    return this.#isAvailable;
  }

  get realm(): string | undefined {
    return this.#capabilities?.originRealm;
  }

  /** The connection that requests and answers use. */
  get connection(): ConnectionId | undefined {
    return this.#state === 'responder-open' || this.#state === 'initiator-open' ? this.#active : undefined;
  }

  start(now: Instant): void {
    this.#isStopped = false;
    if (this.#configuration.address !== undefined) this.#apply('start', now);
  }

  /** Says goodbye; `cause` is a value of Disconnect-Cause. The peer is not called again until `start`. */
  stop(cause: number, now: Instant): void {
    this.#isStopped = true;
    this.#farewell = cause;
    if (this.#state === 'closed') this.#stateDeadline = undefined;
    else this.#apply('stop', now);
  }

  connectionEstablished(connection: ConnectionId, localAddress: string, now: Instant): void {
    if (connection !== this.#initiator?.id) return;
    this.#initiator = { id: connection, localAddress };
    this.#apply('initiator-connected', now);
  }

  /** A good CER came in on a fresh connection and names this peer (RFC 6733 §5.6.1). */
  capabilitiesRequested(id: ConnectionId, localAddress: string, cer: DiameterMessage, now: Instant): void {
    this.#candidate = { id, localAddress };
    const pending = this.#cer;
    this.#cer = cer;
    this.#apply('responder-cer-received', now);
    // Still there: the table rejects it, or knows nothing to do with it.
    if (this.#candidate === undefined) return;
    this.#outputs.push({ kind: 'close', connection: id });
    this.#candidate = undefined;
    this.#cer = pending;
  }

  connectionClosed(connection: ConnectionId, now: Instant): void {
    if (connection === this.#responder?.id) {
      this.#responder = undefined;
      this.#apply('responder-disconnected', now);
    } else if (connection === this.#initiator?.id) {
      const isRefused = this.#state.startsWith('wait-connection-ack');
      this.#initiator = undefined;
      this.#apply(isRefused ? 'initiator-refused' : 'initiator-disconnected', now);
    }
  }

  /** True when the message is the application's: neither CER, DWR, DPR nor their answers. */
  messageReceived(connection: ConnectionId, message: DiameterMessage, now: Instant): boolean {
    if (connection !== this.#active) {
      this.#messageBeforeOpen(connection, message, now);
      return false;
    }
    const { commandCode, isRequest } = message;
    const isWatchdog = commandCode === baseCommands.deviceWatchdog.code;
    this.#watch(this.#watchdog.messageReceived(isWatchdog && !isRequest, now));
    if (isWatchdog) {
      if (isRequest) this.#answer(connection, message, this.#answerAvps(resultCode.success));
      return false;
    }
    if (commandCode === baseCommands.disconnectPeer.code) {
      if (isRequest) this.#dpr = message;
      this.#apply(isRequest ? 'dpr-received' : 'dpa-received', now);
      return false;
    }
    if (commandCode !== baseCommands.capabilitiesExchange.code) return true;
    // Capabilities are exchanged once per connection (RFC 6733 §5.3).
    if (isRequest) this.#answer(connection, message, this.#answerAvps(resultCode.unableToComply));
    return false;
  }

  /** Something undecodable came; before the peer is open that ends the attempt. */
  nonsenseReceived(connection: ConnectionId, now: Instant): void {
    if (connection === this.#initiator?.id) this.#apply('initiator-other-received', now);
  }

  handleTimeout(now: Instant): void {
    if (this.#stateDeadline !== undefined && now >= this.#stateDeadline.at) {
      this.#stateDeadline = undefined;
      this.#apply(this.#state === 'closed' ? 'start' : 'timeout', now);
    }
    const actions = this.#watch(this.#watchdog.handleTimeout(now));
    if (actions.includes('close-connection')) this.#giveUp(now);
  }

  pollTimeout(): Timeout | undefined {
    return earlierTimeout(this.#stateDeadline, this.#watchdog.pollTimeout());
  }

  pollOutput(): PeerOutput | undefined {
    return this.#outputs.shift();
  }

  #messageBeforeOpen(connection: ConnectionId, message: DiameterMessage, now: Instant): void {
    if (connection === this.#responder?.id) {
      // It has to wait for its CEA.
      this.#perform('close-responder', now);
      this.#apply('responder-disconnected', now);
    } else if (connection === this.#initiator?.id) {
      const isCea = message.commandCode === baseCommands.capabilitiesExchange.code && !message.isRequest;
      const event = isCea && this.#accepts(message) ? 'initiator-cea-received' : 'initiator-other-received';
      this.#apply(event, now);
    }
  }

  /** The CEA is a success, comes from whom we called, and has an application in common with us. */
  #accepts(cea: DiameterMessage): boolean {
    const isRight =
      avpValue(cea.avps, baseAvps.originHost)?.toLowerCase() === this.host.toLowerCase() &&
      avpValue(cea.avps, baseAvps.resultCode) === resultCode.success &&
      judgeCapabilities(cea.avps, this.#node.applications) === resultCode.success;
    if (isRight) this.#learn(cea);
    return isRight;
  }

  #learn(message: DiameterMessage): void {
    const before = this.#capabilities?.originStateId;
    this.#capabilities = readCapabilities(message.avps);
    const after = this.#capabilities?.originStateId;
    this.#isRestarted = before !== undefined && after !== undefined && after !== before;
  }

  /** The watchdog has seen Tw pass twice without an answer. */
  #giveUp(now: Instant): void {
    this.#perform('close-initiator', now);
    this.#perform('close-responder', now);
    this.#state = 'closed';
    this.#entered(now);
  }

  #apply(event: PeerStateEvent, now: Instant): void {
    const transition = peerStateTable[this.#state][event];
    if (transition === undefined) return;
    const before = this.#state;
    this.#state = transition.next;
    for (const action of transition.actions) this.#perform(action, now);
    // An election that was won has moved the state on already.
    if (this.#state === transition.next && before !== transition.next) this.#entered(now);
  }

  #perform(action: PeerAction, now: Instant): void {
    if (action === 'connect-initiator') this.#connect();
    else if (action === 'send-cer') this.#sendCer();
    else if (action === 'accept-responder') this.#acceptResponder();
    else if (action === 'send-cea') this.#sendCea();
    else if (action === 'elect') this.#elect(now);
    else if (action === 'close-initiator') this.#initiator = this.#close(this.#initiator);
    else if (action === 'close-responder') this.#responder = this.#close(this.#responder);
    else if (action === 'send-dpr') this.#sendDpr();
    else if (action === 'send-dpa') this.#sendDpa();
    // 'reject-responder': capabilitiesRequested closes the candidate.
  }

  #close(connection: PeerConnection | undefined): undefined {
    if (connection !== undefined) this.#outputs.push({ kind: 'close', connection: connection.id });
  }

  #acceptResponder(): void {
    this.#responder = this.#candidate;
    this.#candidate = undefined;
    if (this.#cer !== undefined) this.#learn(this.#cer);
  }

  /** The responder's side of whoever has the higher name survives (RFC 6733 §5.6.4). */
  #elect(now: Instant): void {
    if (this.#node.originHost.toLowerCase() > this.host.toLowerCase()) this.#apply('election-won', now);
  }

  #connect(): void {
    const remote = this.#configuration.address;
    if (remote === undefined) return;
    this.#attempts += 1;
    const id = `o-diameter-${this.#node.originHost}-${this.host}-${this.#attempts}`;
    this.#initiator = { id, localAddress: '0.0.0.0' };
    this.#outputs.push({ kind: 'connect', connection: id, remote });
  }

  #sendCer(): void {
    if (this.#initiator === undefined) return;
    const { id, localAddress } = this.#initiator;
    this.#request(id, baseCommands.capabilitiesExchange.code, capabilitiesAvps(this.#node, localAddress));
  }

  #sendCea(): void {
    if (this.#responder === undefined || this.#cer === undefined) return;
    const { id, localAddress } = this.#responder;
    const avps = [...resultAvps(resultCode.success), ...capabilitiesAvps(this.#node, localAddress)];
    this.#answer(id, this.#cer, avps);
    this.#cer = undefined;
  }

  #sendDpr(): void {
    const cause = avp(baseAvps.disconnectCause, this.#farewell ?? disconnectCause.rebooting);
    this.#request(this.#active, baseCommands.disconnectPeer.code, [...originAvps(this.#node), cause]);
  }

  #sendDpa(): void {
    if (this.#active === undefined || this.#dpr === undefined) return;
    this.#farewell = avpValue(this.#dpr.avps, baseAvps.disconnectCause) ?? disconnectCause.rebooting;
    this.#answer(this.#active, this.#dpr, this.#answerAvps(resultCode.success));
  }

  #entered(now: Instant): void {
    this.#stateDeadline = undefined;
    if (this.#state === 'initiator-open') this.#opened(this.#initiator?.id, now);
    else if (this.#state === 'responder-open') this.#opened(this.#responder?.id, now);
    else if (this.#state === 'closed') this.#closed(now);
    else this.#stateDeadline = { at: now + capabilitiesTimeoutMs, reason: `${this.host} ${this.#state}` };
    if (this.#state === 'closing') this.#becomeUnavailable('disconnecting', true);
  }

  #opened(connection: ConnectionId | undefined, now: Instant): void {
    this.#active = connection;
    const isTrusted = this.#isRestarted || this.#farewell !== undefined;
    this.#farewell = undefined;
    const actions = this.#watchdog.connectionUp(isTrusted, now);
    if (this.#watchdog.status === 'okay') this.#becomeAvailable();
    this.#watch(actions);
  }

  #closed(now: Instant): void {
    this.#cer = undefined;
    this.#dpr = undefined;
    if (this.#active !== undefined) {
      this.#becomeUnavailable('connection closed', false);
      this.#watchdog.connectionDown();
      this.#active = undefined;
    }
    // BUSY and DO_NOT_WANT_TO_TALK_TO_YOU ask us not to come back (RFC 6733 §5.4.3).
    const isUnwelcome = this.#farewell !== undefined && this.#farewell !== disconnectCause.rebooting;
    if (this.#configuration.address === undefined || this.#isStopped || isUnwelcome) return;
    this.#stateDeadline = { at: now + this.#timers.reconnectMs, reason: `${this.host} Tc` };
  }

  #watch(actions: readonly WatchdogAction[]): readonly WatchdogAction[] {
    for (const action of actions) {
      if (action === 'fail-over') this.#becomeUnavailable('watchdog answer missing', true);
      else if (action === 'fail-back') this.#becomeAvailable();
      else if (action === 'send-watchdog-request') {
        const state = avp(baseAvps.originStateId, this.#node.originStateId);
        this.#request(this.#active, baseCommands.deviceWatchdog.code, [...originAvps(this.#node), state]);
      }
    }
    return actions;
  }

  #becomeAvailable(): void {
    if (this.#isAvailable) return;
    this.#isAvailable = true;
    this.#outputs.push({ kind: 'became-available', isRestarted: this.#isRestarted });
    this.#isRestarted = false;
  }

  #becomeUnavailable(reason: string, isConnected: boolean): void {
    if (!this.#isAvailable && isConnected) return;
    const wasAvailable = this.#isAvailable;
    this.#isAvailable = false;
    this.#outputs.push({ kind: 'became-unavailable', reason, wasAvailable, isConnected });
  }

  #answerAvps(code: number): readonly Avp[] {
    return [...resultAvps(code), ...originAvps(this.#node)];
  }

  #request(connection: ConnectionId | undefined, commandCode: number, avps: readonly Avp[]): void {
    if (connection === undefined) return;
    const message: DiameterMessage = {
      commandCode,
      applicationId: baseApplicationId,
      isRequest: true,
      isProxiable: false,
      isError: false,
      isRetransmitted: false,
      hopByHopId: this.#identifiers.nextHopByHop(),
      endToEndId: this.#identifiers.nextEndToEnd(),
      avps,
    };
    this.#outputs.push({ kind: 'send', connection, message });
  }

  #answer(connection: ConnectionId, request: DiameterMessage, avps: readonly Avp[]): void {
    const header = answerHeader(request, avpValue(avps, baseAvps.resultCode));
    this.#outputs.push({ kind: 'send', connection, message: { ...header, avps } });
  }
}
