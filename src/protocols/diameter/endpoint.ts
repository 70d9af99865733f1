/**
 * A Diameter node (RFC 6733): transport, peers, and requests with their answers, in one machine. HSS, CSCFs, TRIM AS and address
 * translator each hold one. Peers are configured by name: those with an address are called, the others may call.
 * Leaves out: relay, proxy and redirect agents, dynamic discovery, SCTP, TLS, accounting.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import { Fifo } from '../../base/fifo.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import { earlierTimeout, type Machine, type Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import type { ConnectionId, NetworkInput, NetworkOutput, TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import { TurnoverMap } from '../../base/turnover-map.ts';
import { AnswerMemory, type RememberedRequest } from './answer-memory.ts';
import { type Avp, type Avps, avpValue } from './avp.ts';
import { capabilitiesAvps, type DiameterNode, judgeCapabilities, resultAvps } from './capabilities.ts';
import { MessageComposer } from './composition.ts';
import type {
  DiameterEvent,
  OutgoingRequest,
  ReceivedRequestId,
  RequestFailure,
  RequestId,
} from './diameter-event.ts';
import { baseApplication, baseAvps, baseCommands, disconnectCause } from './dictionary/base.ts';
import { type CommandDefinition, type DiameterApplication, Dictionary } from './dictionary/dictionary.ts';
import { Identifiers } from './identifiers.ts';
import { capabilitiesTimeoutMs, maximumOutstandingRequests, maximumPendingConnections } from './limits.ts';
import {
  answerHeader,
  checkRequired,
  type DiameterMessage,
  decodeMessage,
  encodeMessage,
  failureAvps,
  MalformedMessage,
} from './message.ts';
import { MessageFramer } from './message-framer.ts';
import { type OutstandingRequest, OutstandingRequests } from './outstanding-requests.ts';
import { DiameterPeer, type PeerConfiguration, type PeerOutput, type PeerTimers } from './peer.ts';
import { resultCode } from './result-code.ts';

export interface DiameterEndpointOptions {
  /** Our DiameterIdentity, a domain name. */
  readonly originHost: string;
  readonly originRealm: string;
  /** Must grow from one start of the process to the next: seconds since 1970 at start (RFC 6733 §8.16). */
  readonly originStateId: number;
  /** The applications that are served or used, such as `cxApplication`; the base protocol is always there. */
  readonly applications: readonly DiameterApplication[];
  /** Where to listen for peers (TCP, port 3868 by RFC 6733 §11.4). */
  readonly listen?: readonly TransportAddress[];
  readonly peers: readonly PeerConfiguration[];
  readonly random: RandomSource;
  readonly productName?: string;
  readonly timers?: Partial<DiameterTimers>;
}

export interface DiameterTimers extends PeerTimers {
  /** How long a request waits for its answer, ms. */
  readonly requestMs: DurationMs;
}

/** Tw and Tc as RFC 3539 and RFC 6733 recommend; a SIP transaction waits 32 s (timer B), so an answer after 10 s is still of use. */
const defaultTimers: DiameterTimers = { watchdogMs: 30_000, reconnectMs: 30_000, requestMs: 10_000 };

interface Connection {
  readonly id: ConnectionId;
  readonly framer: MessageFramer;
  localAddress: string;
  /** Absent until the CER has come. */
  peer?: DiameterPeer;
}

interface Received {
  readonly message: DiameterMessage;
  readonly remembered: RememberedRequest;
  readonly connection: ConnectionId;
}

export class DiameterEndpoint implements Machine<NetworkInput, NetworkOutput> {
  readonly #options: DiameterEndpointOptions;
  readonly #timers: DiameterTimers;
  readonly #node: DiameterNode;
  readonly #dictionary: Dictionary;
  readonly #identifiers: Identifiers;
  readonly #peers = new Map<string, DiameterPeer>();
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #composer: MessageComposer;
  readonly #outstanding = new OutstandingRequests();
  readonly #received = new TurnoverMap<ReceivedRequestId, Received>();
  readonly #answers = new AnswerMemory();
  /** Connections that have not yet said who they are. */
  readonly #pending = new DeadlineQueue<ConnectionId>();
  readonly #outputs = new Fifo<NetworkOutput>();
  readonly #events = new Fifo<DiameterEvent>();
  #requests: RequestId = 0;
  #receivedRequests: ReceivedRequestId = 0;

  constructor(options: DiameterEndpointOptions) {
    this.#options = options;
    this.#timers = { ...defaultTimers, ...options.timers };
    this.#dictionary = new Dictionary([baseApplication, ...options.applications]);
    this.#identifiers = new Identifiers(options.originHost, options.originStateId, options.random);
    this.#node = { productName: 'Trimaran', ...options };
    this.#composer = new MessageComposer(this.#node);
    for (const configuration of options.peers)
      this.#peers.set(
        configuration.host.toLowerCase(),
        new DiameterPeer(configuration, this.#node, this.#timers, this.#identifiers, options.random),
      );
  }

  /** Listens, and calls the peers that have an address. */
  start(now: Instant): void {
    for (const local of this.#options.listen ?? [])
      this.#outputs.push({ kind: 'listen', transport: 'tcp', local });
    for (const peer of this.#peers.values()) {
      peer.start(now);
      this.#drain(peer);
    }
  }

  /** Takes leave of all peers (DPR, REBOOTING: they may call again) and stops listening. */
  stop(now: Instant): void {
    for (const local of this.#options.listen ?? [])
      this.#outputs.push({ kind: 'stop-listening', transport: 'tcp', local });
    for (const peer of this.#peers.values()) {
      peer.stop(disconnectCause.rebooting, now);
      this.#drain(peer);
    }
  }

  isAvailable(peer: string): boolean {
    return this.#peerNamed(peer)?.isAvailable === true;
  }

  /** A Session-Id that nobody has had (RFC 6733 §8.8). */
  createSessionId(): string {
    return this.#identifiers.nextSessionId();
  }

  /**
   * Sends a request to the first available of the peers; after a failure it goes to the next one, marked as a possible duplicate.
   * The outcome is an event: `answer-received` or `request-failed`.
   */
  request(peers: string | readonly string[], request: OutgoingRequest, now: Instant): RequestId {
    const id = ++this.#requests;
    this.#dispatch({
      id,
      asked: request,
      peers: this.#peersNamed(peers),
      sessionId: request.sessionId ?? this.createSessionId(),
      endToEndId: this.#identifiers.nextEndToEnd(),
      deadline: now + this.#timers.requestMs,
      isRetransmitted: false,
    });
    return id;
  }

  /** Answers a received request; `avps` hold Result-Code or Experimental-Result. The endpoint adds Session-Id, Origin-… and Proxy-Info. */
  answer(request: ReceivedRequestId, avps: Avps): void {
    const received = this.#received.get(request);
    if (received === undefined) return;
    this.#received.delete(request);
    received.remembered.answer = avps;
    this.#sendAnswer(received.connection, received.message, avps);
  }

  /** Inputs that belong to another machine of the same host are ignored. */
  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind === 'connection-accepted') this.#accepted(input.connection, input.local, now);
    else if (input.kind === 'connection-established')
      this.#established(input.connection, input.local.address, now);
    else if (input.kind === 'stream-received') this.#streamReceived(input.connection, input.payload, now);
    else if (input.kind === 'connection-closed') this.#closed(input.connection, now);
  }

  handleTimeout(now: Instant): void {
    for (let due = this.#outstanding.due(now); due !== undefined; due = this.#outstanding.due(now))
      this.#fail(due, 'timed-out');
    for (let id = this.#pending.takeDue(now); id !== undefined; id = this.#pending.takeDue(now))
      this.#close(id);
    for (const peer of this.#peers.values()) {
      peer.handleTimeout(now);
      this.#drain(peer);
    }
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }

  pollEvent(): DiameterEvent | undefined {
    return this.#events.shift();
  }

  pollTimeout(): Timeout | undefined {
    let first = earlierTimeout(this.#outstanding.peek(), this.#pending.peek());
    for (const peer of this.#peers.values()) first = earlierTimeout(first, peer.pollTimeout());
    return first;
  }

  #accepted(id: ConnectionId, local: TransportAddress, now: Instant): void {
    if (!this.#listensOn(local)) return;
    if (this.#pending.size >= maximumPendingConnections) {
      this.#outputs.push({ kind: 'close', connection: id });
      return;
    }
    this.#connections.set(id, { id, framer: new MessageFramer(), localAddress: local.address });
    this.#pending.set(id, now + capabilitiesTimeoutMs, 'CER');
  }

  #listensOn(local: TransportAddress): boolean {
    const wildcards = ['0.0.0.0', '::'];
    return (this.#options.listen ?? []).some(
      ({ address, port }) =>
        port === local.port && (address === local.address || wildcards.includes(address)),
    );
  }

  #established(id: ConnectionId, localAddress: string, now: Instant): void {
    const connection = this.#connections.get(id);
    if (connection?.peer === undefined) return;
    connection.peer.connectionEstablished(id, localAddress, now);
    this.#drain(connection.peer);
  }

  #streamReceived(id: ConnectionId, payload: Uint8Array, now: Instant): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    connection.framer.push(payload);
    // A message may end the connection: what is behind it is not read any more.
    while (this.#connections.has(id)) {
      const octets = connection.framer.next();
      if (octets === undefined) return;
      if (isMalformed(octets)) {
        this.#close(id);
        this.#closed(id, now, connection.peer);
      } else this.#messageReceived(connection, decodeMessage(octets, this.#dictionary), now);
    }
  }

  #messageReceived(connection: Connection, message: DiameterMessage | MalformedMessage, now: Instant): void {
    const { peer } = connection;
    if (peer === undefined) {
      this.#capabilitiesRequested(connection, message, now);
      return;
    }
    if (message instanceof MalformedMessage) this.#nonsenseReceived(connection, peer, message, now);
    else if (peer.messageReceived(connection.id, message, now)) {
      if (message.isRequest) this.#requestReceived(connection, peer, message, now);
      else this.#answerReceived(peer, message);
    }
    this.#drain(peer);
  }

  /** The first message of an incoming connection (RFC 6733 §5.3, §5.6.1). */
  #capabilitiesRequested(
    connection: Connection,
    cer: DiameterMessage | MalformedMessage,
    now: Instant,
  ): void {
    const header = cer instanceof MalformedMessage ? cer.header : cer;
    if (header?.isRequest !== true || header.commandCode !== baseCommands.capabilitiesExchange.code) {
      this.#close(connection.id);
      return;
    }
    const peer = this.#peerNamed(avpValue(cer.avps, baseAvps.originHost) ?? '');
    const refusal = refusalOfCapabilities(cer, peer !== undefined, this.#node);
    if (peer === undefined || refusal !== undefined || cer instanceof MalformedMessage) {
      this.#refuse(connection, { ...header, avps: [] }, refusal ?? []);
      return;
    }
    connection.peer = peer;
    this.#pending.delete(connection.id);
    peer.capabilitiesRequested(connection.id, connection.localAddress, cer, now);
    this.#drain(peer);
  }

  #refuse(connection: Connection, cer: DiameterMessage, result: readonly Avp[]): void {
    const header = answerHeader(cer, avpValue(result, baseAvps.resultCode));
    const avps = [...result, ...capabilitiesAvps(this.#node, connection.localAddress)];
    this.#send(connection.id, { ...header, avps });
    this.#close(connection.id);
  }

  #nonsenseReceived(
    connection: Connection,
    peer: DiameterPeer,
    failure: MalformedMessage,
    now: Instant,
  ): void {
    const { header } = failure;
    if (peer.connection !== connection.id || header === undefined) peer.nonsenseReceived(connection.id, now);
    else if (header.isRequest)
      this.#sendAnswer(connection.id, { ...header, avps: failure.avps }, failureAvps(failure));
    else this.#fail(header.hopByHopId, 'malformed-answer');
  }

  #requestReceived(connection: Connection, peer: DiameterPeer, message: DiameterMessage, now: Instant): void {
    const command = this.#dictionary.command(message.applicationId, message.commandCode);
    const refusal = this.#refusalOf(message, command);
    if (command === undefined || refusal !== undefined) {
      this.#sendAnswer(connection.id, message, refusal ?? []);
      return;
    }
    const request = this.#receivedRequests + 1;
    const remembered = this.#answers.note(message, request, now);
    if (remembered.id !== request) {
      this.#duplicateReceived(connection.id, message, remembered);
      return;
    }
    this.#receivedRequests = request;
    this.#received.set(request, { message, remembered, connection: connection.id });
    const sessionId = avpValue(message.avps, baseAvps.sessionId);
    const { avps } = message;
    this.#events.push({ kind: 'request-received', request, peer: peer.host, command, sessionId, avps });
  }

  #duplicateReceived(connection: ConnectionId, message: DiameterMessage, known: RememberedRequest): void {
    if (known.answer !== undefined) this.#sendAnswer(connection, message, known.answer);
    // The first copy came over a connection that has failed since: the answer goes to the newest.
    else if (this.#received.has(known.id))
      this.#received.set(known.id, { message, remembered: known, connection });
  }

  /** Why a request is answered here and now (RFC 6733 §6.1.4, §7.1.3). */
  #refusalOf(message: DiameterMessage, command: CommandDefinition | undefined): readonly Avp[] | undefined {
    if (!this.#dictionary.hasApplication(message.applicationId))
      return resultAvps(resultCode.applicationUnsupported);
    if (command === undefined) return resultAvps(resultCode.commandUnsupported);
    const destination = avpValue(message.avps, baseAvps.destinationHost);
    if (destination !== undefined && destination.toLowerCase() !== this.#node.originHost.toLowerCase())
      return resultAvps(resultCode.unableToDeliver);
    const missing = checkRequired(message, command);
    if (missing !== undefined) return failureAvps(missing);
    if (this.#received.size >= maximumOutstandingRequests) return resultAvps(resultCode.tooBusy);
    return undefined;
  }

  #answerReceived(peer: DiameterPeer, { hopByHopId, avps }: DiameterMessage): void {
    const outstanding = this.#outstanding.get(hopByHopId);
    if (outstanding?.peers[0] !== peer) return;
    this.#outstanding.delete(hopByHopId);
    const { id, asked } = outstanding;
    this.#events.push({ kind: 'answer-received', request: id, asked, peer: peer.host, avps });
  }

  /**
   * Sends to the first peer that is available and has room: one that is connected and answers nothing takes none from the others. Those behind it
   * are kept for a failover.
   */
  #dispatch(request: OutstandingRequest): void {
    const { peers } = request;
    const first = peers.findIndex(
      (peer) => peer.isAvailable && this.#outstanding.countOf(peer) < maximumOutstandingRequests,
    );
    const peer = peers[first];
    if (peer?.connection === undefined)
      this.#reportFailure(
        request,
        peers.some(({ isAvailable }) => isAvailable) ? 'too-many-outstanding' : 'peer-down',
      );
    else
      this.#sendRequest(
        peer,
        peer.connection,
        first === 0 ? request : { ...request, peers: peers.slice(first) },
      );
  }

  #sendRequest(peer: DiameterPeer, connection: ConnectionId, request: OutstandingRequest): void {
    const hopByHopId = this.#identifiers.nextHopByHop();
    this.#outstanding.add(hopByHopId, request);
    const payload = this.#composer.request(request, {
      hopByHopId,
      destinationRealm: peer.realm ?? this.#node.originRealm,
      destinationHost: peer.host,
    });
    this.#transmit(connection, payload);
  }

  #sendAnswer(connection: ConnectionId, request: DiameterMessage, avps: Avps): void {
    if (this.#connections.has(connection)) this.#transmit(connection, this.#composer.answer(request, avps));
  }

  #send(connection: ConnectionId, message: DiameterMessage): void {
    this.#transmit(connection, encodeMessage(message));
  }

  #transmit(connection: ConnectionId, payload: Uint8Array): void {
    this.#outputs.push({ kind: 'transmit', transport: 'tcp', connection, payload });
  }

  #fail(hopByHopId: number, reason: RequestFailure): void {
    const outstanding = this.#outstanding.get(hopByHopId);
    if (outstanding === undefined) return;
    this.#outstanding.delete(hopByHopId);
    this.#reportFailure(outstanding, reason);
  }

  #reportFailure({ id, asked }: OutstandingRequest, reason: RequestFailure): void {
    this.#events.push({ kind: 'request-failed', request: id, asked, reason });
  }

  #close(id: ConnectionId): void {
    this.#connections.delete(id);
    this.#pending.delete(id);
    this.#outputs.push({ kind: 'close', connection: id });
  }

  #closed(id: ConnectionId, now: Instant, peer = this.#connections.get(id)?.peer): void {
    this.#connections.delete(id);
    this.#pending.delete(id);
    if (peer === undefined) return;
    peer.connectionClosed(id, now);
    this.#drain(peer);
  }

  #drain(peer: DiameterPeer): void {
    for (let output = peer.pollOutput(); output !== undefined; output = peer.pollOutput())
      this.#carryOut(peer, output);
  }

  #carryOut(peer: DiameterPeer, output: PeerOutput): void {
    if (output.kind === 'send') this.#send(output.connection, output.message);
    else if (output.kind === 'close') this.#close(output.connection);
    else if (output.kind === 'connect') {
      const { connection: id, remote } = output;
      this.#connections.set(id, { id, framer: new MessageFramer(), localAddress: '0.0.0.0', peer });
      this.#outputs.push({ kind: 'connect', connection: id, remote });
    } else if (output.kind === 'became-available')
      this.#events.push({ kind: 'peer-available', peer: peer.host, isRestarted: output.isRestarted });
    else {
      const { reason, wasAvailable, isConnected } = output;
      if (wasAvailable) this.#events.push({ kind: 'peer-unavailable', peer: peer.host, reason });
      this.#failOver(peer, isConnected);
    }
  }

  /** Requests without an answer go to another peer (RFC 6733 §5.5.4), or wait for a suspected one until it is closed. */
  #failOver(peer: DiameterPeer, isConnected: boolean): void {
    for (const [hopByHopId, request] of this.#outstanding.of(peer)) {
      const others = request.peers.slice(1);
      if (!others.some(({ isAvailable }) => isAvailable)) {
        if (!isConnected) this.#fail(hopByHopId, 'peer-down');
        continue;
      }
      this.#outstanding.delete(hopByHopId);
      this.#dispatch({ ...request, peers: others, isRetransmitted: true });
    }
  }

  #peersNamed(names: string | readonly string[]): readonly DiameterPeer[] {
    if (typeof names !== 'string') return names.flatMap((name) => this.#peersNamed(name));
    const peer = this.#peerNamed(names);
    return peer === undefined ? [] : [peer];
  }

  /** Identities are the same whatever their case; nearly all are written as in the configuration. */
  #peerNamed(name: string): DiameterPeer | undefined {
    return this.#peers.get(name) ?? this.#peers.get(name.toLowerCase());
  }
}

/** The AVPs of the CEA that turns a peer away (RFC 6733 §5.3); undefined when it is welcome. */
function refusalOfCapabilities(
  cer: DiameterMessage | MalformedMessage,
  isKnown: boolean,
  node: DiameterNode,
): readonly Avp[] | undefined {
  if (cer instanceof MalformedMessage) return failureAvps(cer);
  const missing = checkRequired(cer, baseCommands.capabilitiesExchange);
  if (missing !== undefined) return failureAvps(missing);
  if (!isKnown) return resultAvps(resultCode.unknownPeer);
  const judgement = judgeCapabilities(cer.avps, node.applications);
  return judgement === resultCode.success ? undefined : resultAvps(judgement);
}
